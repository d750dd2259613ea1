/** What the document of a deployment says beside the recorded commands: proofs by hand, symptoms, whom an undo hurts. */
import { shellWord } from '../../lib/base/shell-word.ts';
import type { Target } from '../../lib/base/target.ts';
import { API_KEYS_SECRET, executorTokenSecret, REDIS_SECRET, TLS_SECRET } from '../../lib/chart/secret-names.ts';
import {
  CERT_MANAGER_NAMESPACE,
  CERT_MANAGER_VERSION,
  DNS01_ROLE,
  DNS01_SECRET,
  dns01Email,
  INGRESS_CLASS,
  INGRESS_NAMESPACE,
  ISSUER_NAMES,
} from '../../lib/deployment/cluster/infrastructure.ts';
import { policyNames } from '../2.8-redis-network-policy.ts';
import { chartPath, cliPath, IMAGES } from '../../lib/deployment/kubently/checkout.ts';
import type { Settings } from '../../lib/settings/settings.ts';
import { tokenName, tokenNames } from '../../lib/settings/tokens-file.ts';
import type { StepId } from '../../lib/step.ts';

/** The proof's lines: each ends with 0 where it holds. A secret is only ever a variable, and on no command line. */
type ProofByHand = (settings: Settings, commit: string) => string[];

/** grep reads to the end, so that what it reads from never fails for a closed pipe. */
const says = (pattern: string): string => `grep -E ${shellWord(pattern)} >/dev/null`;
const text = (jsonpath: string): string => `--output jsonpath=${shellWord(`{${jsonpath}}`)}`;

function kubectl({ context, namespace }: Target): string {
  return `kubectl --context ${shellWord(context)} --namespace ${shellWord(namespace)}`;
}

function inGke({ gke }: Settings, namespace: string): string {
  return kubectl({ context: gke.context, namespace });
}

function address({ staticIpName, region, project }: Settings): string {
  return `address=$(gcloud compute addresses describe ${shellWord(staticIpName)} --region ${shellWord(region)} --project ${shellWord(project)} --format 'value(address)')`;
}

/** curl of the API's public name; it fails on a status from 400 on. */
function curl({ tls, host }: Settings, path: string, words = ''): string {
  const ca = tls.caFile === undefined ? '' : ` --cacert ${shellWord(tls.caFile)}`;
  return `curl --silent --show-error --fail --max-time 120${ca}${words && ` ${words}`} ${shellWord(`https://${host}${path}`)}`;
}

const KEY = `--header @<(printf 'x-api-key: %s' "$API_KEY")`;

function clusters(settings: Settings): { id: string; target: Target; release: string }[] {
  const { gkeClusterId: id, gke: target, release, remotes } = settings;
  return [{ id, target, release }, ...remotes.map((r) => ({ id: r.id, target: r, release: r.release }))];
}

function rolledOut(target: Target, release: string): string[] {
  const all = `deployment,statefulset --selector ${shellWord(`app.kubernetes.io/instance=${release}`)}`;
  // rollout status of nothing ends with 0.
  return [
    `${kubectl(target)} get ${all} --output name | grep .`,
    `${kubectl(target)} rollout status ${all} --timeout 300s`,
  ];
}

/** The Secret's key holds the variable's value, whatever stands around it. */
function holds(target: Target, secret: string, key: string, variable: string): string {
  return `[[ "$(${kubectl(target)} get secret ${secret} ${text(`.data.${key}`)} | base64 -d)" == *"$${variable}" ]]`;
}

function fits(settings: Settings, id: string, target: Target, release: string): string {
  return `helm template ${shellWord(release)} ${shellWord(chartPath(settings.repo))} --namespace ${shellWord(target.namespace)} --values ${shellWord(`${settings.folder}/${id}.values.yaml`)} >/dev/null`;
}

