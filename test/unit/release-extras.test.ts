/** What is patched into the release around the chart's values. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kustomization } from '../../lib/deployment/release/extra-objects.ts';
import { contextOf, fakeOutside, settings, temporaryFolder } from './outside.ts';
import type { Fitted } from '../../lib/chart/fit.ts';

test('another CA file is another pod template, so that the executor starts again with it', async () => {
  const caFile = join(temporaryFolder(), 'ca.pem');
  const ctx = contextOf(fakeOutside({}), settings({ tls: { issuer: undefined, caFile, own: undefined } }), true);
  const extras: Fitted['extras'] = [
    {
      kind: 'trusted-ca',
      of: 'api',
      namespace: 'n',
      says: '',
      configMap: 'ca',
      deployment: 'executor',
      patch: { spec: {} },
    },
  ];
  const of = (text: string): Promise<string> => {
    writeFileSync(caFile, text);
    const target = { context: 'gke-context', namespace: 'n' };
    return kustomization(ctx, { target } as Parameters<typeof kustomization>[1], { extras } as Fitted);
  };
  const [first, second, again] = [await of('one'), await of('two'), await of('one')];
  expect(first).toMatch(/kubently-runbook\/ca: "?[0-9a-f]{16}"?/);
  expect(second).not.toBe(first);
  expect(again).toBe(first);
});
