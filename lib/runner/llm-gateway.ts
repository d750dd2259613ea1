/** What a gateway before the language model says of the key and the model that the settings name. */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { getCACertificates } from 'node:tls';
import { z } from 'zod';
import { parsedJson } from '../base/parsed-json.ts';
import { agentOptions } from '../base/proxy.ts';
import type { Settings } from '../settings/settings.ts';
import type { Context } from '../context.ts';
import { LLM_ENV } from '../chart/release-spec.ts';
import { firstLine, type Problem } from '../base/failure.ts';

const models = z.object({ data: z.array(z.object({ id: z.string() })) });

/** `unreachable` is no problem by itself: pods may reach what this machine does not. */
export type GatewayAnswer =
  { state: 'fine' } | { state: 'problem'; problem: Problem } | { state: 'unreachable'; reason: string };

/** Asks LLM_BASE_URL for its list of models, with the provider's key; undefined where one of the two is not set. */
export async function askGateway({ http, settings }: Context): Promise<GatewayAnswer | undefined> {
  const { provider, model, keys, baseUrl, caFile } = settings.llm;
  if (baseUrl === undefined) return undefined;
  const variable = LLM_ENV[provider].key;
  const key = keys[variable]?.reveal();
  if (key === undefined) return undefined;
  const url = `${baseUrl.replace(/\/$/, '')}${provider === 'openai' ? '/models' : '/v1/models?limit=1000'}`;
  const headers =
    provider === 'openai'
      ? { authorization: `Bearer ${key}` }
      : { 'x-api-key': key, 'anthropic-version': '2023-06-01' };
  const problem = (about: string, message: string, remedy: string): GatewayAnswer => ({
    state: 'problem',
    problem: { about, message, remedy },
  });
  try {
    const { status, body } = await http({
      url,
      headers,
      ...(caFile === undefined ? {} : { agent: trusting(caFile, url, settings.childEnvironment) }),
    });
    if (status === 401 || status === 403)
      return problem(variable, `${baseUrl} refuses the key (HTTP ${status})`, `set a key that ${baseUrl} takes`);
    if (status !== 200) return { state: 'unreachable', reason: `${url} answers HTTP ${status}` };
    const listed = models.safeParse(parsedJson(body));
    if (!listed.success)
      return problem(
        'LLM_BASE_URL',
        `${url} answers no list of models`,
        `look whether it speaks the API of ${provider}`,
      );
    const ids = listed.data.data.map((m) => m.id);
    return ids.includes(model)
      ? { state: 'fine' }
      : problem('LLM_MODEL', `${baseUrl} has no model "${model}"`, `choose of: ${ids.slice(0, 10).join(', ')}`);
  } catch (error) {
    return { state: 'unreachable', reason: `${baseUrl} cannot be reached from here: ${firstLine(error)}` };
  }
}

function trusting(caFile: string, url: string, environment: Settings['childEnvironment']): Agent {
  const way = agentOptions(new URL(url), environment);
  return new Agent({ ...way, ca: [...getCACertificates('default'), readFileSync(caFile, 'utf8')] });
}
