/** What programs read from standard output (docs/json.md). */
import { printable, say } from './say.ts';

/** Raised when a field goes, or changes what it means; a new field does not raise it. */
const SCHEMA_VERSION = 1;

/** The document's text, scrubbed of every known secret. */
function jsonDocument(kind: string, body: object): string {
  return printable(JSON.stringify({ schemaVersion: SCHEMA_VERSION, kind, ...body }, null, 2));
}

/** Prints one document on standard output. */
export function printJson(kind: string, body: object): void {
  say(jsonDocument(kind, body));
}
