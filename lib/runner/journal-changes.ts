/** What changes something outside is journalled when it has happened: commands and requests, without their input. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { pasteable, type Run } from '../base/command.ts';
import type { Outside } from '../context.ts';
import type { Http } from '../base/http.ts';
import type { Journal } from './journal.ts';
import type { StepId } from '../step.ts';

/** The step on whose behalf something happens; set by the runner. */
export const stepAtWork = new AsyncLocalStorage<StepId>();

/** The Outside whose changes are journalled, by step. */
export function changesJournalled(outside: Outside, journal: Journal): Outside {
  const told = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const started = outside.clock.now();
    const step = stepAtWork.getStore();
    const tell = (state: string): void =>
      journal({
        event: 'change',
        ...(step ? { step } : {}),
        state,
        reason: what,
        durationMs: outside.clock.now() - started,
      });
    try {
      const result = await work();
      tell('done');
      return result;
    } catch (error) {
      tell('failed');
      throw error;
    }
  };
  const run: Run = (command) =>
    command.mutates ? told(pasteable(command), () => outside.run(command)) : outside.run(command);
  const http: Http = (request) => {
    const { method = 'GET', url } = request;
    // Google's API asks for a policy, and for rights, by POST.
    const reads = method === 'GET' || method === 'HEAD' || /:(getIamPolicy|testIamPermissions)$/.test(url);
    return reads ? outside.http(request) : told(`${method} ${url}`, () => outside.http(request));
  };
  return { ...outside, run, http };
}
