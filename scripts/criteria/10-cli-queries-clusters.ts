/** The CLI asks about every cluster and gets an answer. */
import type { Criterion } from '../../lib/runner/criterion.ts';
import { step } from '../4.2-cli.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 10,
  title: 'CLI can query both clusters',
  prove: step.prove,
};

void runAlone(import.meta);
