/** Values that the rest of Google sees later than they were written. */

/** One value and the time (ms since the epoch) from which it held. */
export interface Version<T> {
  at: number;
  value: T;
}

/** The longest delay that can be set; older versions are forgotten. */
export const LONGEST_DELAY_SECONDS = 600;

/** The newest value, as its writer sees it. Throws when there never was one. */
export function latest<T>(versions: Version<T>[]): T {
  const last = versions.at(-1);
  if (last === undefined) throw new Error('a value without a first version');
  return last.value;
}

/** The value as it was at the time `at`: what has propagated when `at` is now less the delay. */
export function asOf<T>(versions: Version<T>[], at: number): T {
  const seen = versions.findLast((version) => version.at <= at) ?? versions[0];
  return seen === undefined ? latest(versions) : seen.value;
}

/** The versions with `value` added at `now`, less those that nobody can see any more. */
export function withVersion<T>(versions: Version<T>[], value: T, now: number): Version<T>[] {
  const horizon = now - LONGEST_DELAY_SECONDS * 1000;
  const firstNeeded = versions.findLastIndex((version) => version.at <= horizon);
  return [...versions.slice(Math.max(firstNeeded, 0)), { at: now, value }];
}
