/** Which steps a command line means: a step, a phase, all, and FROM=, UNTIL=, ONLY=. */
import { BadInput, type Problem } from '../base/failure.ts';
import { byId, type Step } from '../step.ts';

export interface Selection {
  from?: string;
  until?: string;
  only?: string;
}

/**
 * @param what a step's number, `phase1` … `phase5`, or `deploy`
 * @throws BadInput on a number that is no step's, or a selection that leaves none
 */
export function select(steps: readonly Step[], what: string, { from, until, only }: Selection): Step[] {
  const problems: Problem[] = [];
  const known = (id: string, flag?: string): Pick<Step, 'id'> | undefined => {
    const step = steps.find((s) => s.id === id);
    if (step) return step;
    problems.push({
      about: flag ?? id,
      message: `unknown step${flag ? ` "${id}"` : ''}`,
      remedy: `the steps: ${steps.map((s) => s.id).join(', ')}${flag ? '' : '; or deploy, phase1 … phase5'}`,
    });
    return undefined;
  };
  const phase = /^phase([1-5])$/.exec(what)?.[1];
  const one = what === 'deploy' || phase ? undefined : known(what)?.id;
  const inScope = steps.filter((s) => (phase ? s.id.startsWith(`${phase}.`) : one ? s.id === one : what === 'deploy'));
  if (phase && inScope.length === 0)
    throw new BadInput([
      { about: what, message: 'has no step with these settings', remedy: 'PROFILE=production in the settings adds it' },
    ]);
  const onlyIds = only?.split(',').map((id) => known(id.trim(), 'ONLY')?.id);
  const first = from === undefined ? undefined : known(from, 'FROM');
  const last = until === undefined ? undefined : known(until, 'UNTIL');
  if (first && last && byId(first, last) > 0)
    problems.push({
      about: what,
      message: `FROM ${first.id} comes after UNTIL ${last.id}`,
      remedy: `the other way round: FROM=${last.id} UNTIL=${first.id}`,
    });
  if (problems.length > 0) throw new BadInput(problems);
  const chosen = inScope.filter(
    (s) => (!onlyIds || onlyIds.includes(s.id)) && (!first || byId(s, first) >= 0) && (!last || byId(s, last) <= 0),
  );
  if (chosen.length === 0)
    throw new BadInput([
      {
        about: what,
        message: 'FROM, UNTIL and ONLY leave no step',
        remedy: `it has ${inScope.map((s) => s.id).join(', ')}`,
      },
    ]);
  return chosen;
}
