/** The numbers of the plan's steps that other code names, by the names of their scripts (test/unit/plan-steps.test.ts compares). */
export const STEP = {
  staticIpAndDns: '1.0',
  certManager: '1.1',
  dns01ServiceAccount: '1.2',
  ingressController: '1.3',
  clusterIssuers: '1.4',
  tokens: '2.1',
  images: '2.2',
  secrets: '2.3',
  values: '2.4',
  release: '2.5',
  tlsCertificate: '2.6',
  productionCertificate: '2.7',
  redisNetworkPolicy: '2.8',
  remoteValues: '3.1',
  remoteRelease: '3.2',
  api: '4.1',
} as const;
