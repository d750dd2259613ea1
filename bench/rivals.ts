/** What an operator would use instead: gcloud, the plan as a bash script, an Ansible playbook. Their files lie beside this one. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { ROOT, timed, type Timed } from './measure.ts';

const HERE = import.meta.dirname;
/** The wheel that carries the collection kubernetes.core 6.2.0. */
const COLLECTIONS = 'ansible==12.2.0';

export type World = Readonly<Record<string, string>>;

/** The settings file that the bench runs with. */
export function settingsFile(): string {
  return process.env['ENV_FILE'] ?? join(ROOT, 'sandbox', '.env');
}

/** What the file says. */
export function world(file = settingsFile()): World {
  return parse(readFileSync(file, 'utf8'));
}

/** The environment in which rivals find tools, clusters and Google. */
export function rivalEnvironment(of: World): Record<string, string> {
  const passed = Object.entries(of).filter(([name]) => /^(CLOUDSDK_|KUBECONFIG$|DOCKER_)/.test(name));
  return {
    ...Object.fromEntries(passed),
    PATH: `${join(ROOT, '.tools', 'bin')}:${join(ROOT, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}`,
  };
}

/** Runs a rival with names resolved as the runbook resolves them: curl and Ansible know no DNS_SERVER. */
export function rival(of: World, argv: readonly string[]): Promise<Timed> {
  const resolver = of['DNS_SERVER'];
  if (!resolver) return timed(argv, rivalEnvironment(of));
  const folder = mkdtempSync(join(tmpdir(), 'kubently-bench-'));
  const file = join(folder, 'resolv.conf');
  writeFileSync(file, `nameserver ${resolver}\n`);
  const bound = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', file, ...argv];
  return timed(bound, rivalEnvironment(of)).finally(() => rmSync(folder, { recursive: true, force: true }));
}

/** (a) of the issue: one gcloud describe. */
export function gcloudDescribe(of: World): Promise<Timed> {
  const { STATIC_IP_NAME = '', GCP_REGION = '', GCP_PROJECT = '' } = of;
  return rival(of, [
    'gcloud',
    'compute',
    'addresses',
    'describe',
    STATIC_IP_NAME,
    `--region=${GCP_REGION}`,
    `--project=${GCP_PROJECT}`,
  ]);
}

/** A bash rival of bench/serial. */
export function bash(script: 'check' | 'deploy' | 'remove', file: string, ...more: string[]): Promise<Timed> {
  return rival(world(file), ['bash', join(HERE, 'serial', `${script}.sh`), file, ...more]);
}

/** The playbook on what the settings say. @param check with --check: nothing is changed */
export async function ansible(file: string, values: string, check: boolean): Promise<Timed> {
  const home = installAnsible();
  const of = world(file);
  const folder = mkdtempSync(join(tmpdir(), 'kubently-bench-'));
  try {
    const tokens = parse(readFileSync(of['TOKENS_FILE'] ?? '', 'utf8'));
    const lower = Object.fromEntries(Object.entries(of).map(([k, v]) => [k.toLowerCase(), v]));
    const own = {
      api_key: tokens['API_KEY'],
      redis_password: tokens['REDIS_PASSWORD'],
      gke_token: tokens['GKE_EXECUTOR_TOKEN'],
      remote_token: tokens['KIND_REMOTE_EXECUTOR_TOKEN'],
    };
    const vars = join(folder, 'vars.json');
    writeFileSync(vars, JSON.stringify({ ...lower, ...own, values, here: join(HERE, 'ansible') }), { mode: 0o600 });
    const python = join(home, 'bin', 'python3');
    const argv = [
      join(home, 'bin', 'ansible-playbook'),
      '-i',
      'localhost,',
      join(HERE, 'ansible', 'playbook.yaml'),
      '-e',
      `@${vars}`,
      '-e',
      `ansible_python_interpreter=${python}`,
    ];
    const env = [
      'env',
      `ANSIBLE_COLLECTIONS_PATH=${join(home, 'collections')}`,
      'ANSIBLE_NOCOLOR=1',
      'ANSIBLE_LOCALHOST_WARNING=0',
    ];
    return await rival(of, [...env, ...argv, ...(check ? ['--check'] : [])]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** ansible-core and kubernetes.core in a folder of their own, named by the pins. @returns its path */
export function installAnsible(): string {
  const requirements = join(HERE, 'ansible', 'requirements.txt');
  const key = createHash('sha256').update(readFileSync(requirements)).update(COLLECTIONS).digest('hex').slice(0, 12);
  const home = join(homedir(), '.cache', 'kubently-bench', `ansible-${key}`);
  if (existsSync(join(home, 'complete'))) return home;
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const run = (command: string, ...args: string[]): void => void execFileSync(command, args, { stdio: 'inherit' });
  run('python3', '-m', 'venv', home);
  const pip = join(home, 'bin', 'pip');
  run(pip, 'install', '--quiet', '--requirement', requirements);
  run(pip, 'download', '--quiet', '--no-deps', '--dest', home, COLLECTIONS);
  const wheel = readdirSync(home).find((f) => f.endsWith('.whl')) ?? '';
  // Of the wheel's 100 collections the playbook needs one.
  const unpack =
    'import sys,zipfile;z=zipfile.ZipFile(sys.argv[1]);[z.extract(n,sys.argv[2]) for n in z.namelist() if n.startswith("ansible_collections/kubernetes/")]';
  run('python3', '-c', unpack, join(home, wheel), join(home, 'fresh'));
  renameSync(join(home, 'fresh'), join(home, 'collections'));
  rmSync(join(home, wheel));
  writeFileSync(join(home, 'complete'), '');
  return home;
}

/** The values that rivals install with, as `make render` writes them; rendering is not part of their time. */
export async function renderedValues(file: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'kubently-bench-values-'));
  await timed(
    [join(ROOT, 'node_modules', '.bin', 'node'), join(ROOT, 'scripts', 'ops', 'render.ts'), '--out', folder],
    { ENV_FILE: file },
  );
  return folder;
}

/** A private copy of the settings with some of them changed. */
export function changedSettings(changed: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'kubently-bench-settings-'));
  const file = join(folder, '.env');
  const all = { ...world(), ...changed };
  writeFileSync(
    file,
    Object.entries(all)
      .map(([k, v]) => `${k}='${v}'\n`)
      .join(''),
    { mode: 0o600 },
  );
  chmodSync(folder, 0o700);
  return file;
}
