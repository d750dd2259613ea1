/** gcloud's properties as its commands find them, without a start of gcloud, which costs a second. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Environment = Readonly<Record<string, string>>;

/** A property's value by CLOUDSDK_SECTION_NAME, else by the active configuration; undefined where neither sets it. */
export type GcloudProperties = (section: string, name: string) => string | undefined;

/** Reads the active configuration once, when a property is first asked for that the environment does not hold. */
export function gcloudProperties(environment: Environment): GcloudProperties {
  let kept: Map<string, string> | undefined;
  return (section, name) =>
    environment[`CLOUDSDK_${section}_${name}`.toUpperCase()] ||
    (kept ??= configured(environment)).get(`${section}/${name}`);
}

/** The active configuration's properties by section/name. */
function configured(environment: Environment): Map<string, string> {
  const folder = environment['CLOUDSDK_CONFIG'] || join(environment['HOME'] ?? '', '.config', 'gcloud');
  const active =
    environment['CLOUDSDK_ACTIVE_CONFIG_NAME'] || textOf(join(folder, 'active_config')).trim() || 'default';
  const found = new Map<string, string>();
  let section = '';
  for (const line of textOf(join(folder, 'configurations', `config_${active}`)).split('\n')) {
    const [, head] = /^\s*\[([^\]]+)\]/.exec(line) ?? [];
    if (head !== undefined) section = head;
    const [, key, value] = /^\s*([a-z_]+)\s*[=:]\s*(.*\S)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) found.set(`${section}/${key}`, value);
  }
  return found;
}

/** gcloud without a configuration has no properties. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
