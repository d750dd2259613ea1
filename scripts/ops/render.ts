/** Writes what each release would be: values, manifests, and the Secrets that the runbook creates (names and keys only). `--out DIR` */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { STATUS } from '../../lib/base/exit-status.ts';
import { BadInput } from '../../lib/base/failure.ts';
import { complain, say } from '../../lib/base/say.ts';
import { fitAll } from '../../lib/deployment/release/fit-all.ts';
import { YAML_1_1 } from '../../lib/deployment/release/fitted.ts';
import { hasErrors, report } from '../../lib/operations/chart-report.ts';
import { outFolder } from '../../lib/base/out-path.ts';
import { runAlone } from '../entry.ts';

/** Writes the files and prints their paths. @returns the exit status @throws BadInput without a folder */
export async function render(out: string | undefined): Promise<number> {
  if (!out)
    throw new BadInput([{ about: 'OUT', message: 'is not given', remedy: 'name a folder: make render OUT=DIR' }]);
  outFolder(out);
  const { releases } = await fitAll(process.env);
  await mkdir(out, { recursive: true });
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(join(out, name), text);
    say(join(out, name));
  };
  for (const { name, fit } of releases) {
    await write(`${name}.values.yaml`, stringify(fit.values, { lineWidth: 0, ...YAML_1_1 }));
    await write(`${name}.manifests.yaml`, fit.text);
  }
  const secrets = releases.flatMap(({ fit }) =>
    fit.secrets.map(({ namespace, name, keys }) => ({ namespace, name, keys })),
  );
  await write('secrets.json', `${JSON.stringify(secrets, null, 2)}\n`);
  if (!hasErrors(releases)) return STATUS.done;
  complain(report(releases));
  return STATUS.failed;
}

void runAlone(import.meta);
