/** helm, always with context and namespace, values by stdin. Waiting is the runbook's own: helm's says only that time ran out. */
import { join } from 'node:path';
import { z } from 'zod';
import { CommandFailed, type Run } from '../base/command.ts';
import { Failure } from '../base/failure.ts';
import { readRendered } from '../base/rendered.ts';
import { recoverPending, type Teller } from './helm-pending.ts';
import { decode, newestSecret } from './helm-record.ts';
import { Kubectl } from './kubectl.ts';
import { commandTag, type Tag } from '../base/tag.ts';
import { targetFlags, type Target } from '../base/target.ts';
import type { KubeObject } from '../base/kubernetes.ts';

export interface Release {
  name: string;
  /** deployed, failed, pending-install, … */
  status: string;
  revision: number;
  /** For example cert-manager-v1.21.2. */
  chart: string;
  /** The values given; null where there were none. */
  values: unknown;
  /** Its objects as rendered, in YAML. */
  manifest: string;
  /** Of its record: Helm's own, and those of --labels. */
  labels: Readonly<Record<string, string>>;
}

export interface Revision {
  revision: number;
  /** ISO 8601. */
  updated: string;
  /** deployed, superseded, failed, … */
  status: string;
  description: string;
}

/** The annotations by which Helm marks each object of a release. */
export function releaseMarks(release: string, namespace: string): Record<string, string> {
  return { 'meta.helm.sh/release-name': release, 'meta.helm.sh/release-namespace': namespace };
}

/** True for an object that Helm made for the release, wherever it lies. */
export function isOfRelease(
  { metadata: { annotations = {} } }: KubeObject,
  release: string,
  namespace: string,
): boolean {
  return Object.entries(releaseMarks(release, namespace)).every(([key, value]) => annotations[key] === value);
}

/** Its numbers become arguments. */
const revisions: z.ZodType<Revision[]> = z.array(
  z.object({ revision: z.int().positive(), updated: z.string(), status: z.string(), description: z.string() }),
);

/** What goes into a release beside the command line. */
export interface UpgradeInput {
  values: unknown;
  /** Path of the kustomization that patches the rendered objects. */
  postRender?: string;
}

/** One cluster's namespace through helm. */
export class Helm {
  readonly target: Target;
  readonly #run: Run;

  constructor(run: Run, target: Target) {
    this.#run = run;
    this.target = target;
  }

  /** The newest revision in any state, with its values and objects; undefined where there is no release. */
  async release(name: string): Promise<Release | undefined> {
    const secret = await newestSecret(new Kubectl(this.#run, this.target), name);
    if (!secret) return undefined;
    const { info, version, chart, config, manifest } = decode(secret);
    const { metadata } = chart;
    return {
      name,
      status: info.status,
      revision: version,
      chart: `${metadata.name}-${metadata.version}`,
      values: config ?? null,
      manifest,
      labels: secret.metadata.labels ?? {},
    };
  }

  /** The objects of a revision, as rendered then. */
  async manifest(name: string, revision: number): Promise<KubeObject[]> {
    return objectsOf((await this.#read(['get', 'manifest', name, '--revision', String(revision)])).stdout);
  }

  /** The release's revisions that Helm still knows, oldest first; none where there is no release. */
  async history(name: string): Promise<Revision[]> {
    if (!(await this.release(name))) return [];
    return revisions.parse(JSON.parse((await this.#read(['history', name, '-o', 'json'])).stdout));
  }

  /** Any change but an upgrade: the plan's uninstall and rollback. */
  readonly change = commandTag(async (args) => {
    await this.#run({ binary: 'helm', args: [...args, ...flags(this.target)], mutates: true, timeoutMs: 330_000 });
  });

  /**
   * The tag of `upgrade --install NAME …`; the values go by stdin. It returns when the objects are accepted, not when
   * they run. A record that a killed helm left pending or uninstalling is recovered first: use it only while holding the lock.
   */
  upgrade(given: UpgradeInput, teller: Teller): Tag<Promise<void>> {
    return commandTag(async (args) => {
      const [, , release = ''] = args;
      try {
        await this.#upgrade(args, given);
      } catch (error) {
        if (!(
          error instanceof CommandFailed &&
          /another operation .{1,80} is in progress|has no deployed releases/.test(error.stderr)
        ))
          throw error;
        await recoverPending(this.#run, this.target, release, teller);
        await this.#upgrade(args, given);
      }
    });
  }

  async #upgrade(args: readonly string[], { values, postRender }: UpgradeInput): Promise<void> {
    await this.#run({
      binary: 'helm',
      env: PLUGINS,
      args: [...args, ...postRenderer(postRender), '--values', '-', ...flags(this.target)],
      mutates: true,
      timeoutMs: 300_000,
      input: JSON.stringify(values),
    });
  }

  #read(args: readonly string[]) {
    return this.#run({ binary: 'helm', args: [...args, ...flags(this.target)], mutates: false, timeoutMs: 60_000 });
  }
}

const PLUGINS = { HELM_PLUGINS: join(import.meta.dirname, 'plugins') };

function postRenderer(kustomization: string | undefined): string[] {
  return kustomization ? ['--post-renderer', 'extras', '--post-renderer-args', kustomization] : [];
}

/** helm's spelling of the target. */
function flags(target: Target): string[] {
  const [, context = '', , namespace = ''] = targetFlags(target);
  return ['--kube-context', context, '--namespace', namespace];
}

/** helm template of a chart: the text, or the chart's own refusal. Needs no cluster. */
export async function helmTemplate(
  run: Run,
  r: { release: string; namespace: string; chart: string; values: unknown; postRender?: string },
): Promise<{ ok: true; text: string } | { ok: false; error: string }> {
  try {
    const args = [
      'template',
      r.release,
      r.chart,
      '--namespace',
      r.namespace,
      ...postRenderer(r.postRender),
      '--values',
      '-',
    ];
    const { stdout } = await run({
      binary: 'helm',
      env: PLUGINS,
      args,
      mutates: false,
      timeoutMs: 60_000,
      input: JSON.stringify(r.values),
    });
    return { ok: true, text: stdout };
  } catch (error) {
    if (error instanceof CommandFailed && error.exitCode === 1) return { ok: false, error: error.stderr.trim() };
    throw error;
  }
}

/** The objects of rendered YAML, lists taken apart. @throws Failure naming the first document that cannot be read */
export function objectsOf(text: string): KubeObject[] {
  const { objects, unreadable } = readRendered(text);
  const [first] = unreadable;
  if (!first) return objects;
  throw new Failure({
    what: `the rendered release cannot be read: ${first.object ?? first.source}: ${first.message}`,
    next: 'make lint-chart',
  });
}
