/** A file that the operator names is looked at before work begins: what cannot be read is bad input. */
import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { BadInput } from './failure.ts';

/** What is wrong with the file, as the end of a sentence about it; undefined where it can be read. */
export function fileFault(path: string): string | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return 'does not exist';
    if (found.isDirectory()) return 'is a folder';
    // A device or a pipe may never end.
    if (!found.isFile()) return 'is no plain file';
    accessSync(path, constants.R_OK);
    return undefined;
  } catch {
    return 'cannot be read by this user';
  }
}

/**
 * The absolute path of a file that can be read.
 * @param about the variable or setting that names it
 * @throws BadInput where it is not given, missing, no plain file, or closed to this user
 */
export function inputFile(about: string, path: string | undefined, remedy: string): string {
  const bad = (message: string): BadInput => new BadInput([{ about, message, remedy }]);
  if (path === undefined) throw bad('is not given');
  if (path === '') throw bad('is empty');
  const file = resolve(path);
  const fault = fileFault(file);
  if (fault !== undefined) throw bad(`${file} ${fault}`);
  return file;
}
