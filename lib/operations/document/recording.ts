/** An Outside that writes down what it is asked, before it passes it on. */
import type { Command, Output } from '../../base/command.ts';
import type { Outside } from '../../context.ts';
import type { HttpRequest } from '../../base/http.ts';

export type Asked =
  | { kind: 'command'; command: Command; output: Output }
  | { kind: 'request'; request: HttpRequest }
  | { kind: 'dns'; name: string; servers: readonly string[] }
  | { kind: 'tls'; host: string };

export interface Recording {
  outside: Outside;
  /** What was asked since the last time. */
  take: () => Asked[];
}

/** Records everything that is asked of a world. */
export function recordingOf(world: Outside): Recording {
  let asked: Asked[] = [];
  return {
    take: () => {
      const taken = asked;
      asked = [];
      return taken;
    },
    outside: {
      clock: world.clock,
      follow: world.follow,
      legacyTls: world.legacyTls,
      run: async (command) => {
        const output = await world.run(command);
        asked.push({ kind: 'command', command, output });
        return output;
      },
      http: (request) => {
        asked.push({ kind: 'request', request });
        return world.http(request);
      },
      dns: {
        nameServers: (zone) => world.dns.nameServers(zone),
        addresses: (name) => {
          asked.push({ kind: 'dns', name, servers: [] });
          return world.dns.addresses(name);
        },
        addressesAt: (servers, name) => {
          asked.push({ kind: 'dns', name, servers });
          return world.dns.addressesAt(servers, name);
        },
      },
      served: (host) => {
        asked.push({ kind: 'tls', host });
        return world.served(host);
      },
    },
  };
}

/** True for what changes something: a command that says so, and a registration at the API. */
export function changes(asked: Asked): boolean {
  switch (asked.kind) {
    case 'command':
      return asked.command.mutates;
    case 'request':
      return asked.request.url.includes('/admin/agents/') && (asked.request.method ?? 'GET') !== 'GET';
    case 'dns':
    case 'tls':
      return false;
  }
}
