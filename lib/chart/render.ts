/** helm template as the fitting sees it: injected, many at once, read strictly. */
import pLimit from 'p-limit';
import { parseAllDocuments, type YAMLError } from 'yaml';
import type { Finding } from './finding.ts';
import type { ReleaseSpec } from './release-spec.ts';
import type { Values } from './value-tree.ts';
import type { KubeObject } from '../base/kubernetes.ts';

export type Rendered = { ok: true; text: string } | { ok: false; error: string };

/** helm template of a chart directory: its text, or its refusal. */
export type Render = (r: { release: string; namespace: string; chart: string; values: unknown }) => Promise<Rendered>;

/** Renders of one release with other values. */
export type RenderValues = (values: Values) => Promise<Rendered>;

/** helm is one busy process a call: more at once than a small machine has cores gains nothing. */
const AT_ONCE = 4;

/** Renders of the meaning's release from the chart directory. */
export function rendererOf(spec: ReleaseSpec, chart: string, render: Render): RenderValues {
  const limit = pLimit(AT_ONCE);
  const { release, namespace } = spec;
  return (values) => limit(() => render({ release, namespace, chart, values }));
}

/** The objects of rendered text; a duplicate key or other broken YAML is a finding, and the object is read leniently where it can be. */
export function readManifests(text: string): { objects: KubeObject[]; findings: Finding[] } {
  const findings: Finding[] = [];
  const objects = parseAllDocuments(text, { uniqueKeys: true }).flatMap((document): KubeObject[] => {
    const value = document.toJS() as unknown;
    const object = isObject(value) ? value : undefined;
    for (const error of document.errors) {
      findings.push({
        grade: 'error',
        ...yamlFault(text, error),
        ...(object ? { object: nameOf(object) } : {}),
        remedy: 'correct the template, or leave out the value that writes the same key again',
      });
    }
    return object ? [object] : [];
  });
  return { objects, findings };
}

/** Kind/name, as findings name an object. */
export function nameOf(object: KubeObject): string {
  return `${object.kind}/${object.metadata.name}`;
}

function isObject(value: unknown): value is KubeObject {
  const object = value as Partial<KubeObject> | null;
  return typeof object?.kind === 'string' && typeof object.metadata?.name === 'string';
}

/** Id and message of what a strict reading of YAML does not take. */
export function yamlFault(text: string, error: YAMLError): Pick<Finding, 'id' | 'message'> {
  const line = text.slice(0, error.pos[0]).split('\n').length;
  if (error.code !== 'DUPLICATE_KEY') return { id: 'broken-yaml', message: error.message.replace(/\n[^]*/, '') };
  const key = /^[^:\n]*/.exec(text.slice(error.pos[0]))?.[0] ?? '';
  return { id: 'duplicate-key', message: `the key ${key} stands twice (line ${line})` };
}

/** What helm said when it refused, in one line. */
export function refusal(error: string): string {
  const lines = error
    .replace(/^Error: /, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('Use --debug'));
  return lines.join(' ').replace(/^execution error at \(([^)]*)\): /, '$1: ');
}
