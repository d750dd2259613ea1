/** Whether this machine's root lacks CAP_SYS_RESOURCE (sandboxed CI): then runc needs a wrapper. */
import { readFileSync } from 'node:fs';

const CAP_SYS_RESOURCE = 24n;

/** True when the capability is missing from this process's bounding set. */
export function lacksResourceCapability(): boolean {
  const [, bounding] = /^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return ((BigInt(`0x${bounding ?? '0'}`) >> CAP_SYS_RESOURCE) & 1n) === 0n;
}
