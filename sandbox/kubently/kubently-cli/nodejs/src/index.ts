#!/usr/bin/env node
/** The program `kubently`: its commands and options (kubently-contract 5). */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { reason } from './api.ts';
import { chat } from './chat.ts';
import * as clusters from './clusters.ts';
import { connection, MISSING, readConfig, type Connection, type Flags } from './settings.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The global options are taken before and after the subcommand alike. */
function withGlobals(command: Command): Command {
  return command
    .option('--api-url <url>', 'URL of the Kubently API')
    .option('--api-key <key>', 'API key (KUBENTLY_API_KEY keeps it off the command line)')
    .option('--a2a-path <path>', 'path of the A2A endpoint')
    .option('--debug', 'show requests');
}

const program = withGlobals(new Command('kubently')).version(version, '-v, --version');
readConfig();

function settings(command: Command): Connection | undefined {
  return connection(command.optsWithGlobals<Flags>());
}

/** Runs a cluster command: exit 1 on an HTTP error, 0 when URL or key are missing. */
async function withConnection(command: Command, run: (at: Connection) => Promise<void>): Promise<void> {
  const at = settings(command);
  if (at === undefined) {
    console.log(MISSING);
    return;
  }
  try {
    await run(at);
  } catch (error) {
    console.error(`Error: ${reason(error)}`);
    process.exitCode = 1;
  }
}

withGlobals(program.command('debug'))
  .argument('[cluster-id]', 'ask about this cluster only')
  .option('--insecure', 'do not verify the certificate')
  .description('ask the agent; questions may be piped in, one a line')
  .action(async (clusterId: string | undefined, options: { insecure?: boolean }, command: Command) => {
    const at = settings(command);
    if (at === undefined) {
      console.error(MISSING);
      process.exitCode = 1;
      return;
    }
    if (options.insecure === true) process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    await chat(at, clusterId);
  });

const cluster = program.command('cluster').description('the registered clusters');
withGlobals(cluster.command('list')).action((_options: Flags, command: Command) =>
  withConnection(command, clusters.list),
);
withGlobals(cluster.command('status'))
  .argument('<cluster-id>')
  .action((id: string, _options: Flags, command: Command) => withConnection(command, (at) => clusters.status(at, id)));
withGlobals(cluster.command('add'))
  .argument('<cluster-id>')
  .option('--custom-token <token>', '32 to 128 letters, digits, - or _')
  .action((id: string, options: { customToken?: string }, command: Command) =>
    withConnection(command, (at) => clusters.add(at, id, options.customToken)),
  );
withGlobals(cluster.command('remove'))
  .argument('<cluster-id>')
  .option('-f, --force', 'do not ask')
  .action((id: string, options: { force?: boolean }, command: Command) =>
    withConnection(command, (at) => clusters.remove(at, id, options.force === true)),
  );

program.command('version').action(() => console.log(version));

await program.parseAsync();
