/** The lock's record: a Lease in the GKE cluster's `default` namespace, changed only by compare and swap. */
import { CommandFailed, type Run } from '../base/command.ts';
import { OURS } from '../clients/kubectl.ts';
import type { Owner } from '../base/owner.ts';
import { oneLine } from '../base/say.ts';
import { targetFlags } from '../base/target.ts';
import type { KubeObject } from '../base/kubernetes.ts';

/** A Lease that is not renewed for this long has lost its owner; an API server's restart takes less. */
export const LEASE_MS = 60_000;

/** What a holder says of itself. */
export interface Claim {
  /** Of this one claim: a process may claim again before its last Lease is gone. */
  id: string;
  owner: Owner;
  /** What it runs, such as `deploy`. */
  what: string;
  /** The steps it is at, such as `2.5`; empty before the first. */
  step: string;
  /** ISO times. */
  since: string;
  renewed: string;
  /** How often it changed hands. */
  transitions: number;
}

/** A claim as the API server has it; uid and version are what the next change is compared with. */
export interface HeldClaim extends Claim {
  uid: string;
  version: string;
}

const ANNOTATION = 'kubently-runbook/';
/** Whoever may write the Lease writes these words. */
const LONGEST_WORDS = 200;
const NAMESPACE = 'default';

/** The Lease of one deployment, by kubectl. */
export class Lease {
  readonly name: string;
  readonly context: string;
  readonly #run: Run;

  constructor(run: Run, context: string, name: string) {
    this.#run = run;
    this.context = context;
    this.name = name;
  }

  /** Who has it, or undefined. @throws CommandFailed when the cluster does not answer */
  async read(): Promise<HeldClaim | undefined> {
    const { stdout } = await this.#kubectl(
      ['get', 'leases.coordination.k8s.io', this.name, '--ignore-not-found', '-o', 'json'],
      false,
    );
    return stdout.trim() === '' ? undefined : claimOf(stdout);
  }

  /** Takes a free Lease; undefined where somebody has it. */
  async create(claim: Claim): Promise<HeldClaim | undefined> {
    return this.#unlessRefused(['create', '--validate=false', '-o', 'json', '-f', '-'], this.#object(claim));
  }

  /** Renews or takes over what was read; undefined where it has changed since. */
  async replace({ uid, version }: HeldClaim, claim: Claim): Promise<HeldClaim | undefined> {
    const object = this.#object(claim);
    // Without the uid the API server makes a Lease that is gone anew.
    Object.assign(object.metadata, { uid, resourceVersion: version });
    return this.#unlessRefused(['replace', '--validate=false', '-o', 'json', '-f', '-'], object);
  }

  /** Frees it; false where it is not as it was read. */
  async remove({ uid, version }: HeldClaim): Promise<boolean> {
    const path = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/${this.name}`;
    const options = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: { uid, resourceVersion: version },
    };
    try {
      await this.#kubectl(['delete', '--raw', path, '-f', '-'], true, JSON.stringify(options));
      return true;
    } catch (error) {
      if (isRefused(error)) return false;
      throw error;
    }
  }

  async #unlessRefused(args: readonly string[], object: KubeObject): Promise<HeldClaim | undefined> {
    try {
      return claimOf((await this.#kubectl(args, true, JSON.stringify(object))).stdout);
    } catch (error) {
      if (isRefused(error)) return undefined;
      throw error;
    }
  }

  #kubectl(args: readonly string[], mutates: boolean, input?: string) {
    const target = { context: this.context, namespace: NAMESPACE };
    return this.#run({
      binary: 'kubectl',
      args: [...args, '--request-timeout=10s', ...targetFlags(target)],
      mutates,
      timeoutMs: 15_000,
      ...(input === undefined ? {} : { input }),
    });
  }

  #object({ id, owner, what, step, since, renewed, transitions }: Claim): KubeObject {
    const { user, host, pid, run, place, started } = owner;
    const said = { id, user, host, pid: String(pid), run, place, started, what, step };
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: this.name,
        namespace: NAMESPACE,
        labels: OURS,
        annotations: Object.fromEntries(Object.entries(said).map(([key, text]) => [ANNOTATION + key, text])),
      },
      spec: {
        holderIdentity: `${user}@${host}/${pid}/${run}`,
        leaseDurationSeconds: LEASE_MS / 1000,
        leaseTransitions: transitions,
        acquireTime: microTime(since),
        renewTime: microTime(renewed),
      },
    };
  }
}

function claimOf(text: string): HeldClaim {
  const { metadata, spec } = JSON.parse(text) as KubeObject & {
    metadata: { uid: string; resourceVersion: string };
    spec?: { acquireTime?: string; renewTime?: string; leaseTransitions?: number; holderIdentity?: string };
  };
  const said = (key: string): string => shown(metadata.annotations?.[ANNOTATION + key] ?? '');
  return {
    id: said('id'),
    owner: {
      user: said('user') || shown(spec?.holderIdentity ?? 'somebody'),
      host: said('host'),
      pid: Number(said('pid')),
      run: said('run'),
      place: said('place'),
      started: said('started'),
    },
    what: said('what'),
    step: said('step'),
    since: shown(spec?.acquireTime ?? ''),
    renewed: shown(spec?.renewTime ?? ''),
    transitions: spec?.leaseTransitions ?? 0,
    uid: metadata.uid,
    version: metadata.resourceVersion,
  };
}

function shown(text: string): string {
  return oneLine(text, LONGEST_WORDS);
}

/** The API's MicroTime wants six decimals. */
function microTime(iso: string): string {
  return iso.replace(/\.(\d{3})Z$/, '.$1000Z');
}

function isRefused(error: unknown): boolean {
  return error instanceof CommandFailed && /\((AlreadyExists|Conflict|NotFound)\)/.test(error.stderr);
}
