/** Writes what each release would be: values, manifests, and the Secrets that the runbook creates (names and keys only). `--out DIR` */
import { stringify } from 'yaml';
import { STATUS } from '../../lib/base/exit-status.ts';
import { complain } from '../../lib/base/say.ts';
import { fitAll } from '../../lib/deployment/release/fit-all.ts';
import { YAML_1_1 } from '../../lib/deployment/release/fitted.ts';
import { hasErrors, report } from '../../lib/operations/chart-report.ts';
import { outFolder } from '../../lib/base/out-path.ts';
import { writeFiles } from '../../lib/operations/write-files.ts';
import { runAlone } from '../entry.ts';

/** Writes the files and prints their paths. @returns the exit status @throws BadInput without a folder */
export async function render(out: string | undefined): Promise<number> {
  const folder = outFolder(out, 'make render OUT=dir');
  const { releases } = await fitAll(process.env);
  const files: Record<string, string> = {};
  for (const { name, fit } of releases) {
    files[`${name}.values.yaml`] = stringify(fit.values, { lineWidth: 0, ...YAML_1_1 });
    files[`${name}.manifests.yaml`] = fit.text;
  }
  const secrets = releases.flatMap(({ fit }) =>
    fit.secrets.map(({ namespace, name, keys }) => ({ namespace, name, keys })),
  );
  files['secrets.json'] = `${JSON.stringify(secrets, null, 2)}\n`;
  await writeFiles(folder, files);
  if (!hasErrors(releases)) return STATUS.done;
  complain(report(releases));
  return STATUS.failed;
}

void runAlone(import.meta);
