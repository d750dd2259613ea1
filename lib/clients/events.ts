/** Events of Kubernetes objects: what controllers and the kubelet said about them. */
import type { KubeObject } from '../base/kubernetes.ts';

export interface KubeEvent {
  kind: string;
  name: string;
  reason: string;
  message: string;
  /** How often it was said. */
  count: number;
  /** When it was said last, in milliseconds; 0 where it does not say. */
  at: number;
  warning: boolean;
}

const SHOWN = 5;

/** The events of `list('Event')`, oldest first. */
export function eventsOf(objects: readonly KubeObject[]): KubeEvent[] {
  const read = (o: KubeObject): KubeEvent => {
    const { kind = '', name = '' } = (o['involvedObject'] ?? {}) as { kind?: string; name?: string };
    const series = o['series'] as { count?: number; lastObservedTime?: string } | undefined;
    const last = [series?.lastObservedTime, o['lastTimestamp'], o['eventTime'], o.metadata.creationTimestamp];
    return {
      kind,
      name,
      reason: String(o['reason']),
      message: String(o['message']),
      count: series?.count ?? Number(o['count'] ?? 1),
      at: Date.parse(String(last.find(Boolean))) || 0,
      warning: o['type'] === 'Warning',
    };
  };
  return objects.map(read).sort((a, b) => a.at - b.at);
}

/** The last warnings about some objects, a line each. */
export function warningLines(events: readonly KubeEvent[], about: (event: KubeEvent) => boolean): string[] {
  return events
    .filter((e) => e.warning && about(e))
    .slice(-SHOWN)
    .map((e) => `event ${e.kind}/${e.name} ${e.reason}${e.count > 1 ? ` (${e.count} times)` : ''}: ${e.message}`);
}
