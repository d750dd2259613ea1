/** Writes what each release would be: values, manifests, and the Secrets that the runbook creates (names and keys only). `--out DIR` */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { fitAll } from '../../lib/deployment/release/fit-all.ts';
import { hasErrors, report } from '../../lib/operations/chart-report.ts';
import { BadInput, explain } from '../../lib/base/failure.ts';
import { YAML_1_1 } from '../../lib/deployment/release/fitted.ts';

try {
  const { values: flags } = parseArgs({ options: { out: { type: 'string', default: '' } } });
  if (flags.out === '')
    throw new BadInput([{ about: 'OUT', message: 'is not given', remedy: 'name a folder: make render OUT=DIR' }]);
  const { releases } = await fitAll(process.env);
  await mkdir(flags.out, { recursive: true });
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(join(flags.out, name), text);
    process.stdout.write(`${join(flags.out, name)}\n`);
  };
  for (const { name, fit } of releases) {
    await write(`${name}.values.yaml`, stringify(fit.values, { lineWidth: 0, ...YAML_1_1 }));
    await write(`${name}.manifests.yaml`, fit.text);
  }
  const secrets = releases.flatMap(({ fit }) =>
    fit.secrets.map(({ namespace, name, keys }) => ({ namespace, name, keys })),
  );
  await write('secrets.json', `${JSON.stringify(secrets, null, 2)}\n`);
  if (hasErrors(releases)) {
    process.stderr.write(`${report(releases)}\n`);
    process.exitCode = 1;
  }
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = error instanceof BadInput ? 2 : 1;
}
