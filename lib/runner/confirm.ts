/** Asks once before something is taken away. */
import { createInterface } from 'node:readline/promises';
import { BadInput } from '../base/failure.ts';

/**
 * Returns when the operator typed "yes", or YES=1 was given.
 * @param yes the flag's value, undefined where it was not given
 * @throws BadInput when nobody can be asked, or the answer is another
 */
export async function confirm(question: string, yes: string | undefined): Promise<void> {
  if (yes === '1' || yes === 'yes' || yes === 'true') return;
  const refuse = (message: string): BadInput =>
    new BadInput([{ about: 'YES', message, remedy: 'read the list above, then: YES=1' }]);
  if (!process.stdin.isTTY) throw refuse('is not given, and there is no terminal to ask at');
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await lines.question(`${question} Type yes: `);
    if (answer.trim() !== 'yes') throw refuse(`the answer was "${answer.trim()}"`);
  } finally {
    lines.close();
  }
}
