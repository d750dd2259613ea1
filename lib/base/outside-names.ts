/** What names and values from outside may be, before they become an argument, a file's name or a line that is sourced. */
import type { KubeObject } from './kubernetes.ts';
import { Failure } from './failure.ts';
import { oneLine } from './say.ts';

const LONGEST_NAME = 253;
/** Kubernetes' own rule for all names of objects is wider; none may hold what a path or an option is made of. */
const NAME = /^[^/%\0-\x1f\x7f]+$/;
const KIND = /^[A-Za-z][A-Za-z0-9]*$/;
const VERSION = /^([a-z0-9.-]+\/)?[a-z0-9]+$/;
const DNS_LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const TOKEN = /^[A-Za-z0-9._~+/=-]{16,}$/;
const RESOURCE = /^[A-Za-z0-9][A-Za-z0-9.-]*$/;
const DIGEST = /^[a-z0-9]+:[A-Za-z0-9_=-]+$/;
const COMMIT = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

/** True for DNS labels joined by dots, as pods are named. */
export function isPodName(text: string): boolean {
  return text.length <= LONGEST_NAME && text.split('.').every((label) => DNS_LABEL.test(label));
}

/** True for what the runbook takes as a token that others made: no shell and no HTTP header sees more in it. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** True for a resource as `kubectl api-resources` names it. */
export function isResource(text: string): boolean {
  return RESOURCE.test(text);
}

/** True for an image's digest: sha256:…. */
export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

/** True for a commit's whole hash. */
export function isCommit(text: string): boolean {
  return COMMIT.test(text);
}

/** The objects that a cluster gave. @throws Failure where kind or name is what no API server gives: it would become an argument or a path */
export function checkedObjects(objects: KubeObject[]): KubeObject[] {
  for (const { apiVersion, kind, metadata } of objects) {
    const { name } = metadata;
    const isName = kind === 'Pod' ? isPodName(name) : name.length <= LONGEST_NAME && NAME.test(name);
    if (!isName || name === '.' || name === '..' || !KIND.test(kind) || !VERSION.test(apiVersion))
      throw new Failure({
        what: 'the cluster gave an object with a name that no API server accepts; nothing was done with it',
        found: oneLine(`${apiVersion} ${kind} ${name}`, 200),
        next: 'the API server, or who stands before it, is not to be trusted: look at the context of the cluster',
      });
  }
  return objects;
}
