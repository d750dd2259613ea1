/** A question before something is taken away: what counts as yes, and how everything else ends. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { BadInput, explain } from '../../lib/base/failure.ts';
import { confirm, Declined } from '../../lib/runner/confirm.ts';

function ask(typed: string, isTTY = true): Promise<void> {
  const stdin = Object.assign(new PassThrough(), { isTTY });
  const asked = confirm('Delete it?', undefined, { stdin, stdout: new PassThrough() });
  stdin.write(typed);
  return asked;
}

test.each(['1', 'yes', 'true'])('YES=%s asks nothing', async (yes) => {
  await confirm('Delete it?', yes, { stdin: new PassThrough(), stdout: new PassThrough() });
});

test('"yes" goes on', async () => {
  await expect(ask('yes\r')).resolves.toBeUndefined();
});

test.each([
  ['n', 'n\r', 2],
  ['nothing', '\r', 2],
  ['y', 'y\r', 2],
  ['Ctrl-D', '\x04', 2],
  ['Ctrl-C', '\x03', 130],
])('%s cancels, and says that nothing was changed', async (_, typed, status) => {
  const error = await ask(typed).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Declined);
  expect(error).toMatchObject({ status });
  expect(explain(error)).toBe('Cancelled; nothing was changed.');
});

test('without a terminal it is bad input, with the way on', async () => {
  await expect(ask('', false)).rejects.toThrow(BadInput);
});
