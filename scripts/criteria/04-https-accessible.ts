/** HTTPS answers by current TLS alone and with the security headers; http only redirects to it. */
import { kubentlyApi } from '../../lib/deployment/kubently/api.ts';
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { EXISTING_CONTROLLER_REMEDY, edgeGaps, redirectsToHttps } from '../../lib/deployment/certificates/edge.ts';
import { Failure } from '../../lib/base/failure.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 4,
  title: 'HTTPS endpoint accessible',
  async prove(ctx) {
    const { host } = ctx.settings;
    const [health, plain] = await Promise.all([kubentlyApi(ctx).health(), ctx.http({ url: `http://${host}/health` })]);
    if (health.status !== 200)
      throw new Failure({ what: `https://${host}/health answers HTTP ${health.status}`, next: './runbook 4.1' });
    if (!redirectsToHttps(plain))
      throw new Failure({
        what: `http://${host} is not redirected`,
        found: `HTTP ${plain.status}`,
        next: './runbook 2.6',
      });
    const gaps = await edgeGaps(ctx, health);
    if (gaps.length > 0 && ctx.settings.ingressController === 'existing')
      return { state: 'unproven', reason: `HTTPS answers, but ${gaps.join('; ')}: ${EXISTING_CONTROLLER_REMEDY}` };
    if (gaps.length > 0)
      throw new Failure({
        what: `https://${host} is less strict than configured`,
        found: gaps.join('\n'),
        next: './runbook 1.3',
      });
    return proven(
      `https://${host}/health answers 200 healthy, with HSTS and by TLS 1.2 or newer alone; http answers ${plain.status} to ${String(plain.headers['location'])}`,
    );
  },
};

void runAlone(import.meta);
