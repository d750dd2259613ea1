/** The workflows call make's targets: what runs there is what an operator types. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { expect, test } from 'vitest';
import { ROOT } from '../../lib/base/paths.ts';

interface Workflow {
  permissions: unknown;
  concurrency: { group: string };
  jobs: Record<string, { environment?: string; permissions: Record<string, string>; steps: { run?: string }[] }>;
}

const FOLDER = join(ROOT, '.github', 'workflows');
const targets = new Set(
  [...readFileSync(join(ROOT, 'Makefile'), 'utf8').matchAll(/^([a-z0-9-]+):.* ## /gm)].map(([, name]) => name),
);

test.each(readdirSync(FOLDER))('%s: make targets alone, least permissions, one run at a time', (file) => {
  const { permissions, concurrency, jobs } = parse(readFileSync(join(FOLDER, file), 'utf8')) as Workflow;
  expect(permissions).toEqual({});
  expect(concurrency.group).toMatch(/./);
  for (const job of Object.values(jobs)) {
    const called = job.steps.flatMap(({ run = '' }) =>
      [...run.matchAll(/\bmake (?:--silent )?([a-z-]+)/g)].map((m) => m[1]),
    );
    expect(called.length).toBeGreaterThan(0);
    expect(called.filter((name) => !targets.has(name))).toEqual([]);
    // What changes a deployment waits for a reviewer of the environment, and holds no key of its own.
    if (file !== 'check.yml')
      expect(job).toMatchObject({
        environment: file === 'backup.yml' ? 'backup' : 'production',
        permissions: { 'id-token': 'write' },
      });
  }
});
