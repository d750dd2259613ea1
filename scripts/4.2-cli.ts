/** Plan step 4.2: the CLI reaches the deployment, for each of the clusters. */
import { askCli, builtCli } from '../lib/deployment/kubently/cli-build.ts';
import { executorAnswers } from '../lib/deployment/kubently/executor-connection.ts';
import { noLlmKey } from '../lib/chart/release-spec.ts';
import { tokenOf } from '../lib/deployment/kubently/secrets.ts';
import { Failure } from '../lib/base/failure.ts';
import { agentRemedy, answerOf, namesOneOf } from '../lib/deployment/kubently/agent-answer.ts';
import { proven, unproven, type ProofStep } from '../lib/step.ts';
import { runAlone } from './entry.ts';

const QUESTION = 'What pods are running in kube-system namespace?';

export const step: ProofStep = {
  id: '4.2',
  kind: 'proof',
  title: 'CLI reaches every cluster',
  // The build needs nothing of it, and goes on beside the wait for the certificates.
  needs: ['2.5'],
  needsToVerify: ['2.7', '3.2', '4.0'],

  prepare: builtCli,

  async prove(ctx) {
    const entry = await builtCli(ctx);
    const key = tokenOf(ctx.tokens(), 'API_KEY');
    const clusters = [{ ...ctx.settings.gke, id: ctx.settings.gkeClusterId }, ...ctx.settings.remotes];
    const ids = clusters.map((c) => c.id);
    const keyless = noLlmKey(ctx.settings.llm);
    for (const { id, context } of clusters) {
      ctx.note(`asks about ${id}`);
      const text = await askCli(ctx, entry, key, id, QUESTION);
      const answer = answerOf(text);
      if (answer === undefined)
        throw new Failure({
          what: `the CLI got no answer about ${id}`,
          detail: text.trim().split('\n').slice(-8).join('\n'),
          next: /timeout|timed out/i.test(text) ? agentRemedy(text) : './runbook 4.1',
        });
      // One command may be lost while its executor moves from an API pod that ends to the next.
      await executorAnswers(ctx, id);
      // Without a key the answer can only be the agent's refusal.
      if (keyless !== undefined) continue;
      const pods = await ctx.kube({ context, namespace: 'kube-system' }).list('Pod');
      const names = pods.map((p) => p.metadata.name);
      if (!namesOneOf(answer, names))
        throw new Failure({
          what: `the CLI reaches the API, but the agent did not answer about ${id}`,
          wanted: `the name of a pod in kube-system, such as ${names[0] ?? '(none runs)'}`,
          detail: answer,
          next: agentRemedy(answer),
        });
    }
    if (keyless !== undefined)
      return unproven(`the CLI reaches the API about ${ids.join(', ')}; ${keyless}, so no agent can answer`);
    return proven(`debug ${ids.join(', debug ')} answered; a command came back from each`);
  },
};

void runAlone(import.meta);
