/** What Redis holds, key by key, out of a running Redis and into one. */
import type { Context } from '../../context.ts';
import { Failure } from '../../base/failure.ts';
import { redisShell } from '../../deployment/kubently/redis.ts';
import { Secret } from '../../base/secret.ts';

/** One key as Redis's own DUMP gives it, with the server's checksum in it. */
export interface DumpedKey {
  /** Base64, as the payload: keys may hold any byte. */
  key: string;
  payload: string;
  /** When it expires, in milliseconds since 1970; undefined: never. */
  expiresAt?: number;
}

/** Keys a page; each page is one short pause for Redis. */
const PAGE = 200;
const LONGEST_MS = 300_000;

/** One page of SCAN as lines: the next cursor, then for each key its hex, its moment of expiry (or -1), its DUMP's hex. */
const DUMP_PAGE = `
local hex = {}
for i = 0, 255 do hex[string.char(i)] = string.format('%02x', i) end
local function tohex(s) return (s:gsub('.', hex)) end
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local page = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
local lines = { page[1] }
for _, key in ipairs(page[2]) do
  local payload = redis.call('DUMP', key)
  if payload then
    local left = redis.call('PTTL', key)
    lines[#lines + 1] = tohex(key) .. ' ' .. (left < 0 and '-1' or string.format('%.0f', ms + left)) .. ' ' .. tohex(payload)
  end
end
return lines`;

const DUMP_ALL = `cursor=0
while :; do
  page=$(redis-cli --no-auth-warning EVAL "$1" 0 "$cursor" ${PAGE}) || exit 1
  printf '%s\\n' "$page"
  cursor=$(printf '%s\\n' "$page" | head -n 1)
  case "$cursor" in 0) exit 0;; ''|*[!0-9]*) exit 1;; esac
done`;

/** Every key of the deployment's Redis; a key that SCAN gives twice is there once. @throws Failure */
export async function dumpRedis(ctx: Context): Promise<DumpedKey[]> {
  const text = await redisShell(ctx, DUMP_ALL, [DUMP_PAGE], { timeoutMs: LONGEST_MS });
  const found = new Map<string, DumpedKey>();
  for (const line of text.split('\n')) {
    const [key, at, payload] = line.trim().split(' ');
    if (key === undefined || at === undefined || payload === undefined) continue;
    const expires = Number(at) < 0 ? {} : { expiresAt: Number(at) };
    found.set(key, { key: base64(key), payload: base64(payload), ...expires });
  }
  return [...found.values()];
}

/**
 * Puts the keys into the deployment's Redis, over those of the same name; others stay. Run again it does the same.
 * @returns how many Redis took
 * @throws Failure when it refuses one (another version's payload)
 */
export async function restoreRedis(ctx: Context, keys: readonly DumpedKey[]): Promise<number> {
  if (keys.length === 0) return 0;
  const commands = keys.map(({ key, payload, expiresAt }) =>
    resp([
      Buffer.from('RESTORE'),
      Buffer.from(key, 'base64'),
      Buffer.from(String(expiresAt ?? 0)),
      Buffer.from(payload, 'base64'),
      Buffer.from('REPLACE'),
      ...(expiresAt === undefined ? [] : [Buffer.from('ABSTTL')]),
    ]),
  );
  const line = 'base64 -d | redis-cli --no-auth-warning --pipe 2>&1';
  const input = new Secret(Buffer.concat(commands).toString('base64'));
  const said = await redisShell(ctx, line, [], { input, mutates: true, timeoutMs: LONGEST_MS });
  const [, errors, replies] = /errors: (\d+), replies: (\d+)/.exec(said) ?? [];
  if (errors !== '0' || Number(replies) !== keys.length)
    throw new Failure({
      what: 'Redis did not take every key of the backup',
      wanted: `${keys.length} replies without an error`,
      found: said.trim().split('\n').slice(-3).join('\n'),
      next: 'a backup of a newer Redis cannot be read by an older one; else the same command again',
    });
  return keys.length;
}

/** How many of the keys Redis holds now. */
export async function present(ctx: Context, keys: readonly DumpedKey[]): Promise<number> {
  const held = new Set((await dumpRedis(ctx)).map((k) => k.key));
  return keys.filter((k) => held.has(k.key)).length;
}

/** A command in Redis's own protocol. */
function resp(words: readonly Buffer[]): Buffer {
  const parts = words.flatMap((w) => [Buffer.from(`$${w.length}\r\n`), w, Buffer.from('\r\n')]);
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}
