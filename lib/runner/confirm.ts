/** Asks once before something is taken away. */
import { createInterface } from 'node:readline/promises';
import { BadInput } from '../base/failure.ts';
import { printable, say } from '../base/say.ts';
import { STATUS } from '../base/exit-status.ts';
import { aborted, processStop, Stopped } from './stop.ts';

/** The operator did not say yes. */
export class Declined extends Stopped {
  override name = 'Declined';

  constructor(status: number) {
    super({ what: 'Cancelled; nothing was changed.' }, status);
  }
}

/** Where the question is asked. */
export interface Terminal {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream;
}

/**
 * Returns when the operator typed "yes", or YES=1 was given.
 * @param yes the flag's value, undefined where it was not given
 * @throws BadInput when nobody can be asked, Declined at any other answer, Ctrl-D (status 2) or Ctrl-C (status 130)
 */
export async function confirm(question: string, yes: string | undefined, at: Terminal = process): Promise<void> {
  if (yes === '1' || yes === 'yes' || yes === 'true') return;
  if (!at.stdin.isTTY)
    throw new BadInput([
      {
        about: 'YES',
        message: 'is not given, and there is no terminal to ask at',
        remedy: 'read the list above, then: YES=1',
      },
    ]);
  const lines = createInterface({ input: at.stdin, output: at.stdout, terminal: true });
  try {
    // A closed input would leave the question open, and the process would end as if all were done.
    const ended = new Promise<never>((_, reject) => {
      lines.once('SIGINT', () => reject(new Declined(130)));
      lines.once('close', () => reject(new Declined(STATUS.badInput)));
    });
    const answer = await Promise.race([
      lines.question(`${printable(question)} Type yes: `),
      ended,
      aborted(processStop.signal),
    ]).catch((error: unknown) => {
      say('', at.stdout);
      throw error;
    });
    if (answer.trim() !== 'yes') throw new Declined(STATUS.badInput);
  } finally {
    lines.close();
  }
}
