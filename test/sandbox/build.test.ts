/** The cache, the images and the registry folder that sandbox/build writes, against a real registry. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const root = mkdtempSync(join(tmpdir(), 'build-'));
vi.mock('../../sandbox/world.ts', async (original) => ({ ...(await original<object>()), CACHE: join(root, 'cache') }));
const { cached, digest } = await import('../../sandbox/build/parts.ts');
const { importImage, pack, readImage, writeImage } = await import('../../sandbox/build/image.ts');
const { removal } = await import('../../sandbox/build/netfilter.ts');
const { addToRegistry } = await import('../../sandbox/build/registry-data.ts');
const { repository } = await import('../../sandbox/build/repository.ts');

afterAll(() => {
  rmSync(root, { recursive: true });
});

describe('cached', () => {
  it('makes a part once for equal inputs, and again for others', async () => {
    let made = 0;
    const make = (texts: string[]) =>
      cached('once', { texts }, (folder) => {
        made += 1;
        writeFileSync(join(folder, 'file'), texts.join());
        return Promise.resolve();
      });
    const first = await make(['a']);
    expect(await make(['a'])).toBe(first);
    expect(await make(['b'])).not.toBe(first);
    expect(made).toBe(2);
  });

  it('makes a part once for all who ask at the same time', async () => {
    let made = 0;
    const make = () =>
      cached('together', { texts: ['x'] }, async (folder) => {
        made += 1;
        await new Promise((wake) => setTimeout(wake, 20));
        writeFileSync(join(folder, 'file'), '');
      });
    const [one, two] = await Promise.all([make(), make()]);
    expect(two).toBe(one);
    expect(made).toBe(1);
  });

  it('leaves nothing behind that could pass for a whole part when the work fails', async () => {
    const fail = cached('broken', { texts: ['x'] }, (folder) => {
      writeFileSync(join(folder, 'half'), '');
      return Promise.reject(new Error('no'));
    });
    await expect(fail).rejects.toThrow('no');
    expect(readdirSync(join(root, 'cache')).filter((name) => name.includes('broken'))).toEqual([]);
  });

  it('takes files by content, not by place or time', () => {
    const write = (folder: string, content: string) => {
      mkdirSync(join(root, folder));
      writeFileSync(join(root, folder, 'main.go'), content);
      return digest({ files: [join(root, folder)] });
    };
    const one = write('one', 'package main');
    expect(write('two', 'package main')).toBe(one);
    expect(write('three', 'package other')).not.toBe(one);
  });
});

describe('repository', () => {
  it.each([
    ['docker.io/library/redis:7-alpine', 'library/redis', '7-alpine'],
    ['redis:7-alpine', 'library/redis', '7-alpine'],
    ['docker.io/redis/redis-stack-server:latest', 'redis/redis-stack-server', 'latest'],
    ['registry.k8s.io/kubectl:v1', 'kubectl', 'v1'],
    ['127.0.0.1:5000/kubently/api:x', 'kubently/api', 'x'],
  ])('%s', (name, path, tag) => {
    expect(repository(name)).toEqual({ path, tag });
  });
});

describe('a registry over the folder', () => {
  let registry: ChildProcess;
  let url: string;

  beforeAll(async () => {
    const files = join(root, 'files');
    mkdirSync(join(files, 'bin'), { recursive: true });
    writeFileSync(join(files, 'bin/hello'), 'hello');
    const layer = await pack(files, join(root, 'layer.tar'));
    await writeImage(join(root, 'image'), 'docker.io/library/hello:1', [layer], { Entrypoint: ['/bin/hello'] });
    addToRegistry(join(root, 'data'), readImage(join(root, 'image')));
    const port = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => {
          resolve(address !== null && typeof address === 'object' ? address.port : 0);
        });
      });
    });
    url = `http://127.0.0.1:${port}`;
    const storage = { filesystem: { rootdirectory: join(root, 'data') } };
    writeFileSync(
      join(root, 'registry.yml'),
      JSON.stringify({ version: 0.1, log: { level: 'error' }, storage, http: { addr: `127.0.0.1:${port}` } }),
    );
    registry = spawn('docker-registry', ['serve', join(root, 'registry.yml')], { stdio: 'ignore' });
    await vi.waitFor(async () => expect((await fetch(`${url}/v2/`)).status).toBe(200), { timeout: 10_000 });
  });
  afterAll(() => registry.kill());

  const get = (path: string) =>
    fetch(`${url}/v2/library/hello/${path}`, { headers: { accept: 'application/vnd.oci.image.manifest.v1+json' } });

  it('serves the image: manifest by tag, then config and layer, each with the digest it is named by', async () => {
    const answer = await get('manifests/1');
    expect(answer.status).toBe(200);
    const manifest = (await answer.json()) as { config: { digest: string }; layers: { digest: string }[] };
    for (const { digest: name } of [manifest.config, ...manifest.layers]) {
      const bytes = Buffer.from(await (await get(`blobs/${name}`)).arrayBuffer());
      expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(name);
    }
    const config = (await (await get(`blobs/${manifest.config.digest}`)).json()) as {
      config: { Entrypoint: string[] };
      rootfs: { diff_ids: string[] };
    };
    expect(config.config.Entrypoint).toEqual(['/bin/hello']);
    expect(config.rootfs.diff_ids).toEqual(manifest.layers.map((layer) => layer.digest));
  });

  it('shares the layer with the cache instead of copying it', () => {
    const [layer] = readImage(join(root, 'image')).layers;
    const hex = layer?.digest.slice(7) ?? '';
    const stored = join(root, 'data/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    expect(statSync(stored).ino).toBe(statSync(layer?.path ?? '').ino);
  });
});

describe('removal of docker rules', () => {
  it('takes out the chains and what names them or the bridge, and nothing else', () => {
    const saved = [
      '*filter',
      ':FORWARD DROP [0:0]',
      ':DOCKER-USER - [0:0]',
      '-A FORWARD -j DOCKER-USER',
      '-A FORWARD -i docker0 -o docker0 -j ACCEPT',
      '-A FORWARD -i eth0 -j ACCEPT',
      '-A DOCKER-USER -j RETURN',
      'COMMIT',
    ].join('\n');
    expect(removal('filter', saved, ['docker0']).split('\n')).toEqual([
      '*filter',
      '-D FORWARD -j DOCKER-USER',
      '-D FORWARD -i docker0 -o docker0 -j ACCEPT',
      '-D DOCKER-USER -j RETURN',
      '-X DOCKER-USER',
      'COMMIT',
      '',
    ]);
  });
});

it('an image importer may stop at the archive’s end marker; one that fails is told with its words', async () => {
  const folder = mkdtempSync(join(root, 'import-'));
  const layer = join(folder, 'made.tar');
  writeFileSync(layer, Buffer.alloc(4 << 20));
  const image = await writeImage(join(folder, 'image'), 'example.test/a:1', [layer], {});
  await importImage(image, 'sh', ['-c', 'head -c 1024 >/dev/null']);
  await expect(importImage(image, 'sh', ['-c', 'echo no room; exit 3'])).rejects.toThrow(
    /ended with 3 on example.test\/a:1: .*no room/s,
  );
});
