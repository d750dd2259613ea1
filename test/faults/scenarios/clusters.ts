/** The clusters: the API server restarts in phase 2, Redis is killed in phase 4, an executor has a wrong token. */
import { randomBytes } from 'node:crypto';
import { untilDone, type Fault, type Seen } from '../fault.ts';
import { allEnded, ENV_FILE, settingsCopy, start } from '../run.ts';
import { GKE, NODE, kubectl, kubectlWith, output, REMOTE, setting, until } from '../world.ts';

const REMOTE_NAMESPACE = 'kubently-remote';

/** With a change to make, so that Helm and the rollout are under way. */
async function apiServerRestarts(): Promise<Seen> {
  try {
    return await withAChange();
  } finally {
    await allEnded();
    await untilDone(['phase2'], ENV_FILE, 'api-server-back');
  }
}

async function withAChange(): Promise<Seen> {
  const replicas = setting('API_REPLICAS') === '3' ? '2' : '3';
  const file = settingsCopy('api-server', { API_REPLICAS: replicas });
  const first = start(['phase2'], file, 'api-server');
  await first.seen(/ 2\.5 .* applying/);
  const apiServer = async (): Promise<string> =>
    (await output('docker', 'exec', NODE, 'pgrep', '-x', 'kube-apiserver')).trim();
  const killed = await apiServer();
  const knowableAt = Date.now();
  // The kubelet starts it again.
  await output('docker', 'exec', NODE, 'kill', '-9', killed);
  const back = until('the API server is back', 120, async () => {
    if ((await apiServer()) === killed) return undefined;
    await kubectl(GKE, 'get', '--raw', '/readyz');
    return Date.now();
  });
  const firstRan = first.ended;
  const away = ((await back) - knowableAt) / 1000;
  await firstRan;
  const runs = await untilDone(['phase2'], file, 'api-server', first);
  return {
    command: first.command,
    runs,
    knowableAt,
    cause:
      /does not answer|did not answer|just been restarted|connection refused|EOF|connection reset|was refused|unable to connect|ServiceUnavailable|etcdserver/i,
    note: `away for ${away.toFixed(0)} s while Helm and the rollout were under way`,
  };
}

async function redisKilled(): Promise<Seen> {
  const namespace = setting('NAMESPACE');
  const pods = ['-n', namespace, 'pods', '-l', 'app.kubernetes.io/component=redis'];
  const first = start(['phase4'], ENV_FILE, 'redis');
  // 4.0 has proven that all are connected; CLI and agent are about to ask through Redis.
  await first.seen(/ 4\.[23] .* verifying/);
  const knowableAt = Date.now();
  await kubectl(GKE, 'delete', ...pods, '--force', '--grace-period=0', '--wait=false');
  const runs = await untilDone(['phase4'], ENV_FILE, 'redis', first);
  return { command: first.command, runs, knowableAt, cause: /Redis unavailable|client is offline|Socket closed/ };
}

const executor = ['-n', REMOTE_NAMESPACE, 'deployment', '-l', 'app.kubernetes.io/component=executor'];

/** A Secret with another token, and an executor that has read it. */
async function wrongToken(): Promise<{ refusedAt: number }> {
  const names = await kubectl(REMOTE, '-n', REMOTE_NAMESPACE, 'get', 'secrets', '-o', 'json');
  const { items } = JSON.parse(names) as {
    items: { metadata: { name: string; labels?: Record<string, string> }; data?: Record<string, string> }[];
  };
  const secret = items.find(
    (s) => s.metadata.labels?.['app.kubernetes.io/managed-by'] === 'kubently-runbook' && s.data?.['token'],
  );
  if (!secret) throw new Error('the remote namespace has no token Secret');
  const wrong = Buffer.from(randomBytes(32).toString('hex')).toString('base64');
  kubectlWith(JSON.stringify({ ...secret, data: { ...secret.data, token: wrong } }), REMOTE, 'replace', '-f', '-');
  await kubectl(REMOTE, 'rollout', 'restart', ...executor);
  const refusedAt = await until('the API refuses the executor', 90, async () => {
    const log = await kubectl(
      REMOTE,
      '-n',
      REMOTE_NAMESPACE,
      'logs',
      '-l',
      'app.kubernetes.io/component=executor',
      '--tail=20',
    );
    return /401/.test(log) ? Date.now() : undefined;
  });
  return { refusedAt };
}

async function named(args: readonly string[], id: string): Promise<Seen> {
  const { refusedAt } = await wrongToken();
  const look = await start(['status'], ENV_FILE, id).ended;
  const runs = await untilDone(args, ENV_FILE, id);
  const mended = runs.at(-1);
  return {
    command: `./runbook status; ./runbook ${args.join(' ')}`,
    // What `status` says, then whether the step puts it right.
    runs: mended?.status === 0 ? [look, mended] : [look, ...runs],
    knowableAt: refusedAt,
    cause: /3\.2 .*token/,
    note: `status names it with status ${look.status ?? 'none'}, and 3.2 puts it right`,
    ...(look.status === 0 ? { unproven: 'status found nothing' } : {}),
  };
}

export const clusterFaults: Fault[] = [
  {
    id: 'api-server',
    fault: 'the API server restarts during phase 2',
    done: 'kube-apiserver killed when 2.5 applies a changed release',
    strike: apiServerRestarts,
  },
  {
    id: 'redis',
    fault: 'Redis is killed during phase 4',
    done: 'its pod deleted by force when CLI and agent begin to ask',
    strike: redisKilled,
  },
  {
    id: 'wrong-token',
    fault: 'an executor with a wrong token',
    done: 'another token in its Secret, and the executor restarted until the API answers it 401',
    short: true,
    strike: () => named(['3.2'], 'wrong-token'),
  },
];
