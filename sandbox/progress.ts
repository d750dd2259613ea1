/** Progress lines of the sandbox: one when a part is done, one each 30 s while it is not. */

const began = Date.now();
const since = (start: number) => `${((Date.now() - start) / 1000).toFixed(1)} s`;

/** Prints a line with the time since the start of the program. */
export function say(text: string): void {
  process.stdout.write(`${since(began).padStart(8)}  ${text}\n`);
}

/** Runs one part of the work and prints its name, what it found or made, and how long it took. */
export async function part<T>(name: string, work: () => Promise<T>, describe?: (result: T) => string): Promise<T> {
  const start = Date.now();
  const heartbeat = setInterval(() => {
    say(`${name} … ${since(start)}`);
  }, 30_000);
  try {
    const result = await work();
    say(`${name}${describe === undefined ? '' : `: ${describe(result)}`} (${since(start)})`);
    return result;
  } catch (error) {
    say(`${name}: FAILED (${since(start)})`);
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    clearInterval(heartbeat);
  }
}
