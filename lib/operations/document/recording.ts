/** An Outside that writes down what it is asked, before it passes it on. */
import type { Command, Output } from '../../base/command.ts';
import type { Outside } from '../../context.ts';
import type { HttpRequest } from '../../base/http.ts';

export type Asked = { kind: 'command'; command: Command; output: Output } | { kind: 'request'; request: HttpRequest };

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
      ...world,
      run: async (command) => {
        const output = await world.run(command);
        asked.push({ kind: 'command', command, output });
        return output;
      },
      http: (request) => {
        asked.push({ kind: 'request', request });
        return world.http(request);
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
  }
}
