/** Whether an executor is connected: a command comes back through it; a running pod says nothing (docs/kubently-contract.md 4). */
import { STEP } from '../../base/plan-steps.ts';
import { clusterIds, kubentlyApi } from './api.ts';
import type { Context } from '../../context.ts';
import { Failure } from '../../base/failure.ts';
import { selector } from './redis.ts';
import { podSuspects } from '../cluster/pod-failure.ts';
import type { Settings } from '../../settings/settings.ts';
import type { Remote } from '../../base/target.ts';
import { patience, waitFor, type Suspect } from '../../base/wait.ts';

/** The executor tries again each 5 s (docs/kubently-contract.md 4): a refusal must be said twice, so that one from before a new token does not count. */
const SECOND_TRY_MS = 8_000;
/** A certificate that was changed a moment ago, a name that is about to resolve; executors pause up to half a minute. */
const SETTLE_MS = 40_000;
const LOG_LINES = 20;
/** A command that nobody listens for is lost, and the API waits for it all the same (docs/kubently-contract.md 3.3): short tries come first. */
const FIRST_TRY_S = 2;
const LONGEST_TRY_S = 10;

/** An executor: of a remote cluster, or the one beside the API. */
type Executor = Remote;

/** What an outsider cannot see of an executor whose pods are at hand. */
interface Inside {
  /** What may keep it from ever answering. */
  suspects: () => Promise<Suspect[]>;
  diagnose: () => Promise<string>;
}

/** Waits until a command comes back through the cluster's executor. @returns the evidence @throws Failure when the API refuses the command */
export async function executorAnswers(ctx: Context, id: string, inside?: Inside): Promise<string> {
  const judge = patience(ctx.clock);
  const log = id === ctx.settings.gkeClusterId ? 'executor' : `remote:${id}`;
  let seconds = FIRST_TRY_S;
  return waitFor(
    {
      what: `executor of ${id}`,
      timeoutMs: 120_000,
      probe: async () => {
        const command = await tryCommand(ctx, id, seconds);
        seconds = Math.min(LONGEST_TRY_S, seconds * 2);
        if (command === undefined) return { state: 'ready', value: `${id} answers a command` };
        return judge((await inside?.suspects()) ?? [], command);
      },
      ...(inside ? { diagnose: inside.diagnose } : {}),
      next: `make logs WHAT=${log}`,
    },
    ctx,
  );
}

/** Waits until every executor answers: whatever restarts the API cuts all of them off for some seconds. @throws Failure */
export async function everyExecutorAnswers(ctx: Context): Promise<void> {
  await Promise.all(clusterIds(ctx).map((id) => executorAnswers(ctx, id)));
}

/** The executor of the GKE cluster, which comes with the release. */
export function gkeExecutor({ gke, gkeClusterId, release }: Settings): Executor {
  return { ...gke, id: gkeClusterId, release };
}

/** The same for one that was just released: a crash, a refusal or a certificate it does not trust ends the wait. */
export function newExecutorAnswers(ctx: Context, executor: Executor): Promise<string> {
  const kube = ctx.kube(executor);
  const of = selector(executor.release, 'executor');
  const log = (): Promise<string> => kube.logs(['--selector', of], LOG_LINES);
  return executorAnswers(ctx, executor.id, {
    suspects: async () => {
      const [pods, words] = await Promise.all([kube.list('Pod', of), log()]);
      // Without a readiness probe its rollout is complete between two crashes.
      return [...podSuspects(pods, []), ...logSuspects(words, ctx, executor)];
    },
    diagnose: async () => (await log()).trimEnd(),
  });
}

/** Why no command came back, or undefined when one did. */
async function tryCommand(ctx: Context, id: string, seconds: number): Promise<string | undefined> {
  try {
    const answer = await kubentlyApi(ctx).execute(id, ['namespaces'], seconds);
    if (answer.status === 'success' && answer.output?.includes('kube-system')) return undefined;
    return `command: ${answer.error ?? answer.status}`;
  } catch (error) {
    // A 4xx of the API stays; a broken connection or a 5xx is an API that restarts.
    if (error instanceof Failure && !/HTTP (429|5\d\d)$/.test(error.message)) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

/** What the executor's newest word about its connection means; nothing when it is connected. */
function logSuspects(log: string, { settings }: Context, { id }: Executor): Suspect[] {
  const ofGke = id === settings.gkeClusterId;
  const url = ofGke ? settings.gkeExecutorApiUrl : `https://${settings.host}`;
  const last = log
    .split('\n')
    .findLast((l) =>
      /established|Failed to connect|[Ss][Ss][Ll]|certificate|resolve|ENOTFOUND|refused|fetch failed/.test(l),
    );
  if (last === undefined || last.includes('established')) return [];
  const said = last.trim();
  const refused = /Failed to connect: (401|403|404|422)/.exec(said)?.[1];
  if (refused !== undefined)
    return [
      {
        key: 'refused',
        reason: `the API refuses the executor (HTTP ${refused}): ${said}`,
        next:
          refused === '401'
            ? `its token is not the registered one: ${ofGke ? `make rotate WHAT=executor:${id} gives it a new one` : `./runbook ${STEP.remoteRelease} registers it again and restarts it`}`
            : `look at what serves ${url}: ./runbook ${STEP.api}`,
        // One that ran before the API was there tries again later and later.
        graceMs: refused === '401' && !ofGke ? SECOND_TRY_MS : SETTLE_MS,
      },
    ];
  if (/certificate|SSL/i.test(said))
    return [
      {
        key: 'untrusted',
        reason: `the executor does not trust ${url}: ${said}`,
        next: settings.tls.caFile
          ? `TLS_CA_FILE (${settings.tls.caFile}) is not the CA that signed the certificate`
          : 'set TLS_CA_FILE to the CA that signed the certificate, or TLS_ISSUER=production',
        graceMs: SETTLE_MS,
      },
    ];
  return [{ key: 'unreachable', reason: said, graceMs: Infinity }];
}
