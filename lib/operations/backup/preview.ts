/** What a restore would do to what Redis holds now, told before it asks. */
import { ageText } from '../../base/clock.ts';
import { count } from '../../base/failure.ts';
import type { Secret } from '../../base/secret.ts';
import type { SavedBackup } from './backup-file.ts';
import type { DumpedKey } from './redis-dump.ts';

/** What stands against the backup. */
export interface Present {
  now: number;
  held: readonly DumpedKey[];
  /** The tokens in use, by cluster. */
  tokens: ReadonlyMap<string, Secret>;
}

/** The lines: age, origin, keys; what is replaced, comes back, is newer than the backup and stays. */
export function restorePreview(backup: SavedBackup, { now, held, tokens }: Present): string[] {
  const alive = aliveAt(backup.keys, now);
  const holds = new Map(held.map((k) => [k.key, k.payload]));
  const saved = new Set(alive.map((k) => k.key));
  const expired = backup.keys.length - alive.length;
  const replaced = alive.filter((k) => holds.has(k.key) && holds.get(k.key) !== k.payload);
  const missing = alive.filter((k) => !holds.has(k.key));
  const newer = held.filter((k) => !saved.has(k.key));
  const rotated = [...tokens].filter(([id, token]) => {
    const before = alive.find((k) => nameOf(k) === `executor:token:${id}`);
    return before !== undefined && !Buffer.from(before.payload, 'base64').includes(token.reveal());
  });
  return [
    `backup     taken ${backup.takenAt}, ${ageText(now - Date.parse(backup.takenAt))} ago`,
    `of         release ${backup.release} at ${backup.host}`,
    `made by    ${backup.by === '' ? 'a runbook of old' : `the runbook at ${backup.by}`}, ${backup.signed ? 'signed by this deployment' : 'NOT SIGNED by this deployment: its tokens may be anybody’s'}`,
    `holds      ${count(backup.keys.length, 'key')}${expired > 0 ? `, ${expired} of them expired since: they stay away` : ''}`,
    `replaced   ${tally(replaced, 'what Redis holds under these names goes')}`,
    `comes back ${tally(missing, 'Redis does not hold them')}`,
    `unchanged  ${tally(alive.filter((k) => holds.get(k.key) === k.payload))}`,
    `newer      ${tally(newer, 'not in the backup: they stay')}`,
    ...(backup.leftOut.length > 0
      ? [`left out   ${tally(backup.leftOut, 'not among the names that Kubently uses')}`]
      : []),
    ...rotated.map(([id]) => `newer      the token of ${id} was rotated since: the present one is registered again`),
  ];
}

/** The keys whose time has not passed. */
export function aliveAt(keys: readonly DumpedKey[], now: number): DumpedKey[] {
  return keys.filter((k) => k.expiresAt === undefined || k.expiresAt > now);
}

/** `3 keys (executor:token 1, session 2): why`; `none`. */
function tally(keys: readonly DumpedKey[], why?: string): string {
  if (keys.length === 0) return 'none';
  const kinds = new Map<string, number>();
  for (const key of keys) {
    const kind = nameOf(key).split(':').slice(0, -1).join(':') || 'others';
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const each = [...kinds].sort(([a], [b]) => a.localeCompare(b)).map(([kind, n]) => `${kind} ${n}`);
  return `${count(keys.length, 'key')} (${each.join(', ')})${why === undefined ? '' : `: ${why}`}`;
}

/** A key may hold any byte, and must not steer the terminal. */
function nameOf({ key }: DumpedKey): string {
  return Buffer.from(key, 'base64')
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e]/g, '?');
}
