/** Two operators at once on the real cluster's Lease: never both inside. TIMES=50 rounds; 5 without it. */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { realRun } from '../../lib/base/command.ts';
import { Lease } from '../../lib/runner/lease.ts';
import { childrenOf } from '../../lib/base/owner.ts';
import { loadSettings } from '../../lib/settings/settings.ts';
import type { Order, Report } from './lock-contender.ts';
import { RESULTS } from './run.ts';

const TIMES = Number(process.env['TIMES'] ?? 5);
const NAME = `kubently-runbook-test-${process.pid}`;
const settings = loadSettings();
const lease = new Lease(realRun(settings.childEnvironment), settings.gke.context, NAME);
const operators: Operator[] = [];

interface Operator {
  process: ChildProcess;
  order: (order: Order) => void;
  /** The next report of one of these states. @throws Error on `failed` */
  next: (...states: Report['state'][]) => Promise<Report>;
}

async function operator(): Promise<Operator> {
  const child = fork(join(import.meta.dirname, 'lock-contender.ts'), ['--lease', NAME], {
    execArgv: ['--disable-warning=DEP0190'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const reports: Report[] = [];
  let told: () => void = () => undefined;
  child.on('message', (report: Report) => {
    reports.push(report);
    told();
  });
  const next: Operator['next'] = async (...states) => {
    for (;;) {
      const report = reports.shift();
      if (report?.state === 'failed') throw new Error(report.text);
      if (report && states.includes(report.state)) return report;
      if (!report) await new Promise<void>((go) => (told = go));
    }
  };
  const made = { process: child, order: (order: Order) => void child.send(order), next };
  operators.push(made);
  await next('ready');
  return made;
}

afterEach(async () => {
  for (const o of operators.splice(0)) o.process.kill('SIGKILL');
  const left = await lease.read();
  if (left) await lease.remove(left);
});

/** False for what is gone, or has ended and waits for its parent to notice. */
function works(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

interface Stay {
  from: bigint;
  to: bigint;
}

/** The stay inside, or undefined where the other had the lock. */
async function stay(o: Operator): Promise<Stay | undefined> {
  const first = await o.next('inside', 'locked');
  if (first.state !== 'inside') return undefined;
  const left = await o.next('left');
  return { from: BigInt(first.at), to: BigInt(left.state === 'left' ? left.at : 0) };
}

test(
  `two operators at once, ${TIMES} times: never both inside, and every one that waits gets in`,
  { timeout: TIMES * 20_000 + 60_000 },
  async () => {
    const pair = await Promise.all([operator(), operator()]);
    const stays: Stay[] = [];
    let refused = 0;
    for (let round = 0; round < TIMES; round++) {
      // Every other round nobody waits: then one may be refused.
      const waitMs = round % 2 === 0 ? 60_000 : 0;
      pair.forEach((o) => o.order({ waitMs, insideMs: (round * 37) % 300 }));
      const both = await Promise.all(pair.map(stay));
      const inside = both.filter((s) => s !== undefined);
      expect(inside.length, `round ${round}`).toBeGreaterThanOrEqual(waitMs > 0 ? 2 : 1);
      refused += 2 - inside.length;
      stays.push(...inside);
    }
    const sorted = stays.sort((a, b) => (a.from < b.from ? -1 : 1));
    const overlaps = sorted.filter((s, i) => {
      const before = sorted[i - 1];
      return before !== undefined && s.from < before.to;
    });
    const seen = { rounds: TIMES, stays: stays.length, refused, overlaps: overlaps.length };
    console.log(JSON.stringify(seen));
    // For docs/reliability.md; the short form does not replace the full one.
    if (process.env['TIMES']) {
      mkdirSync(RESULTS, { recursive: true });
      writeFileSync(join(RESULTS, 'two-operators.json'), JSON.stringify(seen));
    }
    expect(overlaps).toEqual([]);
    expect(await lease.read()).toBeUndefined();
  },
);

test(
  'a killed operator’s lock is taken over at once, but only after its child has ended',
  { timeout: 90_000 },
  async () => {
    const [killed, second] = await Promise.all([operator(), operator()]);
    killed.order({ waitMs: 0, insideMs: 600_000, childMs: 4000 });
    await killed.next('inside');
    const run = (await lease.read())?.owner.run ?? '';
    while (childrenOf(run).length === 0) await new Promise((go) => setTimeout(go, 50));
    const [child = 0] = childrenOf(run);
    expect(works(child)).toBe(true);
    killed.process.kill('SIGKILL');
    second.order({ waitMs: 0, insideMs: 0 });
    await second.next('inside');
    expect(works(child)).toBe(false);
    await second.next('left');
  },
);
