/**
 * Prints a workflow's job as bash: its `run:` lines in their order, each with its own env, and those of the local action.
 * node test/operations/workflow-lines.ts FILE EXPRESSION=value …; an expression without a value is an error.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { shellWord } from '../../lib/base/shell-word.ts';

interface Step {
  name?: string;
  uses?: string;
  run?: string;
  env?: Record<string, string>;
  with?: Record<string, string>;
}

const [file = '', ...given] = process.argv.slice(2);
const values = new Map(
  given.map((word): [string, string] => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
);

function evaluated(text: string, inputs: Record<string, string>): string {
  return text.replaceAll(/\$\{\{ (.+?) \}\}/g, (_, expression: string) => {
    const value = values.get(expression) ?? inputs[expression.replace('inputs.', '')];
    if (value === undefined) throw new Error(`${file}: no value for ${expression}`);
    return value;
  });
}

function exports(env: Record<string, string> = {}, inputs: Record<string, string> = {}): string[] {
  return Object.entries(env).map(([name, text]) => `export ${name}=${shellWord(evaluated(text, inputs))}`);
}

function lines(steps: readonly Step[], inputs: Record<string, string> = {}): string[] {
  return steps.flatMap(({ name = '', uses = '', run, env, with: words = {} }) => {
    if (uses.startsWith('./')) {
      const { runs } = parse(readFileSync(`${uses}/action.yml`, 'utf8')) as { runs: { steps: Step[] } };
      const own = Object.entries(words).map(([key, text]): [string, string] => [key, evaluated(text, inputs)]);
      return lines(runs.steps, Object.fromEntries(own));
    }
    return run === undefined
      ? []
      : [`echo ${shellWord(`== ${name}`)}`, '(', ...exports(env, inputs), run.trimEnd(), ')'];
  });
}

const { jobs } = parse(readFileSync(file, 'utf8')) as {
  jobs: Record<string, { env?: Record<string, string>; steps: Step[] }>;
};
for (const { env, steps } of Object.values(jobs))
  console.log(['set -eo pipefail', ...exports(env), ...lines(steps)].join('\n'));
