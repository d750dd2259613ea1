/** Names of what phase 2 and 3 make, and the Secrets that the releases read (docs/kubently-contract.md 1.6). */
import { STEP } from '../../base/plan-steps.ts';
import { secretObject } from '../../clients/kubectl.ts';
import { Secret } from '../../base/secret.ts';
import type { Settings } from '../../settings/settings.ts';
import type { Remote } from '../../base/target.ts';
import { nextOf, tokenName } from '../../settings/tokens-file.ts';
import { API_KEYS_SECRET, executorTokenSecret, LLM_SECRET, REDIS_SECRET } from '../../chart/secret-names.ts';
import { Failure } from '../../base/failure.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

/** Whose key it is: the part of `service:key` before the colon. */
const CLIENT = 'cli-user';

/** The Secrets of the GKE side. @throws Failure when a token is missing */
export function gkeSecrets(settings: Settings, tokens: Readonly<Record<string, Secret>>): KubeObject[] {
  const { namespace } = settings.gke;
  const llm = Object.keys(settings.llm.keys).length > 0 ? [secretObject(LLM_SECRET, namespace, settings.llm.keys)] : [];
  return [
    secretObject(REDIS_SECRET, namespace, { password: tokenOf(tokens, 'REDIS_PASSWORD') }),
    secretObject(API_KEYS_SECRET, namespace, { keys: apiKeys(tokens) }),
    secretObject(executorTokenSecret(settings.release), namespace, {
      token: tokenOf(tokens, tokenName(settings.gkeClusterId)),
    }),
    ...llm,
  ];
}

/** Every key that clients may use now: in the middle of a rotation the coming one too (docs/kubently-contract.md 1.6: commas work at every commit). */
function apiKeys(tokens: Readonly<Record<string, Secret>>): Secret {
  const coming = tokens[nextOf('API_KEY')];
  const keys = [...(coming ? [coming] : []), tokenOf(tokens, 'API_KEY')];
  return new Secret(keys.map((k) => `${CLIENT}:${k.reveal()}`).join(','));
}

/** The one Secret of a remote cluster. @throws Failure when the token is missing */
export function remoteSecret(remote: Remote, tokens: Readonly<Record<string, Secret>>): KubeObject {
  return secretObject(executorTokenSecret(remote.release), remote.namespace, {
    token: tokenOf(tokens, tokenName(remote.id)),
  });
}

/** @throws Failure naming step 2.1 when it was not generated yet */
export function tokenOf(tokens: Readonly<Record<string, Secret>>, name: string): Secret {
  const token = tokens[name];
  if (!token) throw new Failure({ what: `${name} is not in the tokens file`, next: `./runbook ${STEP.tokens}` });
  return token;
}
