/** What a rehearsal can set while the emulator runs: delays of propagation, and faults. */
import { z } from 'zod';
import { GoogleError } from './error.ts';
import { LONGEST_DELAY_SECONDS } from './propagation.ts';

const seconds = z.number().min(0).max(LONGEST_DELAY_SECONDS);

function isPattern(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

const Fault = z.strictObject({
  /** All methods when absent. */
  method: z.string().optional(),
  /** Regular expression on the path; every path when absent. */
  path: z.string().refine(isPattern, 'not a regular expression').optional(),
  /** Answer with this status; absent: only the latency. */
  status: z.number().int().min(400).max(599).optional(),
  /** Only after the request has had its effect: an answer that is lost on its way. */
  late: z.boolean().optional(),
  latencyMs: z.number().int().min(0).max(120_000).optional(),
  /** How many requests it hits before it is used up; absent: until it is removed. */
  count: z.number().int().min(0).optional(),
});

/** The body of POST /_sandbox/settings; what is absent stays as it is. */
export const SettingsChange = z.strictObject({
  delays: z
    .strictObject({
      /** A new service account is visible after this many seconds. */
      serviceAccount: seconds.optional(),
      /** A changed project policy has its effect after this many seconds. */
      iam: seconds.optional(),
      /** A changed record is served by the name servers after this many seconds. */
      dns: seconds.optional(),
      /** A compute operation is DONE after this many seconds. */
      operation: seconds.optional(),
    })
    .optional(),
  faults: z.array(Fault).optional(),
});

export interface Settings {
  delays: { serviceAccount: number; iam: number; dns: number; operation: number };
  faults: z.infer<typeof Fault>[];
}

/** Short delays, so that code which expects to read its own writes at once is caught in every rehearsal. */
export function defaultSettings(): Settings {
  return { delays: { serviceAccount: 1, iam: 2, dns: 1, operation: 0.2 }, faults: [] };
}

/** `settings` with the change applied in place. */
export function change(settings: Settings, wanted: z.infer<typeof SettingsChange>): Settings {
  for (const name of ['serviceAccount', 'iam', 'dns', 'operation'] as const) {
    settings.delays[name] = wanted.delays?.[name] ?? settings.delays[name];
  }
  settings.faults = wanted.faults ?? settings.faults;
  return settings;
}

/** Google's own words; gcloud tells those of compute without the status. */
const WORDS: Record<number, string> = {
  429: "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of the rehearsal.",
  500: 'Internal error encountered.',
  503: 'The service is currently unavailable.',
};

/** Waits out the latency and throws the error of the first fault that fits the request, and counts it down. */
export async function suffer(settings: Settings, method: string, path: string, late: boolean): Promise<void> {
  const fault = settings.faults.find(
    (candidate) =>
      candidate.count !== 0 &&
      (candidate.late ?? false) === late &&
      (candidate.method ?? method) === method &&
      new RegExp(candidate.path ?? '').test(path),
  );
  if (fault === undefined) return;
  if (fault.count !== undefined) fault.count -= 1;
  if (fault.latencyMs !== undefined) await new Promise((wake) => setTimeout(wake, fault.latencyMs));
  if (fault.status !== undefined)
    throw new GoogleError(fault.status, WORDS[fault.status] ?? 'Fault set in the rehearsal.');
}
