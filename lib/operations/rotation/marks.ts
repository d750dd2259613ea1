/**
 * Where a rotation stands, in TOKENS_FILE beside the tokens: NAME_NEXT comes in, NAME_PREVIOUS goes out. Each new
 * token lies there before anything knows it, so that a killed rotation can go on.
 */
import type { Context } from '../../context.ts';
import { changeTokens, generateToken, nextOf, previousOf } from '../../settings/tokens-file.ts';
import { tokenOf } from '../../deployment/kubently/secrets.ts';
import type { Secret } from '../../base/secret.ts';

/** True when a rotation of this token has begun and not ended. */
export function isUnfinished({ tokens: read }: Context, name: string): boolean {
  const tokens = read();
  return tokens[nextOf(name)] !== undefined || tokens[previousOf(name)] !== undefined;
}

/** Gives each of the tokens its successor, in one write. */
export async function begin({ settings }: Context, names: readonly string[]): Promise<void> {
  const coming = Object.fromEntries(names.map((name) => [nextOf(name), generateToken()]));
  await changeTokens(settings, (tokens) => ({ ...tokens, ...coming }));
}

/** The coming token is the one in use from now on, and the one in use the previous. */
export async function promote({ settings }: Context, name: string): Promise<void> {
  await changeTokens(settings, (tokens) => ({
    ...without(tokens, nextOf(name)),
    [name]: tokenOf(tokens, nextOf(name)),
    [previousOf(name)]: tokenOf(tokens, name),
  }));
}

/** Ends the rotation. */
export async function forgetPrevious({ settings }: Context, name: string): Promise<void> {
  await changeTokens(settings, (tokens) => without(tokens, previousOf(name)));
}

/** Takes the mark of what is yet to come away. */
export async function forgetNext({ settings, tokens }: Context, name: string): Promise<void> {
  if (tokens()[nextOf(name)]) await changeTokens(settings, (held) => without(held, nextOf(name)));
}

function without(tokens: Readonly<Record<string, Secret>>, name: string): Record<string, Secret> {
  return Object.fromEntries(Object.entries(tokens).filter(([n]) => n !== name));
}
