/** OUT is refused before any work. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { outFile, outFolder } from '../../lib/base/out-path.ts';
import { BadInput } from '../../lib/base/failure.ts';
import { temporaryFolder } from './outside.ts';

test('what can be written is taken', () => {
  const folder = temporaryFolder();
  expect(outFile(join(folder, 'a'))).toBe(join(folder, 'a'));
  expect(outFolder(join(folder, 'new', 'deep'), 'make render OUT=dir')).toBe(join(folder, 'new', 'deep'));
});

test('refused: nothing, a folder for a file, a file for a folder, a missing folder, devices, /proc', () => {
  const folder = temporaryFolder();
  const file = join(folder, 'file');
  writeFileSync(file, '');
  for (const path of ['', folder, join(folder, 'none', 'x'), join(file, 'x'), '/dev/null', '/proc/foo'])
    expect(() => outFile(path), path).toThrow(BadInput);
  for (const path of ['', file, join(file, 'x'), '/dev/null', '/proc/foo', '/sys/foo'])
    expect(() => outFolder(path, 'make render OUT=dir'), path).toThrow(BadInput);
});
