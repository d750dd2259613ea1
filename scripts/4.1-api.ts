/** Plan step 4.1: the API answers at its public name: health, clusters, A2A; and refuses whoever has no key. */
import { clusterIds, kubentlyApi } from '../lib/deployment/kubently/api.ts';
import { Failure } from '../lib/base/failure.ts';
import { oneLine } from '../lib/base/say.ts';
import { proven, type ProofStep } from '../lib/step.ts';
import { runAlone } from './entry.ts';

export const step: ProofStep = {
  id: '4.1',
  kind: 'proof',
  title: 'API answers over HTTPS',
  needs: ['2.7', '3.2', '4.0'],

  async prove(ctx) {
    const api = kubentlyApi(ctx);
    const [health, clusters, refusal] = await Promise.all([
      api.health(),
      api.clusters(),
      api.withoutKey('/debug/clusters'),
    ]);
    if (health.status !== 200)
      throw new Failure({
        what: `/health answers HTTP ${health.status}`,
        found: oneLine(health.body, 200),
        next: './runbook 2.5',
      });
    const missing = clusterIds(ctx).filter((id) => !clusters.includes(id));
    if (missing.length > 0)
      throw new Failure({
        what: `the API does not list ${missing.join(', ')}`,
        found: clusters.join(', '),
        next: './runbook 4.0',
      });
    // 401 at H, 422 before (docs/kubently-contract.md 3.1).
    if (refusal !== 401 && refusal !== 422)
      throw new Failure({
        what: `the API answers a call without a key with HTTP ${refusal}`,
        wanted: '401',
        next: 'take the deployment off the net: make remove',
      });
    return proven(`healthy, lists ${clusters.join(', ')}, refuses calls without a key (HTTP ${refusal})`);
  },
};

void runAlone(import.meta);
