/** Writes what the runbook made in Google Cloud as OpenTofu or Terraform code with import blocks; nothing is changed. `--out DIR` */
import { outFolder } from '../../lib/base/out-path.ts';
import { STATUS } from '../../lib/base/exit-status.ts';
import { printable } from '../../lib/base/say.ts';
import { infrastructureCode } from '../../lib/operations/iac/infrastructure-code.ts';
import { writeFiles } from '../../lib/operations/write-files.ts';
import type { Session } from '../../lib/runner/session.ts';
import { runAlone } from '../entry.ts';

/** Writes the files and prints their paths, and what is left out. @returns the exit status @throws BadInput without a folder */
export async function writeIac({ ctx, out }: Session, folder: string | undefined): Promise<number> {
  const path = outFolder(folder, 'make iac OUT=dir');
  const { files, leftOut } = await infrastructureCode(ctx);
  await writeFiles(path, Object.fromEntries(Object.entries(files).map(([name, text]) => [name, printable(text)])));
  for (const text of leftOut) out.line(`left out: ${text}`);
  return STATUS.done;
}

void runAlone(import.meta);
