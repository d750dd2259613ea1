/** An A2A task completes over HTTPS, with an answer that only the cluster can have given. */
import { agentRemedy } from '../../lib/deployment/kubently/agent-answer.ts';
import { kubentlyApi } from '../../lib/deployment/kubently/api.ts';
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { noLlmKey } from '../../lib/chart/release-spec.ts';
import { Failure } from '../../lib/base/failure.ts';
import { redisPod } from '../../lib/deployment/kubently/redis.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 11,
  title: 'A2A protocol works over HTTPS',
  async prove(ctx) {
    const { llm, gke, host } = ctx.settings;
    const keyless = noLlmKey(llm);
    if (keyless !== undefined) return { state: 'unproven', reason: `${keyless}, so no agent can answer` };
    const [answer, pod] = await Promise.all([
      kubentlyApi(ctx).ask(`What pods are running in ${gke.namespace} namespace across all clusters?`),
      redisPod(ctx),
    ]);
    if (answer.state !== 'completed')
      throw new Failure({
        what: `the A2A task ended ${answer.state}`,
        detail: answer.text,
        next: agentRemedy(answer.text),
      });
    if (!answer.text.includes(pod))
      throw new Failure({
        what: `the agent's answer does not name the pod ${pod}`,
        detail: answer.text,
        next: './runbook 4.3',
      });
    return proven(`message/send to https://${host}/a2a/ completed; the answer names pod ${pod}`);
  },
};

void runAlone(import.meta);
