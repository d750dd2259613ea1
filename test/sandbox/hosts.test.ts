import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { addHost, removeHosts } from '../../sandbox/hosts.ts';

it.each(['127.0.0.1 localhost\n', '127.0.0.1 localhost', ''])(
  'a hosts file gets one line and gives it back: %j',
  (before) => {
    const file = join(mkdtempSync(join(tmpdir(), 'hosts-')), 'hosts');
    writeFileSync(file, before);
    expect(addHost('test-api.kubently.io', '198.18.255.10', file)).toBe(true);
    expect(addHost('test-api.kubently.io', '198.18.255.10', file)).toBe(false);
    addHost('test-api.kubently.io', '198.18.255.11', file);
    const lines = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes('kubently'));
    expect(lines).toEqual(['198.18.255.11 test-api.kubently.io # kubently-sandbox']);
    expect(removeHosts(file)).toBe(true);
    expect(removeHosts(file)).toBe(false);
    expect(readFileSync(file, 'utf8').trimEnd()).toBe(before.trimEnd());
  },
);
