/** A release and where it goes. */
import type { Target } from '../../base/target.ts';
import type { Meaning } from '../../chart/meaning.ts';

export interface Placed {
  meaning: Meaning;
  target: Target;
}
