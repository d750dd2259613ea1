/** A change of the newest chart, and what is to come of it. */
import type { Fit } from '../../../lib/chart/fit.ts';

export interface Mutation {
  name: string;
  side?: 'remote';
  changes: Record<string, (text: string) => string>;
  /** Every error says this; without it the release is complete. */
  refused?: RegExp;
  /** Ids of the warnings that only this change brings. */
  told?: readonly string[];
  /** What else is to be seen of the adapted release. */
  adapted?: (fit: Fit) => void;
}

export const API = 'templates/api-deployment.yaml';
export const EXECUTOR = 'templates/executor-deployment.yaml';
export const REDIS = 'templates/redis.yaml';

/** Replaces each occurrence. */
export const swap = (from: string | RegExp, to: string) => (text: string) => text.replaceAll(from, to);

/** Puts lines before the first occurrence. */
export const insert = (before: string, lines: string) => (text: string) => text.replace(before, () => lines + before);

/** A new template. */
export const file = (text: string) => () => text;

/** One change after the other. */
export const both =
  (...changes: ((text: string) => string)[]) =>
  (text: string) =>
    changes.reduce((t, change) => change(t), text);

/** A pod spec of one container in flow style, with env entries and more fields of container and pod. */
export function pod(container: string, more = ''): string {
  return `{ restartPolicy: Never, containers: [{ name: c, image: "busybox:1.37.0", ${container} }]${more} }`;
}

/** A Job with annotations, as hooks are. */
export function job(name: string, annotations: string, podSpec: string): string {
  return `apiVersion: batch/v1\nkind: Job\nmetadata: { name: ${name}, annotations: ${annotations} }\nspec: { template: { spec: ${podSpec} } }\n`;
}

/** An env entry from a Secret's key, in flow style. */
export function fromSecret(env: string, name: string, key: string, optional = ''): string {
  return `{ name: ${env}, valueFrom: { secretKeyRef: { name: ${name}, key: ${key}${optional} } } }`;
}
