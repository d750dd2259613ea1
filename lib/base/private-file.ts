/** Files that hold secrets: nobody else may read them, they are written whole, and by one writer at a time. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { codeOf, Failure } from './failure.ts';
import { lifeOf, thisOwner } from './owner.ts';
import { parsedJson } from './parsed-json.ts';
import { oneLine } from './say.ts';

const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;
/** A write takes milliseconds. */
const LONGEST_MS = 30_000;
const AGAIN_MS = 20;
/** Of a writer on another machine, or before the last boot, only this tells. */
const STALE_MS = 60_000;

/** Who may do what with the file beside its owner, as `mode 0644`; undefined where nobody may, or there is no file. */
export function openToOthers(path: string, how: 'read' | 'write' = 'read'): string | undefined {
  const mode = (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
  return mode & (how === 'read' ? OTHERS : OTHERS_WRITE) ? `mode 0${mode.toString(8)}` : undefined;
}

/** Makes the folder, and keeps others out of it where it was made without that. */
export function makePrivateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (openToOthers(path)) chmodSync(path, 0o700);
}

/**
 * Writes the file whole or not at all, 0600: under a name that nobody can have prepared, which then takes the place of
 * the file; of a symbolic link itself, not of what it leads to.
 */
export async function writePrivately(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = freshName(path);
  try {
    // Exclusive: an existing file or link of that name is an error.
    const handle = await open(fresh, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/**
 * Does the work while no other process, or other part of this one, does its own for the same file.
 * @throws Failure where another one does not end within 30 s
 */
export async function aloneWith<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const until = Date.now() + LONGEST_MS;
  while (!(await taken(lock))) {
    await takeAwayIfDead(lock);
    if (Date.now() >= until) {
      const found = `${lock}: ${oneLine((await textOf(lock)) ?? '', 200)}`;
      const next = `look whether it still runs; if it does not: rm ${lock}`;
      throw new Failure({ what: `another run is writing ${path}`, found, next });
    }
    await delay(AGAIN_MS);
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

function freshName(path: string): string {
  return `${path}.${randomBytes(8).toString('hex')}`;
}

/** The lock comes into being with its owner in it: a link is made only where nothing is. */
async function taken(lock: string): Promise<boolean> {
  const own = freshName(lock);
  await writePrivately(own, JSON.stringify(thisOwner()));
  try {
    await link(own, lock);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

const ownerShape = z.object({
  user: z.string(),
  host: z.string(),
  pid: z.number(),
  run: z.string(),
  place: z.string(),
  started: z.string(),
});

async function takeAwayIfDead(lock: string): Promise<void> {
  const text = await textOf(lock);
  if (text === undefined || !(await isDead(lock, text))) return;
  const aside = freshName(lock);
  try {
    await rename(lock, aside);
    // Another one may have taken it away and made its own meanwhile: that goes back.
    if ((await textOf(aside)) !== text) await link(aside, lock);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

async function isDead(lock: string, text: string): Promise<boolean> {
  const owner = ownerShape.safeParse(parsedJson(text));
  const life = owner.success ? lifeOf(owner.data) : 'elsewhere';
  if (life !== 'elsewhere') return life === 'dead';
  const since = await stat(lock).catch(() => undefined);
  return since !== undefined && Date.now() - since.mtimeMs > STALE_MS;
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
