/** A release and where it goes. */
import type { Target } from '../../base/target.ts';
import type { ReleaseSpec } from '../../chart/release-spec.ts';

export interface TargetedRelease {
  spec: ReleaseSpec;
  target: Target;
}
