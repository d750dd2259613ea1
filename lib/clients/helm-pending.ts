/** A Helm release that a killed helm left pending or half uninstalled: marked as failed, so that the next upgrade goes on from the last good one. */
import type { Clock } from '../base/clock.ts';
import type { Run } from '../base/command.ts';
import { decode, encode, newestSecret } from './helm-record.ts';
import { Kubectl } from './kubectl.ts';
import type { Target } from '../base/target.ts';
import { waitFor } from '../base/wait.ts';

/** Who is told what was done. */
export interface Teller {
  clock: Clock;
  note: (text: string) => void;
  remark: (text: string) => void;
}

/** A helm that works without the runbook's lock (by hand, on another machine) gets this long to end. */
const ITS_OWN_END_MS = 30_000;

/**
 * Marks the newest record as failed where it is pending; history, values and objects stay as they are.
 * Nothing is done where helm has ended it meanwhile. @throws Failure where a helm still works at it
 */
export async function recoverPending(run: Run, target: Target, release: string, teller: Teller): Promise<void> {
  const kube = new Kubectl(run, target);
  const name = await waitFor<string | undefined>(
    {
      what: `another helm's work at release ${release}`,
      timeoutMs: 2 * ITS_OWN_END_MS,
      everyMs: 2000,
      probe: async () => {
        const newest = await newestRecord(kube, release);
        if (!newest?.pending) return { state: 'ready', value: undefined };
        const age = teller.clock.now() - newest.at;
        return age >= ITS_OWN_END_MS
          ? { state: 'ready', value: newest.name }
          : {
              state: 'pending',
              reason: `${newest.pending} since ${Math.round(age / 1000)} s; a living helm may end it`,
            };
      },
      next: `helm --kube-context ${target.context} --namespace ${target.namespace} history ${release}`,
    },
    teller,
  );
  if (name === undefined) return;
  const secret = await kube.get('Secret', name);
  if (!secret) return;
  const record = decode(secret);
  const was = record.info.status;
  record.info.status = 'failed';
  record.info.description = `was ${was} when its helm was killed; marked failed by kubently-runbook`;
  await kube.replace({
    ...secret,
    metadata: { ...secret.metadata, labels: { ...secret.metadata.labels, status: 'failed' } },
    data: { release: encode(record) },
  });
  teller.remark(`release ${release}: revision ${record.version} was left ${was} by a killed helm; marked failed`);
}

/** The newest revision; `pending`: its state where a helm should still be at work. */
async function newestRecord(
  kube: Kubectl,
  release: string,
): Promise<{ name: string; pending: string | undefined; at: number } | undefined> {
  const newest = await newestSecret(kube, release);
  if (!newest) return undefined;
  const { info } = decode(newest);
  return {
    name: newest.metadata.name,
    pending: info.status.startsWith('pending-') || info.status === 'uninstalling' ? info.status : undefined,
    at: Date.parse((info.deleted || info.last_deployed) ?? newest.metadata.creationTimestamp ?? '') || 0,
  };
}
