/** Every executor brings back the output of a command. */
import { clusterIds, kubentlyApi } from '../../lib/deployment/kubently/api.ts';
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { Failure } from '../../lib/base/failure.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 9,
  title: 'Both executors connected and healthy',
  async prove(ctx) {
    const ids = clusterIds(ctx);
    const answers = await Promise.all(ids.map((id) => kubentlyApi(ctx).execute(id, ['namespaces'])));
    answers.forEach((a, i) => {
      if (a.status !== 'success' || !a.output?.includes('kube-system'))
        throw new Failure({
          what: `${ids[i] ?? ''} did not answer a command`,
          found: a.error ?? a.status,
          next: './runbook 3.2',
        });
    });
    return proven(`get namespaces came back from ${ids.join(' and ')}`);
  },
};

void runAlone(import.meta);
