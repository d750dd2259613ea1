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
  const lines = stripVTControlCharacters(text).split(/\r?\n/);
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

/** True when the answer holds one of the names, which only the cluster can have told: not as part of a longer name. */
export function namesOneOf(answer: string, names: readonly string[]): boolean {
  const words = new Set(answer.match(/[a-z0-9]([-a-z0-9.]*[a-z0-9])?/g) ?? []);
  return names.some((name) => words.has(name));
}

/** What to do about an agent that gave no good answer, by its own words. */
export function agentRemedy(answer: string): string {
  if (/\b401\b|invalid.{0,10}api.?key|authentication|unauthori[sz]ed/i.test(answer))
    return `the LLM provider refuses the key: set a valid one in .env, then ./runbook ${STEP.secrets} and ./runbook ${STEP.release}`;
  if (/\b(429|529|503)\b|rate.?limit|overloaded|quota/i.test(answer))
    return 'the LLM provider limits or is overloaded now: run this step again in some minutes';
  if (/connection error|connect|ENOTFOUND|timed? ?out|unreachable/i.test(answer))
    return "the LLM provider cannot be reached from the cluster: look at the cluster's egress, then run this step again";
  if (/model|not_found/i.test(answer))
    return `set LLM_MODEL to a model that the provider serves, then ./runbook ${STEP.values}`;
  return 'make logs WHAT=api';
}
