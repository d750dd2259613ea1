/** helm template as the fitting sees it: injected, many at once, read strictly. */
import pLimit from 'p-limit';
import type { Finding } from './finding.ts';
import type { ReleaseSpec } from './release-spec.ts';
import type { Values } from './value-tree.ts';
import { readRendered, type Unreadable } from '../base/rendered.ts';
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

/** The objects of rendered text; what cannot be read is a finding. */
export function readManifests(text: string): { objects: KubeObject[]; findings: Finding[] } {
  const { objects, unreadable } = readRendered(text);
  const findings = unreadable.map(({ id, object, source, message }): Finding => {
    const at = object === undefined ? { path: source } : { object };
    return { grade: 'error', id, ...at, message, remedy: UNREADABLE[id] };
  });
  return { objects, findings };
}

const UNREADABLE: Record<Unreadable['id'], string> = {
  'broken-yaml': 'correct the template',
  'duplicate-key': 'correct the template, or leave out the value that writes the same key again',
  'no-object': 'correct the template: Helm would hand this to the API server, which refuses it',
};

/** What helm said when it refused, in one line. */
export function refusal(error: string): string {
  const lines = error
    .replace(/^Error: /, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('Use --debug'));
  return lines.join(' ').replace(/^execution error at \(([^)]*)\): /, '$1: ');
}
