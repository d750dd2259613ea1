/** The recorded deployment as a Markdown document: for each step what it makes true, what to paste, how it is proven and undone. */
import { STEP } from '../../base/plan-steps.ts';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../../settings/settings.ts';
import type { StepId } from '../../step.ts';
import type { RecordedDeploy, RecordedStep } from './record-deploy.ts';
import { Shell } from './shell.ts';

const SCRIPTS = join(import.meta.dirname, '..', '..', '..', 'scripts');
const SECRET_NAME = /TOKEN$|PASSWORD|SECRET|_KEY$/;

/** The document. The order of its parts is the order in which they are pasted. */
export function documentOf({ steps, standIns, moved }: RecordedDeploy, settings: Settings): string {
  const shell = new Shell(settings.tls.caFile);
  for (const { value, variable, source } of standIns) shell.know(value, variable, source);
  for (const [from, to] of moved) shell.move(from, to);
  const replaced = (text: string): string => moved.reduce((t, [from, to]) => t.replaceAll(from, to), text);
  const parts = steps.map((row) => stepPart(row, shell, replaced));
  return `${[head(settings), ...parts].join('\n\n')}\n`;
}

function head(settings: Settings): string {
  const { host, project, file, tokensFile, gke, remotes, childEnvironment } = settings;
  const exported = Object.entries(childEnvironment)
    .filter(([name]) => /^(KUBECONFIG|DOCKER_|CLOUDSDK_)/.test(name) && !SECRET_NAME.test(name))
    .map(([name, value]) => `export ${name}='${value}'`);
  return [
    `# ${host}, by hand`,
    `Written by \`make runbook-doc\` from the steps themselves: their own code ran against an empty cloud in memory, and what it ran is written here. With the program: \`make deploy\`. Each part also stands alone: \`./runbook ${STEP.secrets}\`.`,
    `Google project \`${project}\`, GKE context \`${gke.context}\`, remote ${remotes.map((r) => `\`${r.id}\` (context \`${r.context}\`)`).join(', ')}.`,
    '## Before',
    `bash, gcloud (signed in), kubectl, helm 4, docker, curl, dig, openssl. \`./runbook status\` says what is there already: leave those steps out. Secrets are variables: from the settings file, and from step ${STEP.tokens} on from the tokens file; what the shell or that file has is never made anew. The annotation kubently-runbook/secrets on pods is a stamp of the recording: the next \`make deploy\` renews it, by one restart.`,
    code([
      ...exported,
      `export PATH="${join(import.meta.dirname, '..', '..', '..', '.tools', 'bin')}:$PATH"`,
      `set -a; . '${file}'; [ ! -e '${tokensFile}' ] || . '${tokensFile}'; set +a`,
    ]),
  ].join('\n\n');
}

function stepPart(row: RecordedStep, shell: Shell, replaced: (text: string) => string): string {
  const { step } = row;
  const needs = step.needs.length > 0 ? `Needs ${step.needs.join(', ')}.` : 'Needs no other step.';
  const later = step.needsToVerify ? ` Its proof needs ${step.needsToVerify.join(', ')} too.` : '';
  const applied = [
    ...row.files.flatMap(({ path, text }) => shell.file(path, text)),
    ...row.applied.flatMap((a) => shell.lines(a)),
    ...shell.cleanUp(),
  ];
  const proven = [...row.proven.flatMap((a) => shell.lines(a)), ...shell.cleanUp()];
  const undone = row.undone.flatMap((a) => shell.lines(a));
  return [
    `## ${step.id} ${step.title}`,
    `${purposeOf(step.id)} ${needs}${later}`,
    ...(step.kind === 'proof'
      ? []
      : applied.length > 0
        ? ['### Do', code(applied)]
        : ['### Do', row.nothingToDo ? `Nothing, with these settings: ${row.nothingToDo}.` : 'Nothing outside.']),
    '### Proof',
    code([...new Set(proven)]),
    `Proven when, for example: ${replaced(row.evidence)}.`,
    ...(step.kind === 'proof'
      ? []
      : [
          '### Undo',
          typeof step.undo !== 'function'
            ? `None: ${step.undo.none}.`
            : undone.length > 0
              ? code(undone)
              : 'Nothing outside.',
        ]),
  ].join('\n\n');
}

/** The sentence by which the step's script begins. */
function purposeOf(id: StepId): string {
  const name = readdirSync(SCRIPTS).find((f) => f.startsWith(`${id}-`)) ?? '';
  const [, text = ''] =
    /^\/\*\* (?:Plan (?:step [\d.]+|section "[^"]*"): )?(.*?) \*\//.exec(readFileSync(join(SCRIPTS, name), 'utf8')) ??
    [];
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function code(lines: readonly string[]): string {
  return lines.length === 0 ? 'By the files and the program alone.' : `\`\`\`sh\n${lines.join('\n')}\n\`\`\``;
}
