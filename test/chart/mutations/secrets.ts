/** Secrets by name and key, whatever the route. */
import { expect } from 'vitest';
import { API, both, EXECUTOR, file, fromSecret, insert, job, pod, REDIS, swap, type Mutation } from './mutation.ts';

const keys = '            - name: API_KEYS\n';
const inApi = (line: string): Record<string, (text: string) => string> => ({
  [API]: insert(keys, `            - ${line}\n`),
});
const apiVolume = (volume: string, mount: string): Record<string, (text: string) => string> => ({
  [API]: both(
    insert('            - { name: prompts, mountPath', `            - ${mount}\n`),
    insert('        - name: prompts\n', `        - ${volume}\n`),
  ),
});
const llm = /\s+\{\{- range list "GOOGLE_API_KEY"[^]*?\{\{- end \}\}/;

export const SECRETS: readonly Mutation[] = [
  {
    name: 'the Redis probe signs in by REDISCLI_AUTH',
    changes: {
      [REDIS]: insert(
        '          ports:\n',
        `            - ${fromSecret('REDISCLI_AUTH', '{{ include "kubently.redisSecret" . }}', 'password')}\n          readinessProbe: { exec: { command: [redis-cli, ping] } }\n`,
      ),
    },
  },
  {
    name: 'only REDISCLI_AUTH reads the password in an exporter beside Redis',
    changes: {
      'templates/exporter.yaml': file(
        `apiVersion: batch/v1\nkind: CronJob\nmetadata: { name: sweep }\nspec: { schedule: "0 3 * * *", jobTemplate: { spec: { template: { spec: ${pod(`env: [${fromSecret('REDISCLI_AUTH', 'kubently-redis-password', 'password')}]`)} } } } }\n`,
      ),
    },
  },
  {
    name: 'another key of the password Secret',
    changes: {
      [REDIS]: insert(
        '          ports:\n',
        `            - ${fromSecret('REDISCLI_AUTH', 'kubently-redis-password', 'redis-password')}\n`,
      ),
    },
    refused:
      /^secret-unknown StatefulSet\/kubently-redis-master redis: env REDISCLI_AUTH reads key redis-password of Secret kubently-redis-password.*creates password there/,
  },
  {
    name: 'the password read from another key by the API',
    changes: {
      [API]: (t) =>
        t.replace(
          /(- name: API_KEYS)/,
          `- ${fromSecret('SESSION_SECRET', 'kubently-redis-password', 'pw')}\n            $1`,
        ),
    },
    refused: /^secret-unknown .*env SESSION_SECRET reads key pw of Secret kubently-redis-password/,
  },
  {
    name: 'the LLM Secret by envFrom',
    changes: {
      [API]: (t) =>
        t
          .replace(llm, '')
          .replace(
            '          env:\n            - name: HOSTNAME',
            '          envFrom: [{ secretRef: { name: kubently-llm-secrets, optional: true } }]\n          env:\n            - name: HOSTNAME',
          ),
    },
    adapted: ({ secrets }) => {
      expect(secrets.find((s) => s.name === 'kubently-llm-secrets')).toMatchObject({
        keys: ['ANTHROPIC_API_KEY', 'GOOGLE_API_KEY', 'OPENAI_API_KEY'],
        optional: true,
      });
    },
  },
  {
    name: 'the LLM Secret by envFrom, required',
    changes: {
      [API]: (t) =>
        t
          .replace(llm, '')
          .replace(
            '          env:\n            - name: HOSTNAME',
            '          envFrom: [{ secretRef: { name: kubently-llm-secrets } }]\n          env:\n            - name: HOSTNAME',
          ),
    },
    told: ['llm-key-required'],
  },
  {
    name: 'the LLM Secret by envFrom with a prefix',
    changes: {
      [API]: (t) =>
        t
          .replace(llm, '')
          .replace(
            '          env:\n            - name: HOSTNAME',
            '          envFrom: [{ prefix: LLM_, secretRef: { name: kubently-llm-secrets } }]\n          env:\n            - name: HOSTNAME',
          ),
    },
    refused: /^llm-key-unread .*no container reads ANTHROPIC_API_KEY/,
  },
  {
    name: 'an unknown Secret by envFrom',
    changes: {
      [API]: insert(
        '          env:\n            - name: HOSTNAME',
        '          envFrom: [{ secretRef: { name: kubently-extra } }]\n',
      ),
    },
    refused: /^secret-unknown Deployment\/kubently-api api: envFrom reads Secret kubently-extra/,
  },
  {
    name: 'an unknown Secret, optional',
    changes: inApi(fromSecret('SLACK', 'kubently-slack', 'url', ', optional: true')),
  },
  {
    name: 'the API keys mounted as a file',
    changes: apiVolume('{ name: keys, secret: { secretName: kubently-api-keys } }', '{ name: keys, mountPath: /keys }'),
  },
  {
    name: 'a file of the API keys under another name',
    changes: apiVolume(
      '{ name: keys, secret: { secretName: kubently-api-keys } }',
      '{ name: keys, mountPath: /keys/api, subPath: api.txt }',
    ),
    refused: /^secret-unknown .* volume keys reads key api\.txt of Secret kubently-api-keys.*creates keys there/,
  },
  {
    name: 'token and password in one projected volume',
    changes: apiVolume(
      '{ name: all, projected: { sources: [{ secret: { name: kubently-executor-token, items: [{ key: token, path: t }] } }, { secret: { name: kubently-redis-password } }, { configMap: { name: kube-root-ca.crt } }] } }',
      '{ name: all, mountPath: /all }',
    ),
  },
  {
    name: 'an unknown Secret in a projected volume',
    changes: apiVolume(
      '{ name: all, projected: { sources: [{ secret: { name: oidc, items: [{ key: id, path: id }] } }] } }',
      '{ name: all, mountPath: /all }',
    ),
    refused: /^secret-unknown .* volume all reads key id of Secret oidc/,
  },
  {
    name: "a driver's Secret",
    changes: apiVolume(
      '{ name: vault, csi: { driver: vault.csi, nodePublishSecretRef: { name: vault-login } } }',
      '{ name: vault, mountPath: /vault }',
    ),
    refused: /^secret-unknown .* volume vault reads Secret vault-login/,
  },
  {
    name: "the certificate's Secret mounted into the API",
    changes: apiVolume('{ name: tls, secret: { secretName: kubently-api-tls } }', '{ name: tls, mountPath: /tls }'),
  },
  {
    name: 'an init container with an unknown Secret',
    changes: {
      [EXECUTOR]: insert(
        '      containers:\n',
        `      initContainers: [{ name: fetch, image: "busybox:1.37.0", env: [${fromSecret('CREDENTIALS', 'bucket', 'key')}] }]\n`,
      ),
    },
    side: 'remote',
    refused:
      /^secret-unknown Deployment\/kubently-remote-executor fetch: env CREDENTIALS reads key key of Secret bucket/,
  },
  {
    name: 'a hook that checks the keys',
    changes: {
      'templates/check.yaml': file(
        job(
          'check',
          '{ helm.sh/hook: post-install }',
          pod(`env: [${fromSecret('API_KEYS', 'kubently-api-keys', 'keys')}]`),
        ),
      ),
    },
  },
  {
    name: 'a hook with an unknown Secret',
    changes: {
      'templates/check.yaml': file(
        job('check', '{ helm.sh/hook: post-install }', pod(`env: [${fromSecret('DSN', 'sentry', 'dsn')}]`)),
      ),
    },
    refused: /^secret-unknown Job\/check c: env DSN reads key dsn of Secret sentry/,
  },
  {
    name: 'a test pod with an unknown Secret',
    changes: {
      'templates/tests/smoke.yaml': file(
        `apiVersion: v1\nkind: Pod\nmetadata: { name: smoke, annotations: { helm.sh/hook: test } }\nspec: ${pod(`env: [${fromSecret('KEY', 'smoke-key', 'key')}]`)}\n`,
      ),
    },
    refused: /^secret-unknown Pod\/smoke c: env KEY reads key key of Secret smoke-key/,
  },
  {
    name: 'a remote executor that reads the Redis password, which only the GKE side has',
    side: 'remote',
    changes: {
      [EXECUTOR]: insert(
        '            - name: CLUSTER_ID\n',
        `            - ${fromSecret('REDIS_PASSWORD', 'kubently-redis-password', 'password')}\n`,
      ),
    },
    refused: /^secret-unknown .* env REDIS_PASSWORD reads key password of Secret kubently-redis-password/,
  },
  {
    name: 'images pulled with a Secret that nobody makes',
    changes: { [EXECUTOR]: insert('      containers:\n', '      imagePullSecrets: [{ name: ghcr }]\n') },
    told: ['secret-unknown'],
  },
  {
    name: 'the environment of the API in a ConfigMap by envFrom',
    changes: {
      [API]: both(
        swap(/ *\{\{- range \$name, \$value := \.Values\.api\.env \}\}[^]*?\{\{- end \}\}\n/g, ''),
        swap(
          '          env:\n            - name: HOSTNAME',
          '          envFrom: [{ configMapRef: { name: kubently-env } }]\n          env:\n            - name: HOSTNAME',
        ),
      ),
      'templates/env.yaml': file(
        'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: kubently-env }\ndata: {{ toYaml .Values.api.env | nindent 2 }}\n',
      ),
    },
  },
  {
    name: 'a key that the rendered ConfigMap lacks',
    changes: {
      [API]: insert(
        keys,
        '            - { name: REGION, valueFrom: { configMapKeyRef: { name: kubently-prompt, key: region } } }\n',
      ),
    },
    refused: /^configmap-key ConfigMap\/kubently-prompt region has no key region, and Deployment\/kubently-api/,
  },
];
