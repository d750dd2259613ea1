/** The plan's success criteria, in its order. */
import type { Criterion } from '../../lib/runner/criterion.ts';
import { criterion as c1 } from './01-zone-delegated.ts';
import { criterion as c2 } from './02-static-ip-and-record.ts';
import { criterion as c3 } from './03-certificate-by-dns01.ts';
import { criterion as c4 } from './04-https-accessible.ts';
import { criterion as c5 } from './05-redis-authentication.ts';
import { criterion as c6 } from './06-secrets-in-secrets.ts';
import { criterion as c7 } from './07-immutable-images.ts';
import { criterion as c8 } from './08-debug-off.ts';
import { criterion as c9 } from './09-executors-connected.ts';
import { criterion as c10 } from './10-cli-queries-clusters.ts';
import { criterion as c11 } from './11-a2a-over-https.ts';
import { criterion as c12 } from './12-network-policies.ts';
import { criterion as c13 } from './13-dns-automated.ts';

export const CRITERIA: readonly Criterion[] = [c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13];
