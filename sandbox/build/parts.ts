/** Cached parts: each is made once per hash of what determines it, and appears whole or not at all. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { basename, join } from 'node:path';
import { part } from '../progress.ts';
import { CACHE } from '../world.ts';

/** Names of folders being made: `.making-PID-…`, so that those of dead processes can be told. */
const MAKING = '.making-';
const UNUSED_DAYS = 30;

/** What determines a part: plain texts, and files and folders, taken by content. */
export interface Inputs {
  texts?: string[];
  files?: string[];
}

/** Hash of the inputs, 16 hex digits. */
export function digest({ texts = [], files = [] }: Inputs): string {
  const hash = createHash('sha256');
  const add = (path: string): void => {
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) add(join(path, name));
    } else {
      hash
        .update(`${basename(path)}\0`)
        .update(readFileSync(path))
        .update('\0');
    }
  };
  for (const text of texts) hash.update(`${text}\0`);
  for (const file of files) {
    // A cached part is named by its own hash already: its path stands for its contents.
    if (file.startsWith(CACHE)) hash.update(`${file.slice(CACHE.length)}\0`);
    else add(file);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Removes what interrupted builds left, and parts that no build has asked for in 30 days. */
export function sweep(): void {
  for (const name of existsSync(CACHE) ? readdirSync(CACHE) : []) {
    const folder = join(CACHE, name);
    const pid = name.startsWith(MAKING) ? name.slice(MAKING.length).split('-')[0] : undefined;
    const left = pid !== undefined && !existsSync(`/proc/${pid}`);
    const unused = /-[0-9a-f]{16}$/.test(name) && Date.now() - statSync(folder).mtimeMs > UNUSED_DAYS * 86_400_000;
    if (left || unused) rmSync(folder, { recursive: true, force: true });
  }
}

/** Parts that this process is making, by folder: whoever asks meanwhile waits for the same work. */
const underway = new Map<string, Promise<string>>();

/**
 * Returns the folder CACHE/name-hash, made by `make` in a temporary folder if it is not there yet. Two processes may
 * make the same part at once: the first to finish wins. Throws what `make` throws.
 */
export async function cached(name: string, inputs: Inputs, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(CACHE, `${name}-${digest(inputs)}`);
  if (existsSync(folder)) {
    utimesSync(folder, new Date(), new Date());
    return folder;
  }
  const work = underway.get(folder) ?? makePart(name, folder, make).finally(() => underway.delete(folder));
  underway.set(folder, work);
  return work;
}

async function makePart(name: string, folder: string, make: (folder: string) => Promise<void>): Promise<string> {
  const making = join(CACHE, `${MAKING}${process.pid}-${basename(folder)}`);
  mkdirSync(making, { recursive: true });
  try {
    await part(`build ${name}`, () => make(making));
    if (!existsSync(folder)) renameSync(making, folder);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return folder;
}
