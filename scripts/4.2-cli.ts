/** Plan step 4.2: the CLI reaches the deployment, for each of the clusters. */
import { clusterIds, kubentlyApi } from '../lib/deployment/kubently/api.ts';
import { askCli, builtCli } from '../lib/deployment/kubently/cli-build.ts';
import { tokenOf } from '../lib/deployment/kubently/secrets.ts';
import { Failure } from '../lib/base/failure.ts';
import type { ProofStep } from '../lib/step.ts';
import { readTokens } from '../lib/deployment/kubently/tokens.ts';
import { runAlone } from './entry.ts';

/** Words by which the CLI's text betrays a failure that its status hides. */
const FAILED = /401|403|404|unauthori[sz]ed|ECONN|ENOTFOUND|certificate|fetch failed|Error:/i;

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
    const key = tokenOf(readTokens(ctx.settings.tokensFile), 'API_KEY');
    const ids = clusterIds(ctx);
    for (const id of ids) {
      ctx.note(`asks about ${id}`);
      const text = await askCli(ctx, entry, key, id, 'What pods are running in kube-system namespace?');
      if (FAILED.test(text) || !text.includes('kube-'))
        throw new Failure({
          what: `the CLI got no answer about ${id}`,
          detail: text.trim().split('\n').slice(-8).join('\n'),
          next: './runbook 4.1',
        });
      const executed = await kubentlyApi(ctx).execute(id, ['namespaces']);
      if (!executed.output?.includes('kube-system'))
        throw new Failure({
          what: `a command in ${id} gave no output`,
          found: executed.error ?? executed.status,
          next: './runbook 3.2',
        });
    }
    return `debug ${ids.join(', debug ')} answered; a command came back from each`;
  },
};

void runAlone(import.meta);
