/** gcloud's command tags, for changes: the plan's own lines, with --project in each. Reads go over REST (google.ts). */
import type { Clock } from '../base/clock.ts';
import { CommandFailed, type Run } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import { Secret } from '../base/secret.ts';
import { commandTag } from '../base/tag.ts';
import { tell } from '../base/telling.ts';

/** Google asks to slow down, or a server of it is ill for a moment: tried again so much later. */
const AGAIN_MS = [1000, 2000, 4000];
/** A limit of a minute is over after one: 75 s in all. */
const NEXT_MINUTE_MS = [1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000];
const LIMITED_IN_WORDS = /RESOURCE_EXHAUSTED|rate ?limit ?exceeded|Quota exceeded.{0,300} per minute|HTTPError 429/i;
/**
 * What passes, in gcloud's words, which tell no status: it does not try again after a 429, nor any POST of compute, and
 * after a lost answer of IAM it meets its own change (concurrent policy changes).
 */
const PASSES_IN_WORDS =
  /RESOURCE_EXHAUSTED|UNAVAILABLE|currently unavailable|Backend Error|Internal error|rate ?limit ?exceeded|Quota exceeded.{0,150} per minute|concurrent policy changes|HTTPError (429|5\d\d)/i;

/** The project's gcloud. */
export class Gcloud {
  readonly #run: Run;
  readonly #project: string;
  readonly #clock: Clock;

  constructor(run: Run, project: string, clock: Clock) {
    if (project.trim() === '')
      throw new Failure({
        what: 'a gcloud command without a project was refused',
        next: 'this is a fault of the runbook',
      });
    this.#run = run;
    this.#project = project;
    this.#clock = clock;
  }

  /** Changes something; what passes by itself is tried again. @returns its stdout */
  readonly change = commandTag((args) => this.#change(args));

  /** Creates what was absent a moment ago: where it exists by now, only the answer was lost. */
  readonly create = commandTag(async (args) => {
    await this.#change(args).catch(unless(/ALREADY_EXISTS|already exists/i));
  });

  /** Creates a secret that goes to stdout, which is repeated nowhere. @returns the secret */
  readonly createSecret = commandTag(async (args) => new Secret(await this.#change(args, 'both')));

  /** Deletes; content where there is nothing to delete. */
  readonly delete = commandTag(async (args) => {
    await this.#change(args).catch(unless(/NOT_FOUND|notFound|not found|does not exist|HTTPError 404/i));
  });

  async #change(args: readonly string[], sensitive?: 'both'): Promise<string> {
    const command = {
      binary: 'gcloud',
      args: [...args, '--project', this.#project, '--quiet'],
      mutates: true,
      ...(sensitive ? { sensitive } : {}),
    } as const;
    for (let tries = 0; ; tries++) {
      try {
        return (await this.#run(command)).stdout;
      } catch (error) {
        const said = error instanceof CommandFailed ? error.stderr : '';
        const limited = LIMITED_IN_WORDS.test(said);
        const ms = (limited ? NEXT_MINUTE_MS : PASSES_IN_WORDS.test(said) ? AGAIN_MS : [])[tries];
        if (ms === undefined) throw error;
        if (limited) tell(`Google's limit of requests a minute is reached, tries again in ${ms / 1000} s`);
        await this.#clock.sleep(ms);
      }
    }
  }
}

/** Passes on every failure but those that gcloud words so. */
function unless(words: RegExp): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof CommandFailed && words.test(error.stderr)) return undefined;
    throw error;
  };
}
