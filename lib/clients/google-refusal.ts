/** Google's refusals, read by their reasons: which pass by themselves, which never do, and what a person does then. */
import { z } from 'zod';
import { Failure } from '../base/failure.ts';
import type { HttpAnswer } from '../base/http.ts';
import { parsedJson } from '../base/parsed-json.ts';
import { oneLine } from '../base/say.ts';

const RefusalShape = z.object({
  error: z.object({
    message: z.string().optional(),
    // Of DNS and Compute.
    errors: z.array(z.object({ reason: z.string().optional() })).optional(),
    // Of all APIs: https://cloud.google.com/apis/design/errors#error_info
    details: z
      .array(
        z.looseObject({
          reason: z.string().optional(),
          metadata: z.looseObject({ service: z.string().optional() }).optional(),
        }),
      )
      .optional(),
  }),
});

/** Compute says 403 where others say 429; the quota is of a minute. */
const RATE_REASONS: ReadonlySet<string> = new Set([
  'rateLimitExceeded',
  'userRateLimitExceeded',
  'RATE_LIMIT_EXCEEDED',
]);
const DISABLED_REASONS: ReadonlySet<string> = new Set(['SERVICE_DISABLED', 'accessNotConfigured']);
/** Google takes tokens that are minutes old or young. */
const CLOCK_MAY_DIFFER_MS = 240_000;

/** An answer of Google's other than 200 and 404. */
export class GoogleRefused extends Failure {
  override name = 'GoogleRefused';
  readonly status: number;

  constructor(status: number, parts: ConstructorParameters<typeof Failure>[0]) {
    super(parts);
    this.status = status;
  }
}

interface Said {
  message: string;
  reasons: string[];
  /** The API's host, where one is not enabled. */
  service: string | undefined;
}

/** Google's own words and reasons. */
function saidBy(answer: HttpAnswer): Said {
  const read = RefusalShape.safeParse(parsedJson(answer.body));
  if (!read.success) return { message: oneLine(answer.body, 300), reasons: [], service: undefined };
  const { message = '', errors = [], details = [] } = read.data.error;
  return {
    message: oneLine(message || answer.body, 600),
    reasons: [...errors, ...details].flatMap((e) => e.reason ?? []),
    service: details.find((d) => d.metadata?.service)?.metadata?.service,
  };
}

/** Google's words for its refusal, a line. */
export function googleWords(answer: HttpAnswer): string {
  return saidBy(answer).message;
}

/** True for a limit that fills up again by the minute. */
export function isRateLimit(answer: HttpAnswer): boolean {
  return (
    answer.status === 429 ||
    (answer.status === 403 && saidBy(answer).reasons.some((reason) => RATE_REASONS.has(reason)))
  );
}

/**
 * Why no waiting helps and what does: an API that is not enabled, a clock that is wrong; undefined where neither is it.
 * @param now this machine's time, in milliseconds
 */
export function lastingRefusal(
  answer: HttpAnswer,
  project: string,
  now: number,
): { reason: string; next: string } | undefined {
  const { reasons, service, message } = saidBy(answer);
  if (
    answer.status === 403 &&
    (reasons.some((r) => DISABLED_REASONS.has(r)) || /has not been used in project/.test(message))
  )
    return {
      reason: message,
      next: `gcloud services enable ${service ?? 'the API that is named'} --project=${project}, and rerun the same command some minutes later`,
    };
  const off = clockOff(answer, now);
  if ((answer.status === 400 || answer.status === 401) && off !== undefined)
    return {
      reason: `this machine's clock is ${off}, so that no token is valid (${message})`,
      next: 'set the clock (timedatectl set-ntp true), then rerun the same command',
    };
  return undefined;
}

/** "3 h 5 min ahead of Google's" by the answer's Date; undefined where the clocks agree. */
function clockOff({ headers }: HttpAnswer, now: number): string | undefined {
  const theirs = Date.parse(String(headers['date'] ?? ''));
  const off = now - theirs;
  if (Number.isNaN(off) || Math.abs(off) < CLOCK_MAY_DIFFER_MS) return undefined;
  const minutes = Math.round(Math.abs(off) / 60_000);
  const amount = minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${amount} ${off > 0 ? 'ahead of' : 'behind'} Google's`;
}

/** The refusal of a request. @param now this machine's time, in milliseconds */
export function refused(
  service: string,
  path: string,
  answer: HttpAnswer,
  { project, now }: { project: string; now: number },
  asked = 'the read of',
): GoogleRefused {
  const lasting = lastingRefusal(answer, project, now);
  const next =
    answer.status === 401
      ? 'gcloud auth login'
      : answer.status === 403
        ? `ask an owner of project ${project} for a role with the right that is named`
        : 'rerun the same command to resume';
  return new GoogleRefused(answer.status, {
    what: `Google's ${service} API refused ${asked} ${path.split('?')[0] ?? path} (HTTP ${answer.status})`,
    found: lasting?.reason ?? googleWords(answer),
    next: lasting?.next ?? next,
  });
}
