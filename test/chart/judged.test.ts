/** Changes such as maintainers make: each is adapted to, by the word of a judge of its own, or refused for its true reason alone. */
import { describe, expect, test } from 'vitest';
import { fitRelease } from '../../lib/chart/fit.ts';
import { verdict } from './judge.ts';
import { AROUND } from './mutations/around.ts';
import { SECRETS } from './mutations/secrets.ts';
import type { Mutation } from './mutations/mutation.ts';
import { gke, mutated, remote, render } from './releases.ts';

/** Told of every chart as it is. */
const USUAL = ['hpa-stray', 'image-moving', 'secret-on-command-line', 'render-unsteady', 'hpa-without-target'];

describe.each<[string, readonly Mutation[]]>([
  ['Secrets', SECRETS],
  ['around', AROUND],
])('%s', (_, mutations) => {
  test.each(mutations.map((m) => [m.name, m] as const))('%s', async (_, mutation) => {
    const { changes, side = 'gke', refused, told = [] } = mutation;
    const spec = side === 'gke' ? gke : remote;
    await mutated('H', changes, async (chart) => {
      const fit = await fitRelease(spec, chart, render);
      const errors = fit.findings.filter((f) => f.grade === 'error');
      const words = errors.map((f) => `${f.id} ${f.object ?? ''} ${f.path ?? ''} ${f.message} | ${f.remedy}`);
      if (refused) {
        expect(words.length).toBeGreaterThan(0);
        // Another error beside the true reason would mislead.
        for (const line of words) expect(line).toMatch(refused);
        return;
      }
      expect(words).toEqual([]);
      expect(verdict(fit, spec)).toEqual([]);
      const warnings = fit.findings.filter((f) => !USUAL.includes(f.id)).map((f) => f.id);
      expect([...new Set(warnings)].sort()).toEqual([...told].sort());
      mutation.adapted?.(fit);
    });
  });
});
