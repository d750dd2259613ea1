/** What the machine must have before the rehearsal world is brought up: all that lacks at once, before anything is changed. */
import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { BadInput, type Problem } from '../lib/base/failure.ts';
import { pidOf } from './processes.ts';
import { GOOGLE, REGISTRY } from './world.ts';

/** Programs that the sandbox neither brings nor installs. */
const PROGRAMS: Record<string, string> = {
  gcloud: 'install the Google Cloud CLI: https://cloud.google.com/sdk/docs/install',
  npm: 'apt-get install npm',
};

/** Ports on loopback, and the daemon of the sandbox's own that may hold them. */
const PORTS = [
  { port: Number(new URL(GOOGLE.endpoint).port), daemon: 'google' },
  { port: Number(REGISTRY.host.split(':')[1]), daemon: 'registry' },
];

/** @throws BadInput with everything that lacks: rights, programs, a Debian to install more from, free ports */
export async function checkPrerequisites(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const problems: Problem[] = [];
  if (process.getuid?.() !== 0)
    problems.push({
      about: 'root',
      message: 'the rehearsal world makes bridges and starts a container daemon',
      remedy: 'run it as root: sudo make sandbox',
    });
  for (const [name, remedy] of Object.entries(PROGRAMS))
    if (!onPath(name, env)) problems.push({ about: name, message: 'is not on PATH', remedy });
  if (!onPath('apt-get', env))
    problems.push({
      about: 'apt-get',
      message: 'is not on PATH, and what is missing is installed from Debian',
      remedy: 'use a Debian 12 or Ubuntu machine',
    });
  for (const { port, daemon } of PORTS)
    if (pidOf(daemon) === undefined && (await taken(port)))
      problems.push({
        about: `port ${port}`,
        message: `is in use, and the sandbox’s ${daemon} needs it`,
        remedy: `end what listens there: ss -ltnp 'sport = :${port}'`,
      });
  if (problems.length > 0) throw new BadInput(problems);
}

function onPath(name: string, env: NodeJS.ProcessEnv): boolean {
  return (env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** True when something listens on the port of loopback. */
export function taken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(false)));
  });
}
