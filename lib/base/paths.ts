/** Where the runbook's own files lie. */
import { join } from 'node:path';

/** The runbook's checkout. */
export const ROOT = join(import.meta.dirname, '..', '..');

/** Folder of what the runbook writes beside its checkout; git-ignored. */
export const RUNBOOK_FOLDER = join(ROOT, '.runbook');
