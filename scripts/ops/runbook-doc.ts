/** Writes the deployment as a document to go on with by hand, from the steps' own code: `--out FILE`, else standard output. */
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { realRun } from '../../lib/base/command.ts';
import { documentOf } from '../../lib/operations/document/document.ts';
import { recordDeploy } from '../../lib/operations/document/record-deploy.ts';
import { outFile } from '../../lib/base/out-path.ts';
import { ownArguments } from '../entry.ts';
import { runProgram } from '../program.ts';
import { scrub } from '../../lib/base/secret.ts';
import { loadSettings, type Settings } from '../../lib/settings/settings.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { STEPS } from '../steps.ts';

const program = new Command('runbook-doc')
  .description(
    'The whole deployment as Markdown: what each step makes true, what it runs, how it is proven and undone.',
  )
  .option('--out <file>', 'write it there instead of to standard output');

/** The document of these settings. */
export async function runbookDocument(settings: Settings): Promise<string> {
  return documentOf(await recordDeploy(settings, STEPS, realRun(settings.childEnvironment)), settings);
}

/** @returns the exit status */
export async function writeRunbookDocument({ out }: { out?: string }): Promise<number> {
  const file = out === undefined ? undefined : outFile(out);
  const text = scrub(await runbookDocument(loadSettings()));
  if (file === undefined) process.stdout.write(text);
  else await writeFile(file, text);
  return STATUS.done;
}

const args = ownArguments(import.meta);
if (args) void runProgram(program, args, () => writeRunbookDocument(program.opts<{ out?: string }>()));
