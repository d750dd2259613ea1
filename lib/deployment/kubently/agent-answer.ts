/** The agent's answer in what the CLI prints (docs/kubently-contract.md 5 and 8), and whether it is one. */
import { STEP } from '../../base/plan-steps.ts';
import { stripVTControlCharacters } from 'node:util';

const HEADING = /Kubently Response:/;
const RULE = /^\s*─{3,}\s*$/;

/**
 * What stands between the rules after the response heading. The rest is the session: the CLI echoes the question, and
 * ends with status 0 whatever happened.
 * @returns the answer, or undefined where the CLI printed none
 */
export function answerOf(text: string): string | undefined {
  const lines = stripVTControlCharacters(text).split(/\r\n|\r|\n/);
  const heading = lines.findIndex((line) => HEADING.test(line));
  if (heading < 0) return undefined;
  const after = lines.slice(heading + 1);
  const first = after.findIndex((line) => RULE.test(line));
  const last = after.findLastIndex((line) => RULE.test(line));
  const answer = after
    .slice(first + 1, last)
    .join('\n')
    .trim();
  return first < 0 || last === first || answer === '' ? undefined : answer;
}

/** How a model and its client say that they failed. */
const FAILED = /^\W*(error\b|exception\b|traceback\b|i encountered an error|no response from)/i;
/** The part that a controller drew by lot, as in coredns-7d764666f9-vlx2k: etcd-control-plane can be guessed. */
const DRAWN = /-[bcdfghjklmnpqrstvwxz2456789]{5}$/;

/**
 * True when the answer is no failure and holds one of the names, which only the cluster can have told: not as part of
 * a longer name. Names without a part drawn by lot count only where no name has one.
 */
export function namesOneOf(answer: string, names: readonly string[]): boolean {
  if (FAILED.test(answer)) return false;
  const drawn = names.filter((name) => DRAWN.test(name));
  const text = answer
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\u2010-\u2015]/g, '-');
  // A table may wrap a name over two lines.
  const unwrapped = text
    .split('\n')
    .map((line) => line.trim())
    .join('');
  const words = new Set([text, unwrapped].flatMap(wordsOf));
  return (drawn.length > 0 ? drawn : names).some((name) => words.has(name));
}

function wordsOf(text: string): string[] {
  return text.match(/[a-z0-9]([-a-z0-9.]*[a-z0-9])?/g) ?? [];
}

/** What to do about an agent that gave no good answer, by its own words. */
export function agentRemedy(answer: string): string {
  if (/\bexecutor\b|cluster \S{1,63} is not connected/i.test(answer))
    return 'the agent reaches no executor: ./runbook status says which one is not connected';
  if (/credit balance|insufficient_quota|billing/i.test(answer))
    return "the LLM provider's account has no credit: top it up there, then run this step again";
  if (/certificate|\bSSL\b/i.test(answer))
    return `the API does not trust the LLM's certificate: set LLM_CA_FILE to the CA that signed it, then ./runbook ${STEP.values}`;
  if (/\b40[13]\b|api.?key|authentication|permission_error|unauthori[sz]ed/i.test(answer))
    return `the LLM provider refuses the key: set a valid one in .env, then ./runbook ${STEP.secrets} and ./runbook ${STEP.release}`;
  if (/\b(429|529|503)\b|rate.?limit|overloaded|quota/i.test(answer))
    return 'the LLM provider limits or is overloaded now: run this step again in some minutes';
  if (/connection error|connect|ENOTFOUND|timed? ?out|unreachable/i.test(answer))
    return "the LLM provider cannot be reached from the cluster: look at the cluster's egress, then run this step again";
  if (/model|not_found/i.test(answer))
    return `set LLM_MODEL to a model that the provider serves, then ./runbook ${STEP.values}`;
  return 'make logs WHAT=api';
}