export const PROOFS: Readonly<Record<StepId, ProofByHand>> = {
  '1.0': (s) => [
    address(s),
    `dig +short ${s.dnsServer === undefined ? '' : `@${s.dnsServer} `}${shellWord(s.host)} | grep -xF "$address"`,
  ],
  '1.1': (s) => [
    ...['cert-manager', 'cert-manager-webhook', 'cert-manager-cainjector'].map(
      (name) => `${inGke(s, CERT_MANAGER_NAMESPACE)} rollout status deployment/${name} --timeout 60s`,
    ),
    `${inGke(s, CERT_MANAGER_NAMESPACE)} get deployment cert-manager ${text('.metadata.labels.app\\.kubernetes\\.io/version')} | ${says(`^${CERT_MANAGER_VERSION}$`)}`,
  ],
  '1.2': (s) => [
    `gcloud projects get-iam-policy ${shellWord(s.project)} --flatten bindings --filter ${shellWord(`bindings.role=${DNS01_ROLE} AND bindings.members:${dns01Email(s)}`)} --format 'value(bindings.role)' | ${says(`^${DNS01_ROLE}$`)}`,
    ...(s.dns01Auth === 'key'
      ? [
          `${inGke(s, CERT_MANAGER_NAMESPACE)} get secret ${DNS01_SECRET.name} ${text('.data.key\\.json')} | base64 -d | ${says(dns01Email(s))}`,
        ]
      : []),
  ],
  '1.3': (s) => [
    `kubectl --context ${shellWord(s.gke.context)} get ingressclass ${INGRESS_CLASS}`,
    ...(s.ingressController === 'existing'
      ? []
      : [
          `${inGke(s, INGRESS_NAMESPACE)} rollout status deployment/traefik --timeout 60s`,
          address(s),
          `${inGke(s, INGRESS_NAMESPACE)} get service traefik ${text('.status.loadBalancer.ingress[0].ip')} | grep -xF "$address"`,
        ]),
  ],
  '1.4': (s) => [
    `kubectl --context ${shellWord(s.gke.context)} wait --for condition=Ready ${Object.values(ISSUER_NAMES)
      .map((name) => `clusterissuer/${name}`)
      .join(' ')} --timeout 60s`,
  ],
  '2.1': (s) =>
    tokenNames(s).map((name) => `grep -E ${shellWord(`^${name}=[^ ]{16,}$`)} ${shellWord(s.tokensFile)} >/dev/null`),
  '2.2': (s, commit) =>
    IMAGES.map((image) => `docker pull --quiet ${shellWord(`${s.images.registry}/${image}:${commit}`)}`),
  '2.3': (s) => [
    holds(s.gke, REDIS_SECRET, 'password', 'REDIS_PASSWORD'),
    holds(s.gke, API_KEYS_SECRET, 'keys', 'API_KEY'),
    holds(s.gke, executorTokenSecret(s.release), 'token', tokenName(s.gkeClusterId)),
  ],
  '2.4': (s) => [fits(s, s.gkeClusterId, s.gke, s.release)],
  '2.5': (s) => [
    ...rolledOut(s.gke, s.release),
    `service=$(${kubectl(s.gke)} get service --selector ${shellWord(`app.kubernetes.io/instance=${s.release},app.kubernetes.io/component=api`)} ${text('.items[0].metadata.name')})`,
    `kubectl --context ${shellWord(s.gke.context)} get --raw "/api/v1/namespaces/${s.gke.namespace}/services/$service:http/proxy/health" | ${says('"healthy"')}`,
  ],
  '2.6': (s) => [
    ...(s.tls.own ? [] : [`${kubectl(s.gke)} wait --for condition=Ready certificate/${TLS_SECRET} --timeout 300s`]),
    `${curl(s, '/health')} | ${says('healthy')}`,
    `curl --silent --show-error --head ${shellWord(`http://${s.host}/health`)} | grep -i '^location: https://' >/dev/null`,
  ],
  '2.7': (s) =>
    s.tls.own
      ? [`${kubectl(s.gke)} get secret ${TLS_SECRET}`]
      : [
          `${kubectl(s.gke)} get certificate ${TLS_SECRET} ${text('.spec.issuerRef.name')} | ${says(`^${ISSUER_NAMES[s.tls.issuer === 'staging' ? 'staging' : 'production']}$`)}`,
        ],
  '2.8': (s) => [`${kubectl(s.gke)} get networkpolicy ${policyNames(s.release).join(' ')}`],
  '3.1': (s) => s.remotes.map((r) => fits(s, r.id, r, r.release)),
  '3.2': (s) =>
    s.remotes.flatMap((r) => [
      ...rolledOut(r, r.release),
      holds(r, executorTokenSecret(r.release), 'token', tokenName(r.id)),
      `${curl(s, '/debug/clusters', KEY)} | ${says(`"${r.id}"`)}`,
    ]),
  '4.0': (s) =>
    clusters(s).map(
      ({ id }) =>
        `printf %s "$REDIS_PASSWORD" | ${kubectl(s.gke)} exec --stdin "$(${kubectl(s.gke)} get pod --selector ${shellWord(`app.kubernetes.io/instance=${s.release},app.kubernetes.io/component=redis`)} --output name)" -- sh -c ${shellWord(`REDISCLI_AUTH=$(cat) redis-cli --no-auth-warning GET executor:token:${id}`)} | grep -xF -f <(printf '%s\\n' "$${tokenName(id)}") >/dev/null`,
    ),
  '4.1': (s) => [
    `${curl(s, '/health')} | ${says('healthy')}`,
    `${curl(s, '/debug/clusters').replace(' --fail', '')} --output /dev/null --write-out '%{http_code}' | ${says('^401$')}`,
    `${curl(s, '/debug/clusters', KEY)} >/dev/null`,
  ],
  '4.2': (s) => [
    'cli=$(mktemp -d)',
    `cp -R ${shellWord(`${cliPath(s.repo)}/.`)} "$cli"`,
    '(cd "$cli" && npm ci --no-audit --no-fund && npm run build) >/dev/null',
    ...clusters(s).map(({ id, target: { context } }) => {
      const trust = s.tls.caFile === undefined ? '' : `NODE_EXTRA_CA_CERTS=${shellWord(s.tls.caFile)} `;
      const pods = `kubectl --context ${shellWord(context)} --namespace kube-system get pod --output name`;
      return `printf '%s\\nexit\\n' 'What pods are running in kube-system namespace?' | HOME="$cli" KUBENTLY_API_URL=${shellWord(`https://${s.host}`)} KUBENTLY_API_KEY="$API_KEY" ${trust}node "$cli/dist/index.js" debug ${shellWord(id)} | grep -F -f <(${pods} | sed 's#^pod/##') >/dev/null`;
    }),
    'rm -rf "$cli"',
  ],
  '4.3': (s) => {
    const body = {
      jsonrpc: '2.0',
      id: '1',
      method: 'message/send',
      params: {
        message: {
          kind: 'message',
          messageId: 'by-hand',
          role: 'user',
          parts: [{ kind: 'text', text: 'What pods are running in kube-system namespace across all clusters?' }],
        },
      },
    };
    const asked = `answer=$(${curl(s, '/a2a/', `${KEY} --header 'content-type: application/json' --data ${shellWord(JSON.stringify(body))}`)})`;
    return [
      asked,
      ...clusters(s).map(
        ({ target: { context } }) =>
          `printf %s "$answer" | grep -F -f <(kubectl --context ${shellWord(context)} --namespace kube-system get pod --output name | sed 's#^pod/##') >/dev/null`,
      ),
    ];
  },
};

