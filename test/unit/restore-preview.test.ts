/** What make restore tells before it asks. */
import { expect, test } from 'vitest';
import { restorePreview } from '../../lib/operations/backup/preview.ts';
import { Secret } from '../../lib/base/secret.ts';
import type { DumpedKey } from '../../lib/operations/backup/redis-dump.ts';

const now = Date.parse('2026-01-04T00:00:00Z');
const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
const key = (name: string, payload: string, expiresAt?: number): DumpedKey => ({
  key: base64(name),
  payload: base64(payload),
  ...(expiresAt === undefined ? {} : { expiresAt }),
});

const head = {
  by: 'c0ffee0',
  signed: true,
  leftOut: [],
  host: 'test-api.kubently.io',
  release: 'kubently',
  takenAt: '2026-01-01T00:00:00Z',
};
const tokens = new Map([
  ['gke', new Secret('preview-token-gke')],
  ['kind-remote', new Secret('preview-token-new')],
]);

test('age, origin, keys, what is replaced, comes back, stays; a token that was rotated since', () => {
  const keys = [
    key('executor:token:gke', '\0\x11preview-token-gke'),
    key('executor:token:kind-remote', '\0\x11preview-token-old'),
    key('session:1', 'a', now + 1000),
    key('session:2', 'gone', now - 1),
  ];
  const held = [
    key('executor:token:gke', '\0\x11preview-token-gke'),
    key('executor:token:kind-remote', '\0\x11preview-token-new'),
    key('session:3', 'later'),
    key('\x1b[2J', 'x'),
  ];
  const lines = restorePreview({ ...head, keys }, { now, held, tokens });
  expect(lines).toEqual([
    'backup     taken 2026-01-01T00:00:00Z, 3 days ago',
    'of         release kubently at test-api.kubently.io',
    'made by    the runbook at c0ffee0, signed by this deployment',
    'holds      4 keys, 1 of them expired since: they stay away',
    'replaced   1 key (executor:token 1): what Redis holds under these names goes',
    'comes back 1 key (session 1): Redis does not hold them',
    'unchanged  1 key (executor:token 1)',
    'newer      2 keys (others 1, session 1): not in the backup: they stay',
    'newer      the token of kind-remote was rotated since: the present one is registered again',
  ]);
});

test('an empty Redis: everything comes back, and a rotation is seen all the same', () => {
  const keys = [key('executor:token:kind-remote', '\0\x11preview-token-old')];
  const lines = restorePreview({ ...head, keys }, { now: now - 86_400_000 * 3 + 60_000, held: [], tokens });
  expect(lines[0]).toMatch(/, 1 minute ago$/);
  expect(lines.slice(4)).toEqual([
    'replaced   none',
    'comes back 1 key (executor:token 1): Redis does not hold them',
    'unchanged  none',
    'newer      none',
    'newer      the token of kind-remote was rotated since: the present one is registered again',
  ]);
});
