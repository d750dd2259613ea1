/** A namespace of its own beside the deployment, with a small backend and Ingresses of the tests' own hosts. */
import { execFileSync } from 'node:child_process';
import { webcrypto } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import type { Settings } from '../../lib/settings/settings.ts';

x509.cryptoProvider.set(webcrypto);
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
export const NAMESPACE = 'edge-tls-cases';

/** kubectl in the scratch namespace. */
export function kubectl(settings: Settings, args: readonly string[], input?: unknown): string {
  return execFileSync('kubectl', ['--context', settings.gke.context, '--namespace', NAMESPACE, ...args], {
    env: settings.childEnvironment,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(input === undefined ? {} : { input: JSON.stringify(input) }),
  });
}

/** A CA of the tests' own, that signs for any names. */
export async function testCa(): Promise<{
  pem: string;
  sign: (names: string[]) => Promise<{ cert: string; key: string; serial: string }>;
}> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const dates = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + 30 * DAY_MS) };
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=TLS cases CA',
    ...dates,
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  let count = 1;
  return {
    pem: ca.toString('pem'),
    sign: async (names) => {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
      count += 1;
      const serial = count.toString(16).padStart(2, '0');
      const cert = await x509.X509CertificateGenerator.create({
        serialNumber: serial,
        subject: `CN=${names[0] ?? ''}`,
        issuer: ca.subject,
        ...dates,
        signingKey: keys.privateKey,
        publicKey: own.publicKey,
        signingAlgorithm: ALGORITHM,
        extensions: [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
      });
      const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY');
      return { cert: cert.toString('pem'), key, serial };
    },
  };
}

/** Applies a TLS Secret. */
export function tlsSecret(settings: Settings, name: string, { cert, key }: { cert: string; key: string }): void {
  const data = {
    'tls.crt': Buffer.from(cert).toString('base64'),
    'tls.key': Buffer.from(key).toString('base64'),
  };
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name }, type: 'kubernetes.io/tls', data };
  kubectl(settings, ['apply', '--server-side', '-f', '-'], secret);
}

/** The release's own annotations for the controller, so that the tests see what the deployment has. */
function liveAnnotations(settings: Settings): Record<string, string> {
  const read = execFileSync(
    'kubectl',
    ['--context', settings.gke.context, '--namespace', settings.gke.namespace, 'get', 'ingress', '-o', 'json'],
    { env: settings.childEnvironment, encoding: 'utf8' },
  );
  const { items } = JSON.parse(read) as { items: { metadata: { annotations?: Record<string, string> } }[] };
  return Object.fromEntries(
    Object.entries(items[0]?.metadata.annotations ?? {}).filter(([key]) => key.startsWith('nginx.ingress.')),
  );
}

/** The namespace with a backend that sends a Server banner, and an Ingress for each host and Secret; waits until it answers. */
export function makeScratch(settings: Settings, hosts: readonly { host: string; secret: string }[]): void {
  const labels = { app: 'backend' };
  const annotations = liveAnnotations(settings);
  const items = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'backend', labels },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'nginx',
            image: 'nginx:1.28.0',
            imagePullPolicy: 'IfNotPresent',
            readinessProbe: { httpGet: { path: '/', port: 80 }, periodSeconds: 1 },
          },
        ],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'backend' },
      spec: { selector: labels, ports: [{ port: 80 }] },
    },
    ...hosts.map(({ host, secret }, i) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: `case-${i}`, annotations },
      spec: {
        ingressClassName: 'nginx',
        tls: [{ hosts: [host], secretName: secret }],
        rules: [
          {
            host,
            http: {
              paths: [
                { path: '/', pathType: 'Prefix', backend: { service: { name: 'backend', port: { number: 80 } } } },
              ],
            },
          },
        ],
      },
    })),
  ];
  kubectl(settings, ['apply', '--server-side', '-f', '-'], { apiVersion: 'v1', kind: 'List', items });
  kubectl(settings, ['wait', '--for=condition=Ready', 'pod/backend', '--timeout=90s']);
}

export function removeScratch(settings: Settings): void {
  kubectl(settings, ['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=false']);
}
