/** Start-up: what one script costs beyond its tools, lint-chart, and the memory of a look. */
import { busyMs, spans, timed } from '../measure.ts';
import { keep } from '../results.ts';
import { settingsFile } from '../rivals.ts';

const ROUNDS = 7;

export async function measure(): Promise<void> {
  const env = { ENV_FILE: settingsFile() };
  // Once unmeasured: Node fills its compile cache.
  await spans(['2.1', '--plan'], env);
  for (let round = 0; round < ROUNDS; round++) {
    const run = await spans(['2.1', '--plan'], env);
    keep('start-up', '2.1 --plan ms', run.ms);
    keep('start-up', '2.1 --plan beyond its tools ms', run.ms - busyMs([...run.children, ...run.requests]));
    keep('start-up', 'node alone ms', (await timed(['node_modules/.bin/node', '-e', '0'])).ms);
    keep('start-up', 'make lint-chart ms', (await timed(['make', '-s', 'lint-chart'], env)).ms);
    keep('start-up', 'status KiB', (await spans(['status'], env)).rssKb);
  }
}
