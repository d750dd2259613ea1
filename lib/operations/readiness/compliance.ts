/** Gaps 15 to 17: what runs is known to be free of known faults, and who says so. */
import { count } from '../../base/failure.ts';
import { NOT_HERE_YET, open, type Found, type Line, type Seen } from './line.ts';
import { runningDigests } from './pods.ts';
import { byRecord } from './recorded.ts';

const SCAN_DAYS = 7;
const TRIAGE_DAYS = 30;

/** Every digest that runs now was scanned, lately. */
export function runningIsScanned(seen: Seen): Promise<Found> {
  return ofRunning(seen, 'scan', SCAN_DAYS, 'were scanned');
}

/** Of every digest that runs now each finding was judged. */
function findingsAreTriaged(seen: Seen): Promise<Found> {
  return ofRunning(seen, 'triage', TRIAGE_DAYS, 'had their findings judged');
}

async function ofRunning(seen: Seen, event: string, days: number, done: string): Promise<Found> {
  const digests = await runningDigests(seen.ctx);
  if (digests.length === 0) return open(seen, 'no pod runs of which a digest could be looked up', 'make deploy');
  return byRecord(seen, {
    event,
    days,
    holds: ({ says }) => {
      const others = digests.filter((d) => !says.includes(d));
      return others.length > 0
        ? `${others.length} of the ${count(digests.length, 'running digest')} came after it: ${others.join(', ')}`
        : undefined;
    },
    never: `none of the ${count(digests.length, 'running digest')} ${done}`,
    next: NOT_HERE_YET,
  });
}

function controlsAreAudited({ ctx }: Seen): Promise<Found> {
  return Promise.resolve({
    state: 'cannot',
    because:
      'SOC 2 and its like are an auditor’s word on an organisation, its people and its months of records, not a state of a deployment',
    at: ctx.clock.now(),
    next: 'make report: what an auditor may ask of the deployment itself',
  });
}

export const COMPLIANCE: readonly Line[] = [
  { id: '15', title: 'No security scanning', look: runningIsScanned },
  { id: '16', title: 'No vulnerability management', look: findingsAreTriaged },
  { id: '17', title: 'No compliance controls (SOC2, etc.)', look: controlsAreAudited },
];
