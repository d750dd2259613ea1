/** Log lines of both processes on stdout; LOG_LEVEL decides which. */
const LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const;
type Level = (typeof LEVELS)[number];

const wanted = LEVELS.indexOf((process.env['LOG_LEVEL'] ?? 'INFO').toUpperCase() as Level);
const threshold = wanted === -1 ? LEVELS.indexOf('INFO') : wanted;

function write(level: Level, message: string): void {
  if (LEVELS.indexOf(level) < threshold) return;
  process.stdout.write(`${new Date().toISOString()} - ${level} - ${message}\n`);
}

/** Writes one line at the given level; never pass a key or token. */
export const log = {
  debug: (message: string) => write('DEBUG', message),
  info: (message: string) => write('INFO', message),
  warning: (message: string) => write('WARNING', message),
  error: (message: string) => write('ERROR', message),
};

/** The words of an error, with its cause (fetch hides the reason there). */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message === '' ? error.name : error.message;
  return error.cause instanceof Error ? `${text}: ${error.cause.message || error.cause.name}` : text;
}
