/** The recorded deployment as a Markdown document: for each step what it makes true, what to paste, how it is proven and undone, whom an undo hurts, and where to look first. */
import { STEP } from '../../base/plan-steps.ts';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../../settings/settings.ts';
import type { StepId } from '../../step.ts';
import type { RecordedDeploy, RecordedStep } from './record-deploy.ts';
import { Shell } from './shell.ts';

const SCRIPTS = join(import.meta.dirname, '..', '..', '..', 'scripts');
const SECRET_NAME = /TOKEN$|PASSWORD|SECRET|_KEY$/;

/** What only people can say of the steps. */
export interface Remarks {
  /** Lines of bash that end with 0 where the step holds. */
  proofOf: (id: StepId) => readonly string[];
  symptoms: readonly (readonly [symptom: string, step: StepId])[];
  /** Whom an undo hurts. */
  undoHurts: Readonly<Partial<Record<StepId, string>>>;
}

/** The document. The order of its parts is the order in which they are pasted. */
export function documentOf({ steps, standIns, moved }: RecordedDeploy, settings: Settings, remarks: Remarks): string {
  const shell = new Shell(settings.tls.caFile);
  for (const { value, variable, source } of standIns) shell.know(value, variable, source);
  for (const [from, to] of moved) shell.move(from, to);
  const parts = steps.map((row) => stepPart(row, shell, remarks));
  return `${[head(settings), contents(steps, remarks), ...parts].join('\n\n')}\n`;
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

/** The steps, and which to look at first for what is seen. */
function contents(steps: readonly RecordedStep[], { symptoms }: Remarks): string {
  const link = (id: StepId): string => `[${id}](#${id.replaceAll('.', '-')})`;
  return [
    '## Contents',
    steps.map(({ step }) => `- ${link(step.id)} ${step.title}`).join('\n'),
    '## What is seen, and where to look first',
    ['| Seen | Step |', '|---|---|', ...symptoms.map(([seen, id]) => `| ${seen} | ${link(id)} |`)].join('\n'),
  ].join('\n\n');
}

function stepPart(row: RecordedStep, shell: Shell, { proofOf, undoHurts }: Remarks): string {
  const { step } = row;
  const needs = step.needs.length > 0 ? `Needs ${step.needs.join(', ')}.` : 'Needs no other step.';
  const later = step.needsToVerify ? ` Its proof needs ${step.needsToVerify.join(', ')} too.` : '';
  const applied = [
    ...row.files.flatMap(({ path, text }) => shell.file(path, text)),
    ...row.applied.flatMap((a) => shell.lines(a)),
    ...shell.cleanUp(),
  ];
  const undone = row.undone.flatMap((a) => shell.lines(a));
  const hurts = undoHurts[step.id];
  return [
    `<a id="${step.id.replaceAll('.', '-')}"></a>`,
    `## ${step.id} ${step.title}`,
    `${purposeOf(step.id)} ${needs}${later}`,
    ...(step.kind === 'proof'
      ? []
      : applied.length > 0
        ? ['### Do', code(applied)]
        : ['### Do', row.nothingToDo ? `Nothing, with these settings: ${row.nothingToDo}.` : 'Nothing outside.']),
    '### Proof',
    code([...proofOf(step.id).map((line) => `${line} &&`), 'echo proven']),
    ...(step.kind === 'proof'
      ? []
      : [
          '### Undo',
          ...(hurts === undefined ? [] : [`**Others are hurt:** ${hurts}`]),
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
