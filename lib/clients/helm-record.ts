/** Helm's record of a release's revision, as it lies in a Secret: read by one kubectl in place of three helm processes. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { Failure } from '../base/failure.ts';
import type { Kubectl } from './kubectl.ts';
import type { KubeObject } from '../base/kubernetes.ts';

/** What the runbook reads of a record; the rest of it is kept when one is written back. */
export interface HelmRecord {
  name: string;
  version: number;
  /** `deleted`: when an uninstall began. */
  info: { status: string; description?: string; last_deployed?: string; deleted?: string };
  chart: { metadata: { name: string; version: string } };
  /** The values given; absent where there were none. */
  config?: unknown;
  /** What was rendered, as YAML. */
  manifest: string;
}

/** A Secret holds 1 MB, which may be unpacked into a thousand times as much. */
const LARGEST = 32 * 1024 * 1024;

/** The Secret of the release's newest revision, in whatever state; undefined where there is no release. */
export async function newestSecret(kube: Kubectl, release: string): Promise<KubeObject | undefined> {
  const secrets = await kube.list('Secret', `owner=helm,name=${release}`);
  const version = (o: KubeObject): number => Number(o.metadata.labels?.['version']);
  return secrets.sort((a, b) => version(b) - version(a))[0];
}

/** Helm keeps a record as base64 of gzip of JSON, in a Secret's base64. @throws Failure on anything else */
export function decode(secret: KubeObject): HelmRecord {
  const text = (secret['data'] as Record<string, string> | undefined)?.['release'] ?? '';
  try {
    return JSON.parse(
      gunzipSync(Buffer.from(Buffer.from(text, 'base64').toString(), 'base64'), {
        maxOutputLength: LARGEST,
      }).toString(),
    ) as HelmRecord;
  } catch (cause) {
    throw new Failure({ what: `Helm's record ${secret.metadata.name} cannot be read`, cause });
  }
}

/** The record as the value of its Secret's key `release`. */
export function encode(record: HelmRecord): string {
  return Buffer.from(gzipSync(JSON.stringify(record)).toString('base64')).toString('base64');
}

/** The Secret in which Helm would keep the record. */
export function secretOf(record: HelmRecord, namespace: string): KubeObject {
  const { name, version, info } = record;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: `sh.helm.release.v1.${name}.v${version}`,
      namespace,
      labels: { owner: 'helm', name, status: info.status, version: String(version) },
    },
    type: 'helm.sh/release.v1',
    data: { release: encode(record) },
  };
}
