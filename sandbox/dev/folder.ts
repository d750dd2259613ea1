/** What local development is made of: its folder and its names. */
import { resolve } from 'node:path';

/** Certificates, credentials and the images' context; not in git. */
export const FOLDER = resolve(import.meta.dirname, '../../.runbook/dev');
export const COMPOSE_FILE = resolve(import.meta.dirname, 'compose.yaml');
/** On 127.0.0.1; DEV_PORT names another (sandbox/dev/port.ts looks at it). */
export const PORT = process.env['DEV_PORT'] ?? '8443';
/** One for each port, so that two can run side by side. */
export const PROJECT = `kubently-dev-${PORT}`;
export const CLUSTER = 'local';
