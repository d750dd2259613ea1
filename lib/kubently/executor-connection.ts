/** Whether an executor is connected: a command comes back through it; a running pod says nothing (contract 4). */
import { kubentlyApi } from './api.ts';
import type { Context } from '../context.ts';
import { Failure } from '../failure.ts';
import { selector } from './redis.ts';
import { podSuspects } from '../kubernetes/stuck-pod.ts';
import type { Settings } from '../settings.ts';
import type { Remote } from '../target.ts';
import { patience, waitFor, type Suspect } from '../wait.ts';

/** The executor tries again each 5 s (contract 4): a refusal must be said twice, so that one from before a new token does not count. */
const SECOND_TRY_MS = 8_000;
/** A certificate that was changed a moment ago, a name that is about to resolve; executors pause up to half a minute. */
const SETTLE_MS = 40_000;
const LOG_LINES = 20;

/** An executor: of a remote cluster, or the one beside the API. */
type Executor = Remote;

/** The executor of the GKE cluster, which comes with the release. */
export function gkeExecutor({ gke, gkeClusterId, release }: Settings): Executor {
  return { ...gke, id: gkeClusterId, release };
}

/** Waits until a command comes back. @returns the evidence @throws Failure when the API refuses the executor */
export async function executorAnswers(ctx: Context, executor: Executor): Promise<string> {
  const kube = ctx.kube(executor);
  const judge = patience(ctx.clock);
  const log = (): Promise<string> => kube.logs(['--selector', selector(executor.release, 'executor')], LOG_LINES);
  return waitFor(
    {
      what: `executor of ${executor.id}`,
      timeoutMs: 120_000,
      probe: async () => {
        const command = await tryCommand(ctx, executor.id);
        if (command === undefined) return { state: 'ready', value: `${executor.id} answers a command` };
        const [pods, words] = await Promise.all([kube.list('Pod', selector(executor.release, 'executor')), log()]);
        // Without a readiness probe its rollout is complete between two crashes.
        return judge([...podSuspects(pods, []), ...logSuspects(words, ctx, executor)], command);
      },
      diagnose: async () => (await log()).trimEnd(),
      next: `kubectl --context ${executor.context} --namespace ${executor.namespace} logs --selector ${selector(executor.release, 'executor')}`,
    },
    ctx,
  );
}

/** Why no command came back, or undefined when one did. */
async function tryCommand(ctx: Context, id: string): Promise<string | undefined> {
  try {
    const answer = await kubentlyApi(ctx).execute(id, ['namespaces']);
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
            ? `its token is not the registered one: ${ofGke ? `make rotate WHAT=executor:${id} gives it a new one` : './runbook 3.2 registers it again and restarts it'}`
            : `look at what serves ${url}: ./runbook 4.1`,
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
