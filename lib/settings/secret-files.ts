/** The files that hold secrets, or lead to them: who else may read them, and whose tokens TOKENS_FILE holds. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { BadInput, type Problem } from '../base/failure.ts';
import { ROOT } from '../base/paths.ts';
import { openToOthers } from '../base/private-file.ts';
import { Secret } from '../base/secret.ts';

/** Where every deployment's tokens lay before each had a file of its own. */
const OLD_TOKENS_FILE = '.kubently-tokens.env';
const MARK = '# Deployment: ';

/** Files that the tools read, by the variables that name them. */
const TOOL_FILES = [
  'GOOGLE_APPLICATION_CREDENTIALS',
  'CLOUDSDK_AUTH_ACCESS_TOKEN_FILE',
  'CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE',
] as const;

/** Why others must be kept out of the file, with the command that does it; undefined where they are, or there is none. */
export function privacyProblem(path: string): string | undefined {
  const mode = openToOthers(path);
  return mode === undefined ? undefined : `can be read or written by others (${mode}): chmod 600 ${path}`;
}

/** Why the settings file is refused: others may write it, or read the secrets in it. The checkout's example is nobody's. */
export function settingsFileProblem(
  path: string,
  values: Readonly<Record<string, string>>,
  isSecret: (name: string) => boolean,
): Problem | undefined {
  if (resolve(path) === join(ROOT, '.env.example')) return undefined;
  const secret = Object.keys(values).find((name) => values[name] !== '' && isSecret(name));
  const mode = openToOthers(path, secret === undefined ? 'write' : 'read');
  if (mode === undefined) return undefined;
  const message = secret === undefined ? 'can be written by others' : `holds ${secret} and can be read by others`;
  return { about: path, message: `${message} (${mode})`, remedy: `chmod 600 ${path}` };
}

/** @param environment the children's @throws BadInput where others may read or write a kubeconfig or a credential of Google's */
export function refuseOpenToolFiles(environment: Readonly<Record<string, string>>): void {
  const kubeconfigs = (environment['KUBECONFIG'] ?? join(environment['HOME'] ?? homedir(), '.kube', 'config')).split(
    ':',
  );
  const files = [
    ...kubeconfigs.map((path) => ['KUBECONFIG', path] as const),
    ...TOOL_FILES.flatMap((name) => (environment[name] ? [[name, environment[name]] as const] : [])),
  ];
  const problems = files.flatMap(([about, path]): Problem[] => {
    const mode = openToOthers(path);
    const message = `${path} can be read or written by others (${mode ?? ''})`;
    return mode === undefined ? [] : [{ about, message, remedy: `chmod 600 ${path}` }];
  });
  if (problems.length > 0) throw new BadInput(problems);
}

/** TOKENS_FILE's place where none is named: one for each deployment, or the file of old while no other deployment's. */
export function defaultTokensFile(host: string, home = homedir()): string {
  const own = join(home, `.kubently-tokens-${host}.env`);
  const old = join(home, OLD_TOKENS_FILE);
  if (existsSync(own) || !existsSync(old)) return own;
  return [host, undefined].includes(deploymentOf(old)) ? old : own;
}

/** API_HOST of the deployment whose tokens the file holds; undefined where it does not say, or there is none. */
export function deploymentOf(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  const line = readFileSync(file, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(MARK));
  return line?.slice(MARK.length).trim();
}

/** The line by which deploymentOf knows. */
export function deploymentLine(host: string): string {
  return `${MARK}${host}\n`;
}

/** Why the deployment may not use this TOKENS_FILE; undefined where it may. */
export function tokensFileProblem(file: string, host: string): string | undefined {
  const other = deploymentOf(file);
  if (other !== undefined && other !== host)
    return `holds the tokens of ${other}: name another file, or none; was that deployment renamed, delete the line "${MARK}${other}" in it`;
  return privacyProblem(file);
}

const CREDENTIALS: ReadonlySet<string> = new Set([
  'CLOUDSDK_AUTH_ACCESS_TOKEN',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
]);

/** Boxes what the children's environment holds in confidence, so that it is scrubbed: tokens and keys, proxies' passwords. */
export function boxCredentials(environment: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(environment)) {
    if (CREDENTIALS.has(name)) new Secret(value);
    const password = /_proxy$/i.test(name) ? URL.parse(value)?.password : undefined;
    if (!password) continue;
    new Secret(password);
    new Secret(decodeURIComponent(password));
  }
}
