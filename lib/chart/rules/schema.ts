/** Every object is valid for the API: the OpenAPI schemas of Kubernetes as the npm package kubernetes-models compiles them. */
import type { Finding } from '../finding.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';

interface SchemaError {
  instancePath: string;
  keyword: string;
  params: Record<string, unknown>;
}
interface Validator {
  (data: unknown): boolean;
  errors?: SchemaError[] | null;
}

/** Kubernetes serves no beta API by default since 1.24, and the older ones are all gone by 1.32. */
const NOT_SERVED = /(alpha|beta)\d+$/;

/**
 * What is wrong with the objects' shapes, and the objects that are well formed.
 * Unknown fields are found too, which the API server drops (or refuses) and no compiled schema reports.
 */
export async function validObjects(
  objects: readonly KubeObject[],
): Promise<{ valid: KubeObject[]; findings: Finding[] }> {
  const checked = await Promise.all(
    objects.map(async (object) => ({ object, findings: await schemaFindings(object) })),
  );
  return {
    valid: checked.filter((c) => !c.findings.some((f) => f.id === 'schema')).map((c) => c.object),
    findings: checked.flatMap((c) => c.findings),
  };
}

async function schemaFindings(object: KubeObject): Promise<Finding[]> {
  const [group = '', version = ''] = object.apiVersion.includes('/')
    ? object.apiVersion.split('/')
    : ['core', object.apiVersion];
  if (group.includes('.') && !group.endsWith('.k8s.io')) {
    return [
      {
        grade: 'warning',
        id: 'custom-resource',
        object: nameOf(object),
        message: `is of ${object.apiVersion}, which Kubernetes itself does not know: its CRD must be installed first`,
        remedy: 'turn off what renders it, unless another step installs the CRD',
      },
    ];
  }
  const finding = (message: string, path?: string, id = 'schema'): Finding => ({
    grade: 'error',
    id,
    object: nameOf(object),
    ...(path ? { path } : {}),
    message,
    remedy: 'mend the template, or the value that it prints here',
  });
  if (NOT_SERVED.test(version))
    return [finding(`${object.apiVersion} is no longer served by Kubernetes 1.35`, 'apiVersion')];
  const validate = await validatorOf(group, version, object.kind);
  if (!validate) return [finding(`Kubernetes has no ${object.kind} in ${object.apiVersion}`, 'kind')];
  const unknown = watched(object, '');
  const ok = validate(unknown.proxy);
  // The message for the innermost place says most; a oneOf around it only repeats that nothing fitted.
  const errors = ok ? [] : (validate.errors ?? []).filter((e) => e.keyword !== 'oneOf' && e.keyword !== 'anyOf');
  const places = new Map(errors.map((e) => [e.instancePath, finding(said(e), e.instancePath)]));
  return [
    ...places.values(),
    ...unknown
      .unread()
      .map((path) => finding('is no field of the API: the server drops or refuses it', path, 'unknown-field')),
  ];
}

function said({ keyword, params }: SchemaError): string {
  if (keyword === 'required') return `lacks ${String(params['missingProperty'])}`;
  if (keyword === 'enum') return `must be one of ${(params['allowedValues'] as unknown[]).join(', ')}`;
  return keyword === 'type' ? `must be of type ${String(params['type'])}` : `is not valid (${keyword})`;
}

async function validatorOf(group: string, version: string, kind: string): Promise<Validator | undefined> {
  const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
  const name = `IoK8sApi${capital(group.split('.')[0] ?? '')}${capital(version)}${kind}`;
  try {
    const module = (await import(`kubernetes-models/_schemas/${name}`)) as { validate: Validator };
    return module.validate;
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

interface Watched {
  proxy: unknown;
  /** Paths of keys that were there and never read, under objects of which some key was asked for. */
  unread: () => string[];
}

/** A compiled schema reads every property that it knows, so a key that it never reads is none of the API's. */
function watched(value: unknown, path: string): Watched {
  if (typeof value !== 'object' || value === null) return { proxy: value, unread: () => [] };
  const asked = new Set<string>();
  const children = new Map<string, Watched>();
  const proxy = new Proxy(value, {
    get: (target, key, receiver) => {
      const found = Reflect.get(target, key, receiver) as unknown;
      if (typeof key === 'symbol') return found;
      asked.add(key);
      const child = children.get(key) ?? watched(found, `${path}/${key}`);
      children.set(key, child);
      return child.proxy;
    },
  });
  const unread = (): string[] => {
    const own = Array.isArray(value) || asked.size === 0 ? [] : Object.keys(value).filter((key) => !asked.has(key));
    return [...own.map((key) => `${path}/${key}`), ...[...children.values()].flatMap((c) => c.unread())];
  };
  return { proxy, unread };
}
