/** What a step is: what it makes true, and its six small parts (docs/architecture.md, "A step"). */
import type { Context } from './context.ts';
import { isNone, type Drift } from './clients/drift.ts';
import { differenceLines } from './clients/field-differences.ts';
import type { Target } from './base/target.ts';

/** A step's number in the plan, such as 2.3. */
export type StepId = `${number}.${number}`;

export type Check =
  /** The live state matches the configuration. */
  | { state: 'done'; reason: string }
  | { state: 'absent'; reason: string }
  /** Something else is there, which apply can safely converge. */
  | { state: 'differs'; reason: string; lines?: string[] }
  /** Something else is there, and a person must decide: the run stops. `next` names the way out. */
  | { state: 'conflict'; reason: string; next: string }
  /** Cannot be known before an earlier step has run. */
  | { state: 'unknown'; reason: string; after: StepId };

export const KEEPABLE = ['dns', 'ip', 'certs', 'data'] as const;
export type Keep = (typeof KEEPABLE)[number];

/** `issuers`: the ClusterIssuers and what they sign in with (key, account, binding). */
export type Part = 'record' | 'address' | 'certificates' | 'data' | 'cert-manager' | 'issuers' | 'ingress';

/** Why each part that is left alone is. */
export type Retained = ReadonlyMap<Part, string>;

/** Objects of the deployment in one namespace, found live by their labels, by Helm's annotations and by name. */
export interface OwnedObjects {
  target: Target;
  /** Helm releases of the deployment there. */
  releases?: readonly string[];
  /** The part with which the namespace and all in it is retained. */
  part?: Part;
  /**
   * Kind/name of what controllers make without a mark of whose it is, of what is applied outside all namespaces (label
   * and name decide: another deployment bears the label too), and of what is retained with other parts: the first one.
   */
  named?: Readonly<Record<string, readonly Part[]>>;
  /** Another namespace, in which the releases and `named` have Roles and Leases. */
  alsoIn?: string;
  /** How the names of the claims begin whose volumes are the deployment's. */
  claims?: string;
  /** True where probes make namespaces of their own. */
  probes?: boolean;
}

/** Something of the deployment outside the clusters, as it is now. */
export interface OwnedItem {
  where: string;
  kind: string;
  name: string;
  /** The part with which it is retained. */
  part?: Part;
  /** Why it always stays. */
  kept?: string | undefined;
}

/** All that a step makes; removal and its inventory know nothing else. */
export interface Owns {
  objects?: readonly OwnedObjects[];
  /** In Google Cloud, in the registry, on this machine. */
  elsewhere?: () => Promise<readonly OwnedItem[]>;
}

/** What a removal leaves alone, and what all steps own in clusters: a namespace may hold objects of several. */
export interface Removal {
  retained: Retained;
  owned: readonly (OwnedObjects & { step: StepId })[];
}

interface StepBase {
  id: StepId;
  /** What it makes true. */
  title: string;
  /** Steps whose check must be done before this one's check and apply. */
  needs: StepId[];
  /** Steps that must be done before verify; apply does not wait for them. */
  needsToVerify?: StepId[];
}

/** A step that changes something. */
export interface ChangeStep extends StepBase {
  kind: 'change';
  /** Reads only. */
  check: (ctx: Context) => Promise<Check>;
  /** The plan's commands, from the state that check found. */
  apply: (ctx: Context) => Promise<void>;
  /** Proves the effect from outside; the evidence in words. @throws Failure */
  verify: (ctx: Context) => Promise<string>;
  owns: (ctx: Context) => Owns;
  /** The inverse of apply, less what is retained, tolerant of what is already gone; or why there is none. */
  undo: ((ctx: Context, removal: Removal) => Promise<void>) | { none: string };
}

/** What a proof shows; a claim that does not hold is a Failure. */
export type Proof =
  | { state: 'proven'; evidence: string }
  /** Nothing failed, but it could not be shown (no LLM key, no enforcing CNI): not counted as passed. */
  | { state: 'unproven'; reason: string };

/** A step that only proves (phase 4): it may make labelled probes, and removes them. */
export interface ProofStep extends StepBase {
  kind: 'proof';
  /** What can be made ready after `needs` and before `needsToVerify`; nothing outside this machine. */
  prepare?: (ctx: Context) => Promise<unknown>;
  /** @throws Failure when it does not hold */
  prove: (ctx: Context) => Promise<Proof>;
}

export type Step = ChangeStep | ProofStep;

export function proven(evidence: string): Proof {
  return { state: 'proven', evidence };
}

export function unproven(reason: string): Proof {
  return { state: 'unproven', reason };
}

export function done(reason: string): Check {
  return { state: 'done', reason };
}

export function absent(reason: string): Check {
  return { state: 'absent', reason };
}

/** A difference that apply may overwrite. */
export function differs(reason: string, lines?: string[]): Check {
  return { state: 'differs', reason, ...(lines ? { lines } : {}) };
}

/** A difference that needs a person's decision. */
export function conflict(reason: string, next: string): Check {
  return { state: 'conflict', reason, next };
}

/** What only an earlier step makes known. */
export function unknownBefore(after: StepId, reason: string): Check {
  return { state: 'unknown', reason, after };
}

/** A drift as a check: the objects are there and equal, missing, or different. */
export function checkOf(drift: Drift, matchesSpec: string): Check {
  if (isNone(drift)) return done(matchesSpec);
  if (drift.changed.length === 0) return absent(`missing: ${drift.absent.join(', ')}`);
  const lines = [...differenceLines(drift.changed), ...drift.absent.map((o) => `${o}: nothing → created`)];
  return differs(`${lines[0] ?? ''}${lines.length > 1 ? ` (and ${lines.length - 1} more)` : ''}`, lines);
}

/** Numerical order: 2.10 comes after 2.9. */
export function byId(a: { id: StepId }, b: { id: StepId }): number {
  const [aPhase = 0, aStep = 0] = a.id.split('.').map(Number);
  const [bPhase = 0, bStep = 0] = b.id.split('.').map(Number);
  return aPhase - bPhase || aStep - bStep;
}
