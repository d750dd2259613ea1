/** Phase 5, only with PROFILE=production: the deployment's own CA, from which its parts get certificates for one another. */
import { X509Certificate } from 'node:crypto';
import { checkOf, differs, type ChangeStep } from '../lib/step.ts';
import { Failure } from '../lib/base/failure.ts';
import type { KubeObject } from '../lib/base/kubernetes.ts';
import { waitFor } from '../lib/base/wait.ts';
import { condition, isReady, saying } from '../lib/clients/conditions.ts';
import { drift, fullKind } from '../lib/clients/drift.ts';
import { secretValue } from '../lib/clients/kubectl.ts';
import type { Context } from '../lib/context.ts';
import { valuesFile } from '../lib/deployment/cluster/infrastructure.ts';
import type { Settings } from '../lib/settings/settings.ts';
import { runAlone } from './entry.ts';

export const step: ChangeStep = {
  id: '5.0',
  kind: 'change',
  title: 'Private CA issues certificates',
  needs: ['1.1', '2.3'],

  async check(ctx) {
    const wanted = caObjects(ctx.settings);
    const found = checkOf(await drift(ctx.kube(ctx.settings.gke), wanted), `${caName(ctx.settings)} is ready`);
    if (found.state !== 'done') return found;
    const unready = await firstUnready(ctx);
    return unready === undefined ? found : differs(unready);
  },

  async apply(ctx) {
    await ctx.kube(ctx.settings.gke).apply(caObjects(ctx.settings));
  },

  async verify(ctx) {
    const kube = ctx.kube(ctx.settings.gke);
    await waitFor(
      {
        what: `Issuer ${caName(ctx.settings)}`,
        timeoutMs: 60_000,
        probe: async () => {
          const unready = await firstUnready(ctx);
          return unready === undefined ? { state: 'ready', value: undefined } : { state: 'pending', reason: unready };
        },
        next: `kubectl --context ${kube.target.context} --namespace ${kube.target.namespace} describe issuer,certificate ${caName(ctx.settings)}`,
      },
      ctx,
    );
    const pem = secretValue(await kube.get('Secret', caName(ctx.settings)), 'tls.crt');
    const ca = pem && new X509Certificate(pem.reveal());
    if (!ca?.ca)
      throw new Failure({
        what: `Secret ${caName(ctx.settings)} holds no CA`,
        found: ca?.subject ?? 'no certificate',
        next: './runbook 5.0',
      });
    return `${ca.subject} signs until ${ca.validToDate.toISOString().slice(0, 10)}, and cert-manager renews it`;
  },

  owns: ({ settings }) => ({ objects: [{ target: settings.gke }] }),

  async undo(ctx) {
    const kube = ctx.kube(ctx.settings.gke);
    for (const o of [...caObjects(ctx.settings)].reverse()) await kube.delete(fullKind(o), o.metadata.name);
    await kube.delete('Secret', caName(ctx.settings));
  },
};

/** Name of the CA's Issuer, Certificate and Secret. */
function caName({ release }: Settings): string {
  return `${release}-private-ca`;
}

function caObjects({ gke, release }: Settings): KubeObject[] {
  return valuesFile('private-ca.yaml', { NAMESPACE: gke.namespace, RELEASE: release }) as KubeObject[];
}

/** The first of the objects that cert-manager does not call ready, in words; undefined where all are. */
async function firstUnready(ctx: Context): Promise<string | undefined> {
  const kube = ctx.kube(ctx.settings.gke);
  const wanted = caObjects(ctx.settings);
  const live = await Promise.all(wanted.map((o) => kube.get(fullKind(o), o.metadata.name)));
  const at = live.findIndex((o) => !isReady(o));
  const o = wanted[at];
  return o && `${o.kind} ${o.metadata.name} is not ready: ${saying(condition(live[at], 'Ready'))}`;
}

void runAlone(import.meta);
