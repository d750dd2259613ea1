/** Plan step 4.3: the agent answers the plan's question over both clusters. */
import { askAcrossClusters } from '../lib/deployment/kubently/scenario.ts';
import type { ProofStep } from '../lib/step.ts';
import { runAlone } from './entry.ts';

export const step: ProofStep = {
  id: '4.3',
  kind: 'proof',
  title: 'Agent answers across all clusters',
  needs: ['2.7', '3.2', '4.0'],
  prove: askAcrossClusters,
};

void runAlone(import.meta);
