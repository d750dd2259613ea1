/** Runs every step's own code from nothing against a cloud in memory, and keeps what each would run. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Run } from '../../base/command.ts';
import { makeContext } from '../../context.ts';
import { Secret } from '../../base/secret.ts';
import type { Settings } from '../../settings/settings.ts';
import { byId, type Removal, type Step } from '../../step.ts';
import { ownedBy } from '../../deployment/ownership/ownership.ts';
import { readTokens } from '../../settings/tokens-file.ts';
import { ACCESS_TOKEN, ADDRESS, emptyCloud } from './empty-cloud.ts';
import { changes, recordingOf, type Asked } from './recording.ts';

export interface RecordedStep {
  step: Step;
  /** Where its check says that there is nothing to do with these settings. */
  nothingToDo: string | undefined;
  /** What apply changes, in order; files that it writes come first. */
  files: { path: string; text: string }[];
  applied: Asked[];
  undone: Asked[];
}

/** Stand-ins of the recording, by what they stand for. */
export interface StandIn {
  value: string;
  variable: string;
  /** The command whose output it is. */
  source?: string;
}

export interface RecordedDeploy {
  steps: RecordedStep[];
  standIns: StandIn[];
  /** Paths of the recording, and where the real ones lie. */
  moved: [from: string, to: string][];
}

/**
 * The whole deployment on paper. No secret of the settings is part of it, and nothing outside is changed.
 * @param real runs git and `helm template`
 * @throws Failure where the chart does not give complete releases
 */
export async function recordDeploy(settings: Settings, steps: readonly Step[], real: Run): Promise<RecordedDeploy> {
  const folder = await mkdtemp(join(tmpdir(), 'kubently-paper-'));
  try {
    const own = {
      tokens: join(folder, 'made', 'tokens.env'),
      values: join(folder, 'made', 'values'),
      home: join(folder, 'home'),
    };
    const { paper, secrets } = onPaper(settings, own);
    const { outside, key } = emptyCloud(paper, real);
    const { outside: recording, take } = recordingOf(outside);
    const ctx = makeContext(paper, recording, false);
    const recorded: RecordedStep[] = [];
    let before = new Map<string, string>();
    for (const step of [...steps].sort(byId)) {
      const row: RecordedStep = {
        step,
        nothingToDo: undefined,
        files: [],
        applied: [],
        undone: [],
      };
      recorded.push(row);
      if (step.kind === 'proof') continue;
      const found = await step.check(ctx);
      take();
      if (found.state === 'done') row.nothingToDo = found.reason;
      else await step.apply(ctx);
      row.applied = take().filter(changes);
      const after = await filesOf(join(folder, 'made'));
      row.files = [...after].flatMap(([path, text]) => (before.get(path) === text ? [] : [{ path, text }]));
      before = after;
    }
    const standIns: StandIn[] = [
      ...secrets,
      ...Object.entries(readTokens(own.tokens)).map(([variable, value]) => ({
        value: value.reveal(),
        variable,
        source: 'openssl rand -hex 32',
      })),
      { value: key, variable: 'DNS01_KEY' },
      { value: ACCESS_TOKEN, variable: 'ACCESS_TOKEN', source: 'gcloud auth print-access-token' },
      {
        value: ADDRESS,
        variable: 'INGRESS_IP',
        source: `gcloud compute addresses describe ${settings.staticIpName} --region=${settings.region} --project ${settings.project} --format='value(address)'`,
      },
      { value: own.home, variable: 'HOME' },
    ];
    const removal: Removal = { retained: new Map(), owned: ownedBy(steps, ctx) };
    for (const row of [...recorded].reverse()) {
      if (row.step.kind === 'proof') continue;
      if (typeof row.step.undo !== 'function') continue;
      await row.step.undo(ctx, removal);
      row.undone = take().filter(changes);
    }
    return {
      steps: recorded,
      standIns,
      moved: [
        [own.tokens, settings.tokensFile],
        [own.values, settings.folder],
      ],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The settings with stand-ins for every secret, and with places of their own for what is written. */
function onPaper(
  settings: Settings,
  own: { tokens: string; values: string; home: string },
): { paper: Settings; secrets: StandIn[] } {
  const secrets: StandIn[] = [];
  const standIn = (variable: string): Secret => {
    const value = `the-${variable.toLowerCase().replaceAll('_', '-')}-of-the-settings`;
    secrets.push({ value, variable });
    return new Secret(value);
  };
  const environment = { ...settings.childEnvironment };
  // The real token is not the recording's to read.
  delete environment['CLOUDSDK_AUTH_ACCESS_TOKEN_FILE'];
  return {
    secrets,
    paper: {
      ...settings,
      tokensFile: own.tokens,
      folder: own.values,
      childEnvironment: { ...environment, HOME: own.home },
      images: { ...settings.images, token: settings.images.token && standIn('GITHUB_TOKEN') },
      llm: {
        ...settings.llm,
        keys: Object.fromEntries(Object.keys(settings.llm.keys).map((name) => [name, standIn(name)])),
      },
    },
  };
}

/** The files for people; the record of a fit beside its values is the program's own. */
async function filesOf(folder: string): Promise<Map<string, string>> {
  if (!existsSync(folder)) return new Map();
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = found.filter((f) => f.isFile() && !f.name.endsWith('.json')).map((f) => join(f.parentPath, f.name));
  return new Map(paths.sort().map((path) => [path, readFileSync(path, 'utf8')]));
}
