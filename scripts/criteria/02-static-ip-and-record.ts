/** The address is reserved, and the A record is that address. */
import type { Criterion } from '../../lib/runner/criterion.ts';
import { proven } from '../../lib/step.ts';
import { Failure } from '../../lib/base/failure.ts';
import { step } from '../1.0-static-ip-and-dns.ts';
import { runAlone } from '../entry.ts';

export const criterion: Criterion = {
  number: 2,
  title: 'Static IP reserved and DNS A record created automatically',
  async prove(ctx) {
    const found = await step.check(ctx);
    if (found.state !== 'done') throw new Failure({ what: found.reason, next: './runbook 1.0' });
    return proven(`${found.reason}; ${await step.verify(ctx)}`);
  },
};

void runAlone(import.meta);
