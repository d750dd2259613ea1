/** Every Secret and ConfigMap key that a pod reads: rendered with content, created by the runbook, or a finding. */
import type { Finding } from '../finding.ts';
import { LLM_ENV, secretPurposeOf, secretRef } from '../release-spec.ts';
import { nameOf } from '../render.ts';
import { everyContainer, type Workload } from '../workloads.ts';
import type { Release } from './rule.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

/** A Secret that the runbook creates before the release. */
export interface WantedSecret {
  namespace: string;
  name: string;
  keys: string[];
  /** What goes into each key: redis-password, api-keys, executor-token, or the provider's env name (ANTHROPIC_API_KEY). */
  holds: Record<string, string>;
  /** Pods start without it. */
  optional: boolean;
}

interface Reference {
  kind: 'Secret' | 'ConfigMap';
  name: string;
  /** undefined: the object as a whole. */
  key: string | undefined;
  optional: boolean;
  /** The env entry that it feeds. */
  env: string | undefined;
  workload: Workload;
  where: string;
}

/** The Secrets to create, and what is wrong with those that are read. */
export function secretsOf(release: Release): { secrets: WantedSecret[]; findings: Finding[] } {
  const { spec, objects } = release;
  const findings: Finding[] = [];
  const wanted = new Map<string, WantedSecret>();
  for (const reference of release.running.flatMap(references)) {
    const rendered = objects.filter((o) => o.kind === reference.kind && o.metadata.name === reference.name);
    const holds = reference.env === undefined ? undefined : secretHeldBy(reference.env);
    if (rendered.length > 0) {
      findings.push(...rendered.flatMap((o) => contentFindings(reference, o, holds)));
    } else if (reference.kind === 'Secret' && holds !== undefined && reference.key !== undefined) {
      const secret = wanted.get(reference.name) ?? {
        namespace: spec.namespace,
        name: reference.name,
        keys: [],
        holds: {},
        optional: true,
      };
      wanted.set(reference.name, secret);
      if (!secret.keys.includes(reference.key)) secret.keys.push(reference.key);
      secret.holds[reference.key] = holds;
      secret.optional &&= reference.optional;
      findings.push(...renamed(reference, holds, spec.release));
    } else if (!reference.optional) {
      findings.push(unknown(reference));
    }
  }
  return { secrets: [...wanted.values()], findings };
}

/** What an env entry's Secret is to hold: LLM keys are told apart by their env name. */
function secretHeldBy(env: string): string | undefined {
  const spec = secretPurposeOf(env);
  return spec === 'llm-key' ? env : spec;
}

function renamed({ name, key, workload, where }: Reference, holds: string, release: string): Finding[] {
  const meant = secretRef(holds, release);
  if (name === meant.name && key === meant.key) return [];
  return [
    {
      grade: 'error',
      id: 'secret-renamed',
      object: workload.name,
      path: where,
      message: `the chart reads the ${holds} from key ${key ?? ''} of Secret ${name}; the runbook creates key ${meant.key} of ${meant.name}`,
      remedy:
        'name the usual Secret by the values of the chart, or teach secretRef in lib/chart/release-spec.ts the new name',
    },
  ];
}

function unknown({ kind, name, key, workload, where }: Reference): Finding {
  return {
    grade: 'error',
    id: kind === 'Secret' ? 'secret-unknown' : 'configmap-unknown',
    object: workload.name,
    path: where,
    message: `reads ${key === undefined ? '' : `key ${key} of `}${kind} ${name}, which neither the chart renders nor the runbook creates: its pods would not start`,
    remedy: `turn off what needs it by the chart's values, or create ${kind} ${name} and make the reference optional`,
  };
}

