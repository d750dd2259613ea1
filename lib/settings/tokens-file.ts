/** The generated tokens: made once, kept in TOKENS_FILE (0600, can be sourced), restored from the cluster (plan step 2.1). */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, open, rename } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname } from 'node:path';
import { parse } from 'dotenv';
import { Failure } from '../base/failure.ts';
import { STEP } from '../base/plan-steps.ts';
import { oneLine } from '../base/say.ts';
import { Secret } from '../base/secret.ts';
import type { Settings } from './settings.ts';

/** Variable of an executor's token in the file: GKE_EXECUTOR_TOKEN, KIND_REMOTE_EXECUTOR_TOKEN. */
export function tokenName(clusterId: string): string {
  return `${clusterId.toUpperCase().replaceAll('-', '_')}_EXECUTOR_TOKEN`;
}

/** Names of all secrets that the deployment needs generated. */
export function tokenNames(settings: Pick<Settings, 'gkeClusterId' | 'remotes'>): string[] {
  return [
    'API_KEY',
    'REDIS_PASSWORD',
    tokenName(settings.gkeClusterId),
    ...settings.remotes.map((r) => tokenName(r.id)),
  ];
}

/** 64 hex characters: what every rule of the contract takes (1.6). */
export function generateToken(): Secret {
  return new Secret(randomBytes(32).toString('hex'));
}

/** The file's variables, boxed; none where there is no file. INGRESS_IP is not a secret and is left out. */
export function readTokens(file: string): Record<string, Secret> {
  if (!existsSync(file)) return {};
  const entries = Object.entries(parse(readFileSync(file, 'utf8')));
  return Object.fromEntries(
    entries.flatMap(([name, value]) => (name === 'INGRESS_IP' || value === '' ? [] : [[name, new Secret(value)]])),
  );
}

/** The address that the file was written with. */
export function readIngressIp(file: string): string | undefined {
  return existsSync(file) ? parse(readFileSync(file, 'utf8'))['INGRESS_IP'] : undefined;
}

/** Name of what comes in by a rotation, beside the token that is still in use (make rotate). */
export function nextOf(name: string): string {
  return `${name}_NEXT`;
}

/** Name of what a rotation took out of use and has not yet proven to be refused. */
export function previousOf(name: string): string {
  return `${name}_PREVIOUS`;
}

/** Rewrites the file's tokens whole; its address stays. */
export async function changeTokens(
  file: string,
  change: (tokens: Readonly<Record<string, Secret>>) => Readonly<Record<string, Secret>>,
): Promise<void> {
  await writeTokens(file, change(readTokens(file)), readIngressIp(file) ?? '');
}

/** A line that a shell and dotenv read alike. @throws Failure for a value that cannot be written so */
function line(name: string, value: string): string {
  if (/^[\w.+/=-]*$/.test(value)) return `${name}=${value}\n`;
  if (/['\p{Cc}]/u.test(value))
    throw new Failure({
      what: `${name} cannot be kept: it holds a quote or a control character`,
      next: 'set another one, of letters, digits and . _ ~ + / = -',
    });
  return `${name}='${value}'\n`;
}

/** Writes the file whole or not at all: a killed run must not lose a token. */
export async function writeTokens(
  file: string,
  tokens: Readonly<Record<string, Secret>>,
  ingressIp: string,
): Promise<void> {
  const lines = Object.entries(tokens).map(([name, value]) => line(name, value.reveal()));
  if (ingressIp !== '' && !isIP(ingressIp))
    throw new Failure({
      what: 'the reserved address is no IP address',
      found: oneLine(ingressIp, 80),
      next: `./runbook ${STEP.staticIpAndDns}`,
    });
  const text = `# Kubently deployment tokens - KEEP SECURE\n${lines.join('')}INGRESS_IP=${ingressIp}\n`;
  await mkdir(dirname(file), { recursive: true });
  const fresh = `${file}.new`;
  const handle = await open(fresh, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await chmod(fresh, 0o600);
  await rename(fresh, file);
}
