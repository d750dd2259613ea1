/** Where the API is and which key opens it. The environment wins even over flags, flags over the file (docs/kubently-contract.md 5). */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export type Flags = { apiUrl?: string; apiKey?: string; a2aPath?: string; debug?: boolean };

export type ConfigFile = {
  apiUrl?: string;
  apiKey?: string;
  clusters?: Record<string, { token: string }>;
};

export type Connection = { apiUrl: string; apiKey: string; a2aPath: string; debug: boolean };

const directory = () => join(homedir(), '.kubently');
const file = () => join(directory(), 'config.json');

/** ~/.kubently/config.json, or nothing; makes the directory. @throws SyntaxError when the file is no JSON */
export function readConfig(): ConfigFile {
  mkdirSync(directory(), { recursive: true, mode: 0o700 });
  let text: string;
  try {
    text = readFileSync(file(), 'utf8');
  } catch {
    return {};
  }
  return JSON.parse(text) as ConfigFile;
}

/** Writes the file, readable by its owner only. */
export function writeConfig(config: ConfigFile): void {
  writeFileSync(file(), `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  chmodSync(file(), 0o600);
}

/** The connection's settings; undefined when the URL or the key is nowhere given. */
export function connection(flags: Flags): Connection | undefined {
  const config = readConfig();
  const apiUrl = process.env['KUBENTLY_API_URL'] || flags.apiUrl || config.apiUrl;
  const apiKey = process.env['KUBENTLY_API_KEY'] || flags.apiKey || config.apiKey;
  if (!apiUrl || !apiKey) return undefined;
  const a2aPath = process.env['KUBENTLY_A2A_PATH'] || flags.a2aPath || '/a2a';
  return { apiUrl: apiUrl.replace(/\/+$/, ''), apiKey, a2aPath, debug: flags.debug === true };
}

/** What is missing, and how to give it. */
export const MISSING =
  'No API URL or API key. Set KUBENTLY_API_URL and KUBENTLY_API_KEY, or pass --api-url and --api-key.';
