/** Every Secret and ConfigMap key that a pod reads: rendered with content, created by the runbook, or a finding. */
import type { Finding } from '../finding.ts';
import { references, type Reference } from '../pod-references.ts';
import { CA_CONFIG_MAP, LLM_ENV, secretPurposeOf, secretRef, type ReleaseSpec } from '../release-spec.ts';
import { LLM_SECRET } from '../secret-names.ts';
import type { Release } from './rule.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';

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

/** The Secrets to create, and what is wrong with those that are read. */
export function secretsOf(release: Release): { secrets: WantedSecret[]; findings: Finding[] } {
  const { spec, objects } = release;
  const all = release.running.flatMap(references).map((reference) => ({
    reference,
    rendered: objects.filter((o) => o.kind === reference.kind && o.metadata.name === reference.name),
  }));
  const wanted = new Map<string, WantedSecret>();
  for (const { reference, rendered } of all) if (rendered.length === 0) addWanted(wanted, reference, spec);
  const findings = all.flatMap(({ reference, rendered }): Finding[] => {
    const secret = reference.kind === 'Secret' ? wanted.get(reference.name) : undefined;
    if (rendered.length > 0) return rendered.flatMap((o) => contentFindings(reference, o, spec));
    if (secret && (reference.key === undefined || secret.keys.includes(reference.key)))
      return [...renamed(reference, spec), ...unlessSet(reference, secret)];
    return reference.optional || madeElsewhere(reference, spec) ? [] : [unknown(reference, secret)];
  });
  return { secrets: [...wanted.values()], findings };
}

/** What the runbook creates for a side, where it does so, and which env entries ask for it by name. */
function madeFor(spec: ReleaseSpec): { holds: string; name: string; key: string }[] {
  const llm = Object.values(LLM_ENV).map((e) => e.key);
  const held = spec.side === 'gke' ? ['redis-password', 'api-keys', 'executor-token', ...llm] : ['executor-token'];
  return held.map((holds) => ({ holds, ...secretRef(holds, spec.release) }));
}

/** What an env entry's Secret is to hold, by the entry's name: LLM keys are told apart by it. */
function askedFor(env: string | undefined): string | undefined {
  const purpose = env === undefined ? undefined : secretPurposeOf(env);
  return purpose === 'llm-key' ? env : purpose;
}

/** What is read: by the name of the env entry, else by Secret and key. A whole Secret gives several. */
function heldBy({ kind, name, key, env }: Reference, spec: ReleaseSpec): { key: string; holds: string }[] {
  if (kind === 'ConfigMap') return [];
  const made = madeFor(spec);
  const asked = askedFor(env);
  if (asked !== undefined && key !== undefined)
    return made.some((m) => m.holds === asked) ? [{ key, holds: asked }] : [];
  return made.filter((m) => m.name === name && (key === undefined || m.key === key));
}

function addWanted(wanted: Map<string, WantedSecret>, reference: Reference, spec: ReleaseSpec): void {
  const { name, optional } = reference;
  for (const { key, holds } of heldBy(reference, spec)) {
    const { namespace } = spec;
    const secret = wanted.get(name) ?? { namespace, name, keys: [], holds: {}, optional: true };
    wanted.set(name, secret);
    if (!secret.keys.includes(key)) secret.keys.push(key);
    secret.holds[key] ??= holds;
    secret.optional &&= optional;
  }
}

/** What is there without the release: the certificate's Secret (2.6), the CA's ConfigMap, and the cluster's own roots. */
function madeElsewhere({ kind, name, key = '' }: Reference, spec: ReleaseSpec): boolean {
  if (kind === 'Secret')
    return spec.side === 'gke' && name === spec.tlsSecret && ['', 'tls.crt', 'tls.key'].includes(key);
  return ['', 'ca.crt'].includes(key) && (name === 'kube-root-ca.crt' || (spec.caFile && name === CA_CONFIG_MAP));
}

function renamed({ name, key, env, workload, where }: Reference, { release }: ReleaseSpec): Finding[] {
  const holds = askedFor(env);
  if (holds === undefined) return [];
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

/** Of the providers' keys only those that are set are in the Secret (2.3). */
function unlessSet({ name, key, optional, workload, where }: Reference, secret: WantedSecret): Finding[] {
  if (name !== LLM_SECRET || optional) return [];
  const needed = key === undefined ? `Secret ${name}` : (secret.holds[key] ?? key);
  return [
    {
      grade: 'warning',
      id: 'llm-key-required',
      object: workload.name,
      path: where,
      message: `does not start without ${needed}, which is there only where the provider's key is set`,
      remedy: key === undefined ? 'set the key of LLM_PROVIDER in .env' : `set ${needed} in .env`,
    },
  ];
}

function unknown({ kind, name, key, pull, workload, where }: Reference, secret: WantedSecret | undefined): Finding {
  const what = `${key === undefined ? '' : `key ${key} of `}${kind} ${name}`;
  const common = { id: kind === 'Secret' ? 'secret-unknown' : 'configmap-unknown', object: workload.name, path: where };
  if (pull)
    return {
      ...common,
      grade: 'warning',
      message: `pulls with ${what}, which nobody makes: the pull is then anonymous`,
      remedy: 'nothing, since the images must be public; or leave imagePullSecrets out of the values',
    };
  const instead = secret ? `; the runbook creates ${secret.keys.join(', ')} there` : '';
  return {
    ...common,
    grade: 'error',
    message: `reads ${what}, which neither the chart renders nor the runbook creates: its pods would not start${instead}`,
    remedy: `turn off what needs it by the chart's values, or create ${kind} ${name} and make the reference optional`,
  };
}

function contentFindings(reference: Reference, object: KubeObject, spec: ReleaseSpec): Finding[] {
  const { kind, key, optional, workload, where } = reference;
  const [held] = heldBy(reference, spec);
  const error = { grade: 'error' as const, object: nameOf(object), path: key ?? where };
  const found: Finding[] = [];
  if (held)
    found.push({
      ...error,
      id: 'secret-chart-made',
      message: `the chart renders the Secret that holds the ${held.holds}: its value would stand in the values, and one made before would not be adopted`,
      remedy: 'use a chart that reads an existing Secret, and name it by its existingSecret value',
    });
  if (key === undefined || optional) return found;
  const text = contentOf(object, key);
  if (kind === 'ConfigMap') {
    if (text === undefined)
      found.push({
        ...error,
        id: 'configmap-key',
        message: `has no key ${key}, and ${workload.name} (${where}) needs it`,
        remedy: 'mend the template: its pods would not start',
      });
  } else if (text === undefined || text.trim() === '') {
    found.push({
      ...error,
      id: 'secret-empty',
      message: `key ${key} is rendered ${text === undefined ? 'not at all' : 'empty'}, and ${workload.name} (${where}) needs it`,
      remedy: 'name an existing Secret by the values instead of letting the chart make one',
    });
  } else if (held && text.trim().startsWith('#')) {
    found.push({
      ...error,
      id: 'secret-placeholder',
      message: `key ${key} holds a placeholder comment, which the server would accept as a valid ${held.holds}`,
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

/** A finding where the API reads no key of the provider it is told to use, by env or by envFrom of the LLM Secret. */
export function llmKeyFindings({ spec, roles }: Release): Finding[] {
  if (spec.side !== 'gke' || !roles.api) return [];
  const name = LLM_ENV[spec.llmProvider].key;
  const read = roles.api.containers.some(
    ({ env = [], envFrom = [] }) =>
      env.some((e) => e.name === name) || envFrom.some((f) => f.secretRef?.name === LLM_SECRET && !f.prefix),
  );
  if (read) return [];
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
