/** The operator's tools, in versions that will do. Starting six tools takes as long as the whole look at a deployment. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Binary } from '../base/command.ts';
import type { Context } from '../context.ts';
import { firstLine, type Problem } from '../base/failure.ts';

interface Tool {
  binary: Binary;
  args: string[];
  /** Least version, and what in the output is the version. */
  least: [number, number];
  version: RegExp;
  remedy: string;
  /** It asks a daemon, which may be gone while the tool's file is not. */
  daemon?: true;
}

const TOOLS: Tool[] = [
  {
    binary: 'kubectl',
    args: ['version', '--client', '-o', 'json'],
    least: [1, 33],
    version: /"gitVersion": "v(\d{1,6})\.(\d{1,6})/,
    remedy: 'make tools installs the pinned one',
  },
  {
    binary: 'helm',
    args: ['version', '--short'],
    least: [4, 0],
    version: /v(\d{1,6})\.(\d{1,6})/,
    remedy: 'make tools installs the pinned one',
  },
  {
    binary: 'gcloud',
    args: ['version', '--format=value("Google Cloud SDK")'],
    least: [500, 0],
    version: /(\d{1,6})\.(\d{1,6})/,
    remedy: 'https://cloud.google.com/sdk/docs/install',
  },
  { binary: 'git', args: ['--version'], least: [2, 30], version: /(\d{1,6})\.(\d{1,6})/, remedy: 'install git' },
  {
    binary: 'docker',
    args: ['version', '--format', '{{.Server.Version}}'],
    least: [20, 10],
    version: /(\d{1,6})\.(\d{1,6})/,
    remedy: 'start Docker, or name its socket by DOCKER_HOST or its context by DOCKER_CONTEXT',
    daemon: true,
  },
  { binary: 'npm', args: ['--version'], least: [9, 0], version: /(\d{1,6})\.(\d{1,6})/, remedy: 'install npm' },
];

/** Behind a shim (asdf, pyenv) another version may come while the file stays. */
const KEPT_MS = 24 * 3_600_000;

/**
 * Tools that are missing, too old or do not answer. Those that will do are kept by their files, for a day.
 * @param tools `as kept`: a tool whose file is still the one that was asked is not asked again
 */
export async function toolProblems(ctx: Context, tools: 'asked' | 'as kept'): Promise<Problem[]> {
  const file = join(ctx.settings.folder, 'tools.json');
  const kept = tools === 'as kept' ? keptIn(file, ctx.clock.now()) : [];
  const open = TOOLS.map((tool) => ({ tool, stamp: stampOf(ctx, tool) })).filter(
    ({ stamp }) => stamp === undefined || !kept.includes(stamp),
  );
  const found = await Promise.all(open.map(({ tool }) => problems(ctx, tool)));
  const good = open.flatMap(({ stamp }, i) => (stamp !== undefined && found[i]?.length === 0 ? [stamp] : []));
  if (good.length > 0) {
    await mkdir(ctx.settings.folder, { recursive: true, mode: 0o700 });
    await writeFile(file, JSON.stringify([...kept, ...good]));
  }
  return found.flat();
}

async function problems({ run }: Context, { binary, args, least, version, remedy }: Tool): Promise<Problem[]> {
  try {
    const { stdout } = await run({ binary, args, mutates: false, timeoutMs: 30_000 });
    const [, major = '0', minor = '0'] = version.exec(stdout) ?? [];
    const enough = Number(major) > least[0] || (Number(major) === least[0] && Number(minor) >= least[1]);
    return enough
      ? []
      : [{ about: binary, message: `is version ${major}.${minor}, wanted at least ${least.join('.')}`, remedy }];
  } catch (error) {
    return [{ about: binary, message: `does not answer: ${firstLine(error)}`, remedy }];
  }
}

function keptIn(file: string, now: number): string[] {
  if (!existsSync(file) || now - statSync(file).mtimeMs > KEPT_MS) return [];
  return JSON.parse(readFileSync(file, 'utf8')) as string[];
}

/** What changes with the tool's file, or with what is wanted of it; undefined where it must always be asked. */
function stampOf({ settings }: Context, { binary, least, daemon }: Tool): string | undefined {
  const folders = (settings.childEnvironment['PATH'] ?? '').split(':');
  const path = folders.map((folder) => join(folder, binary)).find(existsSync);
  if (path === undefined || daemon) return undefined;
  const { ino, ctimeMs } = statSync(path);
  return [path, ino, ctimeMs, ...least].join(' ');
}
