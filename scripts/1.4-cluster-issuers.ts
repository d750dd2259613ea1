/** Plan step 1.4: the staging and the production ClusterIssuer are registered, with DNS-01 as their only solver. */
import { readFileSync } from 'node:fs';
import { yaml } from '../lib/base/yaml-tag.ts';
import { checkOf, conflict, differs, type ChangeStep } from '../lib/step.ts';
import { isOurCertManager } from '../lib/deployment/certificates/cert-manager.ts';
import { applicable } from '../lib/deployment/ownership/applicable.ts';
import { issuerSuspect } from '../lib/deployment/certificates/certificate-chain.ts';
import { ensureIdentity, IDENTITY_ANNOTATION, identityOf } from '../lib/deployment/dns/dns01-identity.ts';
import { condition, isReady, saying } from '../lib/clients/conditions.ts';
import { drift } from '../lib/clients/drift.ts';
import {
  CERT_MANAGER_NAMESPACE,
  dns01Email,
  DNS01_SECRET,
  ISSUER_NAMES,
} from '../lib/deployment/cluster/infrastructure.ts';
import { OURS } from '../lib/clients/kubectl.ts';
import { patience, waitFor } from '../lib/base/wait.ts';
import type { Context } from '../lib/context.ts';
import type { Issuer, Settings } from '../lib/settings/settings.ts';
import type { KubeObject } from '../lib/base/kubernetes.ts';
import { runAlone } from './entry.ts';

const KIND = 'ClusterIssuer.cert-manager.io';
const ISSUERS = ['staging', 'production'] as const;

export const step: ChangeStep = {
  id: '1.4',
  kind: 'change',
  title: 'ClusterIssuers for staging and production ready',
  // An Issuer made before its Secret stays InvalidSolver.
  needs: ['1.1', '1.2'],

  async check(ctx) {
    const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
    const missing = await missingIdentity(ctx);
    if (missing !== undefined) {
      if (!(await isOurCertManager(ctx)))
        return conflict(
          `cert-manager's ServiceAccount is not annotated with ${missing}, and is not the runbook's to change`,
          `set DNS01_AUTH=key, or have its owner annotate it (${IDENTITY_ANNOTATION})`,
        );
      return differs(`cert-manager's ServiceAccount is not annotated with ${missing}`);
    }
    const { apply, left, taken } = await applicable(kube, wantedIssuers(ctx));
    if (taken) return taken;
    const used = left.map((o) => `; uses ${o} as it is`).join('');
    const found = checkOf(await drift(kube, apply), `both issuers are registered, by DNS-01${used}`);
    if (found.state !== 'done') return found;
    const live = await Promise.all(ISSUERS.map((i) => kube.get(KIND, ISSUER_NAMES[i])));
    const unready = live.find((i) => i !== undefined && !isReady(i));
    return unready ? differs(`${unready.metadata.name} is not ready: ${saying(condition(unready, 'Ready'))}`) : found;
  },

  async apply(ctx) {
    const missing = await missingIdentity(ctx);
    if (missing !== undefined) await ensureIdentity(ctx, missing);
    const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
    const { apply } = await applicable(kube, wantedIssuers(ctx));
    if (apply.length > 0) await kube.apply(apply);
  },

  async verify(ctx) {
    const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
    const judge = patience(ctx.clock);
    await waitFor(
      {
        what: 'ClusterIssuers',
        timeoutMs: 120_000,
        probe: async () => {
          const live = await Promise.all(ISSUERS.map((i) => kube.get(KIND, ISSUER_NAMES[i])));
          const missing = ISSUERS.filter((_, i) => !live[i]);
          if (missing.length > 0)
            return { state: 'failed', reason: `gone: ${missing.join(', ')}`, next: './runbook 1.4' };
          const unready = live.filter((i) => i !== undefined).filter((i) => !isReady(i));
          return unready.length > 0
            ? judge(unready.map(issuerSuspect), `${live.length - unready.length} of ${live.length} ready`)
            : { state: 'ready', value: undefined };
        },
        next: `kubectl --context ${kube.target.context} describe clusterissuer`,
      },
      ctx,
    );
    return `${ISSUERS.map((i) => ISSUER_NAMES[i]).join(' and ')} are registered with their ACME servers`;
  },

  owns: ({ settings }) => ({
    objects: [
      {
        target: { context: settings.gke.context, namespace: CERT_MANAGER_NAMESPACE },
        named: Object.fromEntries(
          Object.values(ISSUER_NAMES).flatMap((name) => [
            [`ClusterIssuer/${name}`, ['issuers']],
            // Its ACME account's key, by cert-manager.
            [`Secret/${name}`, ['issuers', 'certificates']],
          ]),
        ),
      },
    ],
  }),

  async undo(ctx, { retained }) {
    if (retained.has('issuers')) return;
    const kube = ctx.inGke(CERT_MANAGER_NAMESPACE);
    for (const issuer of ISSUERS) {
      await kube.delete(KIND, ISSUER_NAMES[issuer]);
      if (!retained.has('certificates')) await kube.delete('Secret', ISSUER_NAMES[issuer]);
    }
  },
};

function wantedIssuers({ settings }: Context): KubeObject[] {
  return ISSUERS.map((i) => clusterIssuer(settings, i));
}

/** The account that cert-manager should sign in as and does not; undefined with a key, too. */
async function missingIdentity(ctx: Context): Promise<string | undefined> {
  const email = dns01Email(ctx.settings);
  return ctx.settings.dns01Auth === 'key' || (await identityOf(ctx)) === email ? undefined : email;
}

/** The plan's ClusterIssuer; the key's Secret is left out with workload identity, the CA is a private directory's. */
function clusterIssuer({ acme, project, dns01Auth }: Settings, issuer: Issuer): KubeObject {
  const name = ISSUER_NAMES[issuer];
  const key = dns01Auth === 'key' ? { serviceAccountSecretRef: { ...DNS01_SECRET } } : {};
  const caBundle = acme.caFile ? { caBundle: readFileSync(acme.caFile).toString('base64') } : {};
  return yaml`
    apiVersion: cert-manager.io/v1
    kind: ClusterIssuer
    metadata:
      name: ${name}
      labels: ${OURS}
    spec:
      acme: ${{
        server: acme[issuer],
        email: acme.email,
        ...caBundle,
        privateKeySecretRef: { name },
        solvers: [{ dns01: { cloudDNS: { project, ...key } } }],
      }}`;
}

void runAlone(import.meta);
