/** The journal holds every change and nothing of what it carried. */
import { expect, test } from 'vitest';
import type { JournalEntry } from '../../lib/runner/journal.ts';
import { changesJournalled, stepAtWork } from '../../lib/runner/journal-changes.ts';
import { fails, fakeOutside, json } from './outside.ts';

function make() {
  const entries: JournalEntry[] = [];
  const outside = fakeOutside({
    rows: [
      { binary: 'kubectl', args: ['get', 'x'], answer: '' },
      { binary: 'kubectl', args: ['create', '-f', '-'], answer: '' },
      { binary: 'helm', args: ['uninstall', 'x'], answer: fails('no') },
    ],
    http: { 'GET https://a/': json({}), 'POST https://a/token': json({}) },
  });
  return { entries, outside: changesJournalled(outside, (e) => entries.push(e)) };
}

test('a command that changes something is told with its step, without its input; a read is not', async () => {
  const { entries, outside } = make();
  await outside.run({ binary: 'kubectl', args: ['get', 'x'], mutates: false });
  await stepAtWork.run('2.3', () =>
    outside.run({ binary: 'kubectl', args: ['create', '-f', '-'], mutates: true, input: 'hush' }),
  );
  expect(entries).toEqual([
    { event: 'change', step: '2.3', state: 'done', reason: 'kubectl create -f - < (stdin)', durationMs: 0 },
  ]);
});

test('a command that failed is told as failed, and still fails', async () => {
  const { entries, outside } = make();
  await expect(outside.run({ binary: 'helm', args: ['uninstall', 'x'], mutates: true })).rejects.toThrow();
  expect(entries).toMatchObject([{ event: 'change', state: 'failed', reason: 'helm uninstall x' }]);
});

test('requests: a POST is told without its body, a GET is not', async () => {
  const { entries, outside } = make();
  await outside.http({ url: 'https://a/' });
  await outside.http({ method: 'POST', url: 'https://a/token', body: { token: 'hush' } });
  expect(entries).toMatchObject([{ reason: 'POST https://a/token', state: 'done' }]);
});
