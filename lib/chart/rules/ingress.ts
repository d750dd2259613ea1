/** The Ingress matches the spec: host, class, TLS Secret, backend; no issuer, no snippet; annotations that the controller honours. */
import type { IIngressSpec } from 'kubernetes-models/networking.k8s.io/v1/IngressSpec';
import { HONOURED_BY_TRAEFIK, NGINX_PREFIX } from '../ingress-annotations.ts';
import type { Finding } from '../finding.ts';
import type { GkeReleaseSpec } from '../release-spec.ts';
import type { Release, Rule } from './rule.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';

/** Annotations by which cert-manager's ingress-shim would make a Certificate of its own. */
export const ISSUER_ANNOTATION = /^(cert-manager\.io\/(cluster-)?issuer(-kind|-group)?|kubernetes\.io\/tls-acme)$/;

/** Annotations whose text becomes the controller's own configuration: who may write an Ingress commands the controller (CVE-2021-25742). */
export const SNIPPET_ANNOTATION = /^nginx\.(ingress\.kubernetes\.io|org)\/(.*-)?snippets?$/;

export const ingressMatchesSpec: Rule = (release) => {
  const { spec, objects } = release;
  const ingresses = objects.filter((o) => o.kind === 'Ingress');
  if (spec.side !== 'gke') return [];
  if (ingresses.length === 0)
    return [
      finding(
        'no-ingress',
        undefined,
        `the release has no Ingress for ${spec.host}`,
        'see the values that the chart ignores',
      ),
    ];
  return [
    ...ingresses.flatMap((i) => [...specFindings(i, spec, release), ...annotationFindings(i, spec)]),
    ...objects.filter((o) => o.apiVersion.startsWith('cert-manager.io/')).map(chartsOwnTls),
  ];
};

function finding(id: string, object: string | undefined, message: string, remedy: string, path?: string): Finding {
  return { grade: 'error', id, ...(object ? { object } : {}), ...(path ? { path } : {}), message, remedy };
}

function chartsOwnTls(object: KubeObject): Finding {
  return finding(
    'chart-tls',
    nameOf(object),
    `the chart makes a ${object.kind} of its own, beside the runbook's Certificate (two owners)`,
    "turn the chart's TLS off by its values; lib/chart/value-aliases.ts knows tls.enabled",
  );
}

function specFindings(ingress: KubeObject, wanted: GkeReleaseSpec, { objects }: Release): Finding[] {
  const object = nameOf(ingress);
  const spec = ingress['spec'] as IIngressSpec;
  const found: Finding[] = [];
  const remedy = 'see the values that the chart ignores; it may spell the Ingress in another way';
  const hosts = (spec.rules ?? []).map((r) => r.host ?? '(any)');
  if (hosts.length !== 1 || hosts[0] !== wanted.host)
    found.push(
      finding('ingress-host', object, `serves ${hosts.join(', ') || 'no host'} instead of ${wanted.host}`, remedy),
    );
  const className = spec.ingressClassName ?? ingress.metadata.annotations?.['kubernetes.io/ingress.class'] ?? 'none';
  if (className !== wanted.ingressClass)
    found.push(finding('ingress-class', object, `has class ${className} instead of ${wanted.ingressClass}`, remedy));
  const tls = spec.tls ?? [];
  const covered = tls.some((t) => t.secretName === wanted.tlsSecret && t.hosts?.includes(wanted.host));
  if (tls.length !== 1 || !covered) {
    const shown = tls.map((t) => `${t.secretName ?? 'no Secret'} for ${t.hosts?.join(', ') ?? 'no host'}`).join('; ');
    found.push(
      finding(
        'ingress-tls',
        object,
        `has TLS ${shown || 'off'} instead of ${wanted.tlsSecret} for ${wanted.host}`,
        remedy,
      ),
    );
  }
  const paths = (spec.rules ?? []).flatMap((r) => r.http?.paths ?? []);
  if (!paths.some((p) => p.path === '/' && p.pathType === 'Prefix'))
    found.push(finding('ingress-path', object, 'does not serve / with pathType Prefix', remedy));
  for (const { backend } of paths) found.push(...backendFindings(object, backend, objects));
  return found;
}

function backendFindings(
  object: string,
  { service }: NonNullable<IIngressSpec['defaultBackend']>,
  objects: readonly KubeObject[],
): Finding[] {
  const rendered = objects.find((o) => o.kind === 'Service' && o.metadata.name === service?.name);
  const ports = (rendered?.['spec'] as { ports?: { port: number; name?: string }[] } | undefined)?.ports ?? [];
  if (ports.some((p) => p.port === service?.port?.number || (p.name !== undefined && p.name === service?.port?.name)))
    return [];
  const port = service?.port?.number ?? service?.port?.name ?? 'none';
  return [
    finding(
      'ingress-backend',
      object,
      `sends to ${service?.name ?? 'nothing'}:${port}, no port of a Service in the release`,
      'mend the chart',
    ),
  ];
}

function annotationFindings(ingress: KubeObject, spec: GkeReleaseSpec): Finding[] {
  const object = nameOf(ingress);
  return Object.keys(ingress.metadata.annotations ?? {}).flatMap((key): Finding[] => {
    if (ISSUER_ANNOTATION.test(key))
      return [
        finding(
          'ingress-issuer',
          object,
          `${key} asks cert-manager for a Certificate beside the runbook's own: it would be a silent no-op, and the Secret has two owners`,
          'leave the annotation out; TLS_ISSUER says which issuer is wanted',
          key,
        ),
      ];
    if (SNIPPET_ANNOTATION.test(key))
      return [
        finding(
          'ingress-snippet',
          object,
          `${key} writes into the controller's own configuration: a known way in (CVE-2021-25742)`,
          'leave the annotation out; headers, TLS versions and limits are set in the controller (values/traefik-dynamic.yaml)',
          key,
        ),
      ];
    const name = key.startsWith(NGINX_PREFIX) ? key.slice(NGINX_PREFIX.length) : undefined;
    if (name === undefined || spec.ingressController === 'existing' || HONOURED_BY_TRAEFIK.has(name)) return [];
    return [
      {
        grade: 'warning',
        id: 'annotation-not-honoured',
        object,
        path: key,
        message: `Traefik does not honour ${key}: it has no effect`,
        remedy: 'leave it out; where it protects something, set that in Traefik (for TLS versions its TLSOption)',
      },
    ];
  });
}
