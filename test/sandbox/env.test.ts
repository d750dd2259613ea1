import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { expect, it } from 'vitest';
import { loadSettings } from '../../lib/settings/settings.ts';
import { environmentText } from '../../sandbox/env.ts';
import { PATHS } from '../../sandbox/world.ts';

it('is a settings file that the runbook takes as it is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'env-'));
  const ca = join(folder, 'ca.pem');
  // Some certificate: what it certifies is not looked at here.
  writeFileSync(ca, rootCertificates[0] ?? '');
  const chart = join(folder, 'cert-manager.tgz');
  writeFileSync(chart, '');
  const text = environmentText({
    dockerHost: 'unix:///run/x.sock',
    certManagerChart: chart,
    repo: '/checkout',
    gcloud: { CLOUDSDK_CORE_DISABLE_PROMPTS: '1' },
  });
  const file = join(folder, '.env');
  // The certificates exist in a running world only.
  writeFileSync(file, text.replaceAll(PATHS.ca, ca).replaceAll(PATHS.acmeRoots, ca), { mode: 0o600 });
  const settings = loadSettings({ ENV_FILE: file });
  expect(settings).toMatchObject({ repo: '/checkout', certManagerChart: chart, file });
  expect(settings.remotes).toMatchObject([{ id: 'kind-remote', context: 'kind-kubently' }]);
  expect(settings.childEnvironment).toMatchObject({
    DOCKER_HOST: 'unix:///run/x.sock',
    KUBECONFIG: PATHS.kubeconfig,
    CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
  });
});
