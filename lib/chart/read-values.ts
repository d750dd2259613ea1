/** Which of the values that were set the chart reads: a changed value that changes neither the text nor a refusal is ignored. */
import type { RenderValues, Rendered } from './render.ts';
import { leaves, withLeaf, type Leaf, type Values } from './value-tree.ts';

interface Marked extends Leaf {
  /** Cannot occur in a chart by itself, so finding it in the text proves that the value was read. */
  marker: string;
}

/**
 * The leaves of the values that the chart ignores.
 * One render with a marker in every text and number proves most of them read; what shows no marker is changed alone.
 * @param base what the values themselves render to
 */
export async function ignoredValues(values: Values, base: string, render: RenderValues): Promise<Leaf[]> {
  const all = leaves(values);
  const markable = all.flatMap((leaf, i): Marked[] => {
    if (typeof leaf.value === 'number' || isNumeric(leaf.value)) return [{ ...leaf, marker: String(700_000_000 + i) }];
    return typeof leaf.value === 'string' ? [{ ...leaf, marker: `zq${i}qz` }] : [];
  });
  const [shown, same] = await Promise.all([showing(values, markable, render), comparison(values, base, render)]);
  const doubtful = all.filter((leaf) => !shown.has(leaf.path));
  const unchanged = await Promise.all(
    doubtful.map(async (leaf) => same(await render(withLeaf(values, leaf.path, otherThan(leaf.value))))),
  );
  return doubtful.filter((_, i) => unchanged[i]);
}

/** Paths whose markers reach the text, or that a chart refuses to see changed (an enum). */
async function showing(values: Values, group: readonly Marked[], render: RenderValues): Promise<Set<Leaf['path']>> {
  if (group.length === 0) return new Set();
  const changed = group.reduce((v, { path, value, marker }) => {
    return withLeaf(v, path, typeof value === 'number' ? Number(marker) : marker);
  }, values);
  const rendered = await render(changed);
  if (rendered.ok) return new Set(group.filter((m) => rendered.text.includes(m.marker)).map((m) => m.path));
  if (group.length === 1) return new Set(group.map((m) => m.path));
  const half = Math.ceil(group.length / 2);
  const halves = await Promise.all([
    showing(values, group.slice(0, half), render),
    showing(values, group.slice(half), render),
  ]);
  return new Set(halves.flatMap((set) => [...set]));
}

/** Compares with the base text, leaving out lines that differ between two renders of the same values (random, time). */
async function comparison(values: Values, base: string, render: RenderValues): Promise<(r: Rendered) => boolean> {
  const again = await render(values);
  const lines = base.split('\n');
  const second = again.ok ? again.text.split('\n') : [];
  const steady = lines.map((line, i) => line === second[i]);
  return (rendered) => {
    if (!rendered.ok) return false;
    if (rendered.text === base) return true;
    const other = rendered.text.split('\n');
    return other.length === lines.length && lines.every((line, i) => !steady[i] || line === other[i]);
  };
}

/** Another value of the same type; null and empty collections give way to what the chart does without them. */
function otherThan(value: unknown): unknown {
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return value + 1;
  if (isNumeric(value)) return String(Number(value) + 1);
  return typeof value === 'string' ? `${value}zq` : undefined;
}

function isNumeric(value: unknown): value is string {
  return typeof value === 'string' && /^\d+$/.test(value);
}
