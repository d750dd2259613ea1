/** The API server's Leases as kubectl shows them: create, compare and swap, delete with preconditions. */
import { CommandFailed, type Command } from '../../lib/base/command.ts';
import { inputOf, type World } from './outside.ts';
import type { KubeObject } from '../../lib/base/kubernetes.ts';

export class FakeLeases implements World {
  leases = new Map<string, KubeObject>();
  /** While set, every call fails by it. */
  down: string | undefined;
  #version = 0;

  command = (command: Command): string | undefined => {
    const { binary, args, mutates } = command;
    const line = args.join(' ');
    if (binary !== 'kubectl' || !line.endsWith('--request-timeout=10s --context gke-context --namespace default'))
      return undefined;
    const [verb = '', , subject = ''] = args;
    const refuse = (reason: string): never => {
      throw new CommandFailed(command, 1, { stdout: '', stderr: `Error from server (${reason}): x` }, false);
    };
    if (this.down !== undefined) throw new CommandFailed(command, 1, { stdout: '', stderr: this.down }, false);
    if (mutates !== (verb !== 'get')) throw new Error(`mutates is wrong: ${line}`);
    switch (verb) {
      case 'get': {
        const found = this.leases.get(subject);
        return found ? JSON.stringify(found) : '';
      }
      case 'create': {
        const object = JSON.parse(inputOf(command)) as KubeObject;
        if (this.leases.has(object.metadata.name)) return refuse('AlreadyExists');
        return this.put({ ...object, metadata: { ...object.metadata, uid: `uid-${++this.#version}` } });
      }
      case 'replace': {
        const object = JSON.parse(inputOf(command)) as KubeObject;
        return this.#same(object.metadata.name, object.metadata) ? this.put(object) : refuse('Conflict');
      }
      case 'delete': {
        const name = subject.split('/').at(-1) ?? '';
        const { preconditions } = JSON.parse(inputOf(command)) as { preconditions: Preconditions };
        if (!this.leases.has(name)) return refuse('NotFound');
        if (!this.#same(name, preconditions)) return refuse('Conflict');
        this.leases.delete(name);
        return '{}';
      }
    }
    return undefined;
  };

  /** Stores it as a new version; the JSON of it. */
  put(object: KubeObject): string {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    this.leases.set(object.metadata.name, stored);
    return JSON.stringify(stored);
  }

  #same(name: string, { uid, resourceVersion }: Preconditions): boolean {
    const held = this.leases.get(name)?.metadata;
    return held !== undefined && held.uid === uid && held['resourceVersion'] === resourceVersion;
  }
}

interface Preconditions {
  uid?: string;
  resourceVersion?: unknown;
}