function contentFindings(reference: Reference, object: KubeObject, holds: string | undefined): Finding[] {
  const { key, optional, workload, where } = reference;
  const common = { object: nameOf(object), path: key ?? where };
  const found: Finding[] = [];
  if (holds !== undefined) {
    found.push({
      ...common,
      grade: 'error',
      id: 'secret-chart-made',
      message: `the chart renders the Secret that holds the ${holds}: its value would stand in the values, and one made before would not be adopted`,
      remedy: 'use a chart that reads an existing Secret, and name it by its existingSecret value',
    });
  }
  if (key === undefined || optional) return found;
  const text = contentOf(object, key);
  if (text === undefined || text.trim() === '') {
    found.push({
      ...common,
      grade: 'error',
      id: 'secret-empty',
      message: `key ${key} is rendered ${text === undefined ? 'not at all' : 'empty'}, and ${workload.name} (${where}) needs it`,
      remedy: 'name an existing Secret by the values instead of letting the chart make one',
    });
  } else if (holds !== undefined && text.trim().startsWith('#')) {
    found.push({
      ...common,
      grade: 'error',
      id: 'secret-placeholder',
      message: `key ${key} holds a placeholder comment, which the server would accept as a valid ${holds}`,
      remedy: 'name an existing Secret by the values instead of letting the chart make one',
    });
  }
  return found;
}

/** The decoded content of a key of a rendered Secret or ConfigMap. */
export function contentOf(object: KubeObject, key: string): string | undefined {
  const plain = (object[object.kind === 'Secret' ? 'stringData' : 'data'] ?? {}) as Record<string, string | null>;
  const encoded = (object[object.kind === 'Secret' ? 'data' : 'binaryData'] ?? {}) as Record<string, string | null>;
  if (plain[key] !== undefined) return plain[key] ?? '';
  return encoded[key] === undefined ? undefined : Buffer.from(encoded[key] ?? '', 'base64').toString('utf8');
}

function references(workload: Workload): Reference[] {
  const reference = (
    kind: Reference['kind'],
    source: { name?: string; secretName?: string; optional?: boolean },
    key: string | undefined,
    where: string,
    env?: string,
  ): Reference => {
    const name = source.name ?? source.secretName ?? '';
    return { kind, name, key, optional: source.optional ?? false, env, workload, where };
  };
  const fromEnv = everyContainer(workload).flatMap((c) => [
    ...(c.env ?? []).flatMap((e): Reference[] => {
      const { secretKeyRef, configMapKeyRef } = e.valueFrom ?? {};
      const where = `${c.name}: env ${e.name}`;
      if (secretKeyRef) return [reference('Secret', secretKeyRef, secretKeyRef.key, where, e.name)];
      return configMapKeyRef ? [reference('ConfigMap', configMapKeyRef, configMapKeyRef.key, where, e.name)] : [];
    }),
    ...(c.envFrom ?? []).flatMap(({ secretRef, configMapRef }): Reference[] => {
      const where = `${c.name}: envFrom`;
      if (secretRef) return [reference('Secret', secretRef, undefined, where)];
      return configMapRef ? [reference('ConfigMap', configMapRef, undefined, where)] : [];
    }),
  ]);
  const fromVolumes = (workload.pod.volumes ?? []).flatMap((volume) => {
    const sources = [volume, ...(volume.projected?.sources ?? [])];
    return sources.flatMap(({ secret, configMap }): Reference[] => {
      const kind = secret ? 'Secret' : 'ConfigMap';
      const source = secret ?? configMap;
      if (!source) return [];
      const keys: (string | undefined)[] = source.items?.map((item) => item.key) ?? [undefined];
      return keys.map((key) => reference(kind, source, key, `volume ${volume.name}`));
    });
  });
  const pull = (workload.pod.imagePullSecrets ?? []).map((s) => reference('Secret', s, undefined, 'imagePullSecrets'));
  return [...fromEnv, ...fromVolumes, ...pull];
}

/** A finding where the API reads no key of the provider it is told to use. */
export function llmKeyFindings({ spec, roles }: Release): Finding[] {
  if (spec.side !== 'gke' || !roles.api) return [];
  const name = LLM_ENV[spec.llmProvider].key;
  if (roles.api.containers.some((c) => c.env?.some((e) => e.name === name) ?? c.envFrom)) return [];
  return [
    {
      grade: 'error',
      id: 'llm-key-unread',
      object: roles.api.name,
      message: `no container reads ${name}, so the agent cannot ask ${spec.llmProvider}`,
      remedy: 'choose another LLM_PROVIDER, or a chart that hands this key to the API',
    },
  ];
}
