/** An API server that restarts is waited for: what only reads, and what may be sent twice, is sent again. */
import { CommandFailed, pasteable, type Command, type Run } from '../base/command.ts';
import type { Outside } from '../context.ts';
import { Failure } from '../base/failure.ts';

/** Less than the lock stays without a heartbeat (lib/runner/lease.ts): so a run that gives up ends with the true cause. */
const OUTAGE_MS = 45_000;
const AGAIN_MS = 2_000;

/** The client's own words about a server that it did not reach, after its URL; a webhook, kubelet or registry behind other URLs is none. */
const NOT_REACHED =
  /connection refused|connection reset|\bEOF\b|TLS handshake timeout|i\/o timeout|connection lost|GOAWAY/i;
const API_PATH = /\/(apis?|openapi|version|readyz)\b/;
/** A server that answers and cannot serve yet, or no more. */
const UNREADY =
  /etcdserver: |the server is currently unable to handle the request|apiserver (not ready|is shutting down)|storage is \(re\)initializing/i;
const NO_RIGHTS_YET = 'it has just been started and forbids everything still';

/**
 * An Outside that outlasts the restart of an API server which has answered before; one that never did is told at once.
 * @param tell told when an outage begins and ends
 * @throws Failure with the last words of a server that does not come back within 45 s
 */
export function outlasting(outside: Outside, tell: (text: string) => void): Outside {
  const answered = new Set<string>();
  const givenUp = new Set<string>();
  const outages = new Map<string, Promise<void>>();

  const isReady = async (context: string): Promise<boolean> => {
    try {
      await outside.run(readyz(context));
      return true;
    } catch (error) {
      if (error instanceof CommandFailed) return false;
      throw error;
    }
  };

  const outlast = async (context: string, words: string): Promise<void> => {
    const { clock } = outside;
    const began = clock.now();
    tell(`the API server of ${context} does not answer, waiting for it at most ${OUTAGE_MS / 1000} s: ${words}`);
    do {
      if (clock.now() - began >= OUTAGE_MS) {
        givenUp.add(context);
        throw gone(context, words);
      }
      await clock.sleep(AGAIN_MS);
    } while (!(await isReady(context)));
    tell(`the API server of ${context} answers again, after ${Math.round((clock.now() - began) / 1000)} s`);
  };

  /** The outage of the moment, the same for all who are hit by it. */
  const over = (context: string, words: string): Promise<void> => {
    const known = outages.get(context);
    if (known) return known;
    const outage = outlast(context, words).finally(() => outages.delete(context));
    outages.set(context, outage);
    return outage;
  };

  const run: Run = async (command) => {
    const context = contextOf(command);
    if (context === undefined) return outside.run(command);
    for (const began = outside.clock.now(); ;) {
      await outages.get(context);
      try {
        const output = await outside.run(command);
        answered.add(context);
        givenUp.delete(context);
        return output;
      } catch (error) {
        if (!answered.has(context) || !mayBeSentTwice(command)) throw error;
        // Rights are known a moment after the start; whoever has none is not kept waiting.
        const words = wordsOf(error) ?? (isForbidden(error) && !(await isReady(context)) ? NO_RIGHTS_YET : undefined);
        if (words === undefined) throw error;
        // It says that it is ready and does not serve this.
        if (givenUp.has(context) || outside.clock.now() - began >= OUTAGE_MS) throw gone(context, words);
        await over(context, words);
      }
    }
  };
  return { ...outside, run };
}

function readyz(context: string): Command {
  const args = ['get', '--raw', '/readyz', '--context', context, '--namespace', 'default'];
  return { binary: 'kubectl', args, mutates: false, timeoutMs: 10_000 };
}

/** The cluster that a command speaks to; undefined where it is none. */
function contextOf({ binary, args }: Command): string | undefined {
  const flag = binary === 'kubectl' ? '--context' : binary === 'helm' ? '--kube-context' : undefined;
  return flag !== undefined && args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined;
}

/** A helm that was cut off leaves a record that the next one recovers (lib/clients/helm-pending.ts). */
function mayBeSentTwice({ binary, args: [verb, ...rest], mutates }: Command): boolean {
  if (!mutates) return true;
  if (binary === 'helm') return verb === 'upgrade' && rest.includes('--install');
  return (
    (verb === 'apply' && rest.includes('--server-side')) || (verb === 'delete' && rest.includes('--ignore-not-found'))
  );
}

/** The line by which a command says that the API server does not answer; undefined: it failed otherwise. */
function wordsOf(error: unknown): string | undefined {
  if (!(error instanceof CommandFailed)) return undefined;
  return error.stderr
    .split('\n')
    .findLast((line) => isUnanswered(line) || UNREADY.test(line))
    ?.trim();
}

/** By words, not by one pattern: a server's answer stands in the line, and may be made to take a pattern for ever. */
function isUnanswered(line: string): boolean {
  if (/The connection to the server \S{1,300} was refused/.test(line)) return true;
  const words = line.split(/[\s"\\]/);
  const after = line.includes('Unable to connect to the server: ') ? 0 : words.findIndex(isApiUrl);
  return after >= 0 && NOT_REACHED.test(words.slice(after).join(' '));
}

function isApiUrl(word: string): boolean {
  const at = word.search(/https?:\/\//);
  return at >= 0 && API_PATH.test(word.slice(at + 'https://'.length));
}

function isForbidden(error: unknown): boolean {
  return error instanceof CommandFailed && error.stderr.includes('(Forbidden)');
}

function gone(context: string, words: string): Failure {
  return new Failure({
    what: `the API server of ${context} did not answer for ${OUTAGE_MS / 1000} s: ${words}`,
    command: pasteable(readyz(context)),
    next: 'look at the cluster; once it answers, rerun the same command to resume',
  });
}
