/** The ACME challenges of the API's certificate, on their way out. */
import type { Context } from '../../context.ts';
import { TimedOut } from '../../base/failure.ts';
import { waitFor } from '../../base/wait.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

/** Waits until cert-manager has cleaned up the challenges; where it is gone already, nobody would ever let them go. */
export async function noChallenges(ctx: Context): Promise<void> {
  const kube = ctx.kube(ctx.settings.gke);
  const left = async (): Promise<KubeObject[]> =>
    (await kube.list('Challenge.acme.cert-manager.io')).filter(
      (c) => (c['spec'] as { dnsName?: string }).dnsName === ctx.settings.host,
    );
  const gone = waitFor(
    {
      what: 'challenges',
      timeoutMs: 60_000,
      probe: async () => {
        const some = await left();
        return some.length === 0
          ? { state: 'ready', value: undefined }
          : { state: 'pending', reason: `${some.length} are being cleaned up` };
      },
      next: 'make remove',
    },
    ctx,
  );
  try {
    await gone;
  } catch (error) {
    if (!(error instanceof TimedOut)) throw error;
    for (const { metadata } of await left())
      await kube.change`patch challenge.acme.cert-manager.io/${metadata.name} --type=merge --patch '{"metadata":{"finalizers":null}}'`;
  }
}
