/** OUT is checked before work begins: a place that cannot be written is bad input. */
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { BadInput } from './failure.ts';

/** The file to write. @throws BadInput where it is a folder or a device, or its folder is missing or cannot be written */
export function outFile(path: string): string {
  const file = place(path);
  if (existsSync(file) && !statSync(file).isFile())
    throw bad(file, statSync(file).isDirectory() ? 'is a folder' : 'is no plain file', 'name a file: OUT=file');
  if (!existsSync(dirname(file))) throw bad(dirname(file), 'does not exist', `mkdir -p ${dirname(file)}`);
  if (!statSync(dirname(file)).isDirectory()) throw bad(dirname(file), 'is no folder', 'name a file in a folder');
  writable(existsSync(file) ? file : dirname(file));
  writable(dirname(file));
  return file;
}

/**
 * The folder to write into; it may be missing.
 * @param example the command that names one
 * @throws BadInput where none is given, or it cannot be made or written
 */
export function outFolder(path: string | undefined, example: string): string {
  if (!path) throw new BadInput([{ about: 'OUT', message: 'is not given', remedy: `name a folder: ${example}` }]);
  const folder = place(path);
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  if (!statSync(there).isDirectory()) throw bad(there, 'is no folder', 'name a folder: OUT=folder');
  writable(there);
  return folder;
}

function place(path: string): string {
  if (path === '') throw bad('OUT', 'is empty', 'name a place: OUT=…');
  const full = resolve(path);
  let there = full;
  while (!existsSync(there)) there = dirname(there);
  // The kernel's own file systems take no files, and root may "write" there.
  if (/^\/(proc|sys|dev)(\/|$)/.test(`${realpathSync(there)}/`) && !/^\/dev\/shm(\/|$)/.test(realpathSync(there)))
    throw bad(full, 'lies among devices or in the kernel’s own file systems', 'name a place on a disk');
  return full;
}

function writable(path: string): void {
  try {
    accessSync(path, constants.W_OK);
  } catch {
    throw bad(path, 'cannot be written', 'name a place that this user may write to');
  }
}

function bad(what: string, message: string, remedy: string): BadInput {
  return new BadInput([{ about: 'OUT', message: what === 'OUT' ? message : `${what} ${message}`, remedy }]);
}
