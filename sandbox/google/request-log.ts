/** The emulator's log of requests: one JSON object a line, without bodies and secrets. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface LoggedRequest {
  /** ISO 8601. */
  time: string;
  method: string;
  path: string;
  status: number;
  /** Whether requests of this kind change something; it did so if the status is below 400. */
  mutating: boolean;
  /** gcloud's command or the first word of the user agent. */
  client: string;
}

/** gcloud's command name ("gcloud.dns.record-sets.create"), else the user agent's first word. */
export function clientOf(userAgent: string | undefined): string {
  const command = /\bcommand\/(\S+)/.exec(userAgent ?? '')?.[1];
  return command ?? userAgent?.split(' ')[0] ?? '';
}

/** Adds a line to the log. */
export function append(file: string, request: LoggedRequest): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  appendFileSync(file, `${JSON.stringify(request)}\n`);
}

/** The logged requests from the time `since` (ISO 8601) on, all without it; oldest first. */
export function read(file: string, since = ''): LoggedRequest[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as LoggedRequest).filter(({ time }) => time >= since);
}
