/** Which steps a command line means: a step, a phase, all, and FROM=, UNTIL=, ONLY=. */
import { BadInput } from './failure.ts';
import { byId, type Step, type StepId } from './step.ts';

export interface Selection {
  from?: string;
  until?: string;
  only?: string;
}

/**
 * @param what a step's number, `phase1` … `phase4`, or `deploy`
 * @throws BadInput on a number that is no step's, or a selection that leaves none
 */
export function select(steps: readonly Step[], what: string, { from, until, only }: Selection): Step[] {
  const known = (id: string): StepId => {
    const step = steps.find((s) => s.id === id);
    if (step) return step.id;
    throw new BadInput([
      { about: id, message: 'is no step of the plan', remedy: `the steps: ${steps.map((s) => s.id).join(', ')}` },
    ]);
  };
  const phase = /^phase([1-4])$/.exec(what)?.[1];
  const inScope = steps.filter((s) =>
    what === 'deploy' ? true : phase ? s.id.startsWith(`${phase}.`) : s.id === known(what),
  );
  const onlyIds = only?.split(',').map((id) => known(id.trim()));
  const first = from === undefined ? undefined : { id: known(from) };
  const last = until === undefined ? undefined : { id: known(until) };
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
