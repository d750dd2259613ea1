/** The chart's own files, read strictly: a duplicate key is an error that helm passes over. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, parseDocument } from 'yaml';
import type { Finding } from './finding.ts';
import { yamlFault } from '../base/rendered.ts';
import type { Values } from './value-tree.ts';

/** Findings in Chart.yaml and values.yaml of a chart directory. */
export async function chartFileFindings(chart: string): Promise<Finding[]> {
  const files = await Promise.all(['Chart.yaml', 'values.yaml'].map((name) => fileFindings(join(chart, name), name)));
  return files.flat();
}

async function fileFindings(path: string, name: string): Promise<Finding[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return [];
  return parseDocument(text, { uniqueKeys: true }).errors.map((error) => ({
    grade: 'error',
    ...yamlFault(text, error),
    path: name,
    remedy: 'keep one of the keys: which one helm takes is not said anywhere',
  }));
}

const VALUES = join(import.meta.dirname, '..', '..', 'values');

/** A values file of the runbook. @throws YAMLParseError on a duplicate key */
export async function valuesFile(name: 'gke' | 'remote' | 'executor-role'): Promise<Values> {
  return parse(await readFile(join(VALUES, `${name}.yaml`), 'utf8'), { uniqueKeys: true }) as Values;
}
