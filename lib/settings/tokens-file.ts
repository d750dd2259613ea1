/** The generated tokens: made once, kept in TOKENS_FILE (0600, can be sourced), restored from the cluster (plan step 2.1). */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { parse } from 'dotenv';
import { Failure } from '../base/failure.ts';
import { STEP } from '../base/plan-steps.ts';
import { aloneWith, writePrivately } from '../base/private-file.ts';
import { oneLine } from '../base/say.ts';
import { Secret } from '../base/secret.ts';
import { deploymentLine } from './secret-files.ts';
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

/** Rewrites the deployment's file whole, alone with it from the read to the write; its address stays where none is given. */
export async function changeTokens(
  { tokensFile, host }: Pick<Settings, 'tokensFile' | 'host'>,
  change: (tokens: Readonly<Record<string, Secret>>) => Readonly<Record<string, Secret>>,
  ingressIp?: string,
): Promise<void> {
  await aloneWith(tokensFile, async () => {
    const address = ingressIp ?? readIngressIp(tokensFile) ?? '';
    await writePrivately(tokensFile, textOf(change(readTokens(tokensFile)), address, host));
  });
}

/** @throws Failure for what a shell that sources the file would act upon */
function textOf(tokens: Readonly<Record<string, Secret>>, ingressIp: string, host: string): string {
  if (ingressIp !== '' && !isIP(ingressIp))
    throw new Failure({
      what: 'the reserved address is no IP address',
      found: oneLine(ingressIp, 80),
      next: `./runbook ${STEP.staticIpAndDns}`,
    });
  const lines = Object.entries(tokens).map(([name, value]) => line(name, value.reveal()));
  return `# Kubently deployment tokens - KEEP SECURE\n${deploymentLine(host)}${lines.join('')}INGRESS_IP=${ingressIp}\n`;
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
