/** Writes the deployment as a document to go on with by hand, from the steps' own code: `--out FILE`, else standard output. */
import { writeFile } from 'node:fs/promises';
import { realRun } from '../../lib/base/command.ts';
import { documentOf, type Remarks } from '../../lib/operations/document/document.ts';
import { recordDeploy } from '../../lib/operations/document/record-deploy.ts';
import { headCommit } from '../../lib/deployment/kubently/checkout.ts';
import { outFile } from '../../lib/base/out-path.ts';
import { runAlone } from '../entry.ts';
import { printable, say } from '../../lib/base/say.ts';
import { loadSettings, type Settings } from '../../lib/settings/settings.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { STEPS } from '../steps.ts';
import { PROOFS, SYMPTOMS, UNDO_HURTS } from './by-hand.ts';

/** The document of these settings. */
async function runbookDocument(settings: Settings): Promise<string> {
  const run = realRun(settings.childEnvironment);
  const { short } = await headCommit(run, settings.repo);
  return documentOf(await recordDeploy(settings, STEPS, run), settings, remarks(settings, short));
}

/** What people say of the steps of this deployment. @throws Error for a step without a proof by hand */
export function remarks(settings: Settings, commit: string): Remarks {
  return {
    proofOf: (id) => {
      const proof = PROOFS[id];
      if (!proof) throw new Error(`no proof by hand of ${id}`);
      return proof(settings, commit);
    },
    symptoms: SYMPTOMS,
    undoHurts: UNDO_HURTS,
  };
}

/** @returns the exit status */
export async function writeRunbookDocument({ out }: { out?: string }): Promise<number> {
  const file = out === undefined ? undefined : outFile(out);
  const text = printable(await runbookDocument(loadSettings()));
  if (file === undefined) say(text.trimEnd());
  else await writeFile(file, text);
  return STATUS.done;
}

void runAlone(import.meta);
