/** HTTPS answers, http only redirects to it. */
import { kubentlyApi } from '../../lib/api.ts';
import { proven, type Criterion } from '../../lib/criterion.ts';
import { Failure } from '../../lib/failure.ts';

export const criterion: Criterion = {
  number: 4,
  title: 'HTTPS endpoint accessible',
  async prove(ctx) {
    const { host } = ctx.settings;
    const [health, plain] = await Promise.all([kubentlyApi(ctx).health(), ctx.http({ url: `http://${host}/health` })]);
    if (health.status !== 200)
      throw new Failure({ what: `https://${host}/health answers HTTP ${health.status}`, next: './runbook 4.1' });
    const location = String(plain.headers['location']);
    if (plain.status < 301 || plain.status > 308 || !location.startsWith('https://'))
      throw new Failure({
        what: `http://${host} is not redirected`,
        found: `HTTP ${plain.status}`,
        next: './runbook 2.6',
      });
    return proven(`https://${host}/health answers 200 healthy; http answers ${plain.status} to ${location}`);
  },
};
