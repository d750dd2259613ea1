/** Gaps 5 to 9: who gets in, and what is told of it. */
import { z } from 'zod';
import { ageText, DAY_MS } from '../../base/clock.ts';
import { firstLine } from '../../base/failure.ts';
import { STEP } from '../../base/plan-steps.ts';
import { INGRESS_NAMESPACE } from '../../deployment/cluster/infrastructure.ts';
import { secretAges } from './ages.ts';
import { closed, NOT_HERE_YET, open, type Found, type Line, type Seen } from './line.ts';
import { byRecord } from './recorded.ts';

/** A secret lives no longer. */
const SECRET_DAYS = 90;
const PROOF_DAYS = 90;

/** What any WAF refuses: markup, SQL, a path out of the tree. */
const ATTACKS = ["<script>alert('x')</script>", "1' UNION SELECT password FROM users--", '../../../../etc/passwd'];

async function wafRefuses(seen: Seen): Promise<Found> {
  const health = `https://${seen.ctx.settings.host}/health`;
  const [plain, ...attacked] = await Promise.all(
    [health, ...ATTACKS.map((a) => `${health}?probe=${encodeURIComponent(a)}`)].map((url) => seen.ctx.http({ url })),
  );
  const refused = attacked.filter((a) => a.status === 403).length;
  const says = `${refused} of ${ATTACKS.length} plain attacks on ${health} are refused, a legitimate call answers HTTP ${plain?.status ?? 0}`;
  return refused === ATTACKS.length && plain?.status === 200 ? closed(seen, says) : open(seen, says, NOT_HERE_YET);
}

const annotated = z.object({ metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }) });
const service = z.object({ spec: z.object({ loadBalancerSourceRanges: z.array(z.string()).default([]) }) });
const ALLOWED = /\/(whitelist|allowlist)-source-range$/;

async function addressesAreListed(seen: Seen): Promise<Found> {
  const { ctx } = seen;
  const [ingresses, services] = await Promise.all([
    ctx.kube(ctx.settings.gke).list('Ingress.networking.k8s.io'),
    ctx.inGke(INGRESS_NAMESPACE).list('Service'),
  ]);
  const ranges = [
    ...ingresses.flatMap((o) =>
      Object.entries(annotated.parse(o).metadata.annotations).flatMap(([name, value]) =>
        ALLOWED.test(name) ? value.split(',') : [],
      ),
    ),
    ...services.flatMap((o) => service.parse(o).spec.loadBalancerSourceRanges),
  ].map((r) => r.trim());
  if (ranges.length === 0 || ranges.some((r) => r.endsWith('/0')))
    return open(seen, 'every address may ask: no source range is set on ingress or balancer', NOT_HERE_YET);
  return byRecord(seen, {
    event: 'allow-list',
    days: PROOF_DAYS,
    never: `source ranges are set (${ranges.join(', ')}), but nobody was seen to be refused`,
    next: NOT_HERE_YET,
  });
}

/** Every secret younger than its limit, each that can be rotated by a rotation that was proven. */
async function secretsAreRotated(seen: Seen): Promise<Found> {
  const now = seen.ctx.clock.now();
  const ages = await secretAges(seen);
  const missing = ages.filter((a) => a.since === undefined);
  const all = ages
    .map((a) => `${a.name} ${a.since === undefined ? 'is in no Secret' : ageText(now - a.since)}`)
    .join(', ');
  if (missing.length > 0) return open(seen, all, 'make deploy');
  const over = ages.filter((a) => now - (a.since ?? 0) > SECRET_DAYS * DAY_MS);
  const [first] = over;
  if (first) {
    const what = first.subject ?? undefined;
    const next = what
      ? `make rotate WHAT=${over.length > 1 ? 'all' : what}`
      : `a new key from the provider into the settings, then ./runbook ${STEP.secrets} && ./runbook ${STEP.release}`;
    return open(seen, `older than ${SECRET_DAYS} days: ${over.map((a) => a.name).join(', ')} (${all})`, next);
  }
  const never = ages.filter((a) => a.subject !== undefined && a.rotatedAt === undefined);
  return never.length > 0
    ? open(
        seen,
        `never rotated from here: ${never.map((a) => a.name).join(', ')} (at least: ${all})`,
        'make rotate WHAT=all',
      )
    : closed(seen, `all rotated within ${SECRET_DAYS} days: ${all}`);
}

function auditIsKept(seen: Seen): Promise<Found> {
  return Promise.resolve(
    byRecord(seen, {
      event: 'audit',
      days: PROOF_DAYS,
      never: 'no command was seen again in a log outside the cluster',
      next: NOT_HERE_YET,
    }),
  );
}

/** Closed by a client without certificate that was refused; the public host is asked for what it does now. */
async function partsShowCertificates(seen: Seen): Promise<Found> {
  const { host } = seen.ctx.settings;
  const answer = await seen.ctx.http({ url: `https://${host}/executor/stream`, timeoutMs: 5000 }).then(
    ({ status }) => `HTTP ${status}: a token alone is asked for`,
    (error: unknown) => firstLine(error),
  );
  return byRecord(seen, {
    event: 'mtls',
    days: PROOF_DAYS,
    never: `an executor without a certificate gets from ${host}: ${answer}`,
    next: NOT_HERE_YET,
  });
}

export const SECURITY: readonly Line[] = [
  { id: '5', title: 'No WAF (Cloud Armor)', look: wafRefuses },
  { id: '6', title: 'No IP allowlisting', look: addressesAreListed },
  { id: '7', title: 'Token rotation not automated', look: secretsAreRotated },
  { id: '8', title: 'No audit logging', look: auditIsKept },
  { id: '9', title: 'No mTLS between components', look: partsShowCertificates },
];