/** What is seen, and the step to look at first. */
export const SYMPTOMS: readonly (readonly [symptom: string, step: StepId])[] = [
  ['the host has no address, or another one', '1.0'],
  ['the Certificate is not Ready; its Order or Challenge is pending', '1.4'],
  ['a Challenge says 403 of Cloud DNS', '1.2'],
  ['connection refused or 404 at the public name', '1.3'],
  ['ImagePullBackOff', '2.2'],
  ['401 with the API key of the tokens file', '2.3'],
  ['pods are not ready, or /health is not healthy', '2.5'],
  ['browsers or executors do not trust the certificate', '2.7'],
  ['a remote cluster is missing in /debug/clusters', '3.2'],
  ['the GKE cluster is missing in /debug/clusters', '4.0'],
  ['Redis cannot be reached by the API', '2.8'],
  ['the CLI gets no answer', '4.1'],
  ['the agent answers with an error', '4.3'],
];

/** Whom an undo hurts beside this deployment, and how to see it before. */
export const UNDO_HURTS: Readonly<Record<StepId, string>> = {
  '1.0': 'While the record is there, whoever gets the freed address answers for the host: delete the record first.',
  '1.1':
    'Every Certificate of the cluster stops being renewed. Look first: `kubectl get certificate --all-namespaces`.',
  '1.2': 'Whoever else signs in to Cloud DNS as this account is shut out.',
  '1.3': 'Every Ingress of this class goes dark, whoever made it. Look first: `kubectl get ingress --all-namespaces`.',
  '1.4':
    'Certificates of others that name these issuers stop being renewed. Look first: `kubectl get certificate --all-namespaces --output wide`.',
  '2.3': 'With the namespace goes all that others put there. Look first: `kubectl get all,secret,configmap` in it.',
};
