/** The commands of ours that a message names, as the operator has to type them for these settings. */
import { relative } from 'node:path';
import { shellWord } from './shell-word.ts';

const READS_SETTINGS =
  'deploy|phase[1-4]|plan|status|verify|doctor|logs|tmux|rotate|rollback|remove|backup|restore|report|iac|gitops|lint-chart|render|runbook-doc';
const MAKE = new RegExp(`\\bmake (${READS_SETTINGS})(?![\\w-])( [A-Z_]+=('[^']*'|[^\\s'\`;,)]+))*`, 'g');
const RUNBOOK = new RegExp(
  `(?<!ENV_FILE=\\S+ )\\./runbook (${READS_SETTINGS}|document|step|\\d+\\.\\d+)(?![\\w-])`,
  'g',
);

/**
 * The text, with ENV_FILE in each command of ours that reads settings where they are not those of .env.
 * @param file the settings file; by default the one that ENV_FILE names
 */
export function withSettingsFile(text: string, file = process.env['ENV_FILE'] ?? ''): string {
  if (file === '') return text;
  const name = relative(process.cwd(), file);
  if (name === '.env') return text;
  const given = `ENV_FILE=${shellWord(name.startsWith('..') ? file : name)}`;
  return text
    .replace(MAKE, (command) => (command.includes(' ENV_FILE=') ? command : `${command} ${given}`))
    .replace(RUNBOOK, (command) => `${given} ${command}`);
}
