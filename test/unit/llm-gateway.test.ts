/** doctor asks the gateway before the model for the model. */
import { expect, test } from 'vitest';
import type { HttpAnswer } from '../../lib/base/http.ts';
import { Secret } from '../../lib/base/secret.ts';
import { askGateway } from '../../lib/runner/llm-gateway.ts';
import { contextOf, fakeOutside, json, settings } from './outside.ts';

const URL = 'https://llm.example.com';

async function asked(answer: HttpAnswer | undefined, more: object = {}) {
  const given = settings();
  given.llm = { ...given.llm, keys: { ANTHROPIC_API_KEY: new Secret('unit-llm-key-1') }, baseUrl: URL, ...more };
  const path = given.llm.provider === 'openai' ? '/models' : '/v1/models?limit=1000';
  const outside = fakeOutside({ http: answer ? { [`GET ${URL}${path}`]: answer } : {} });
  return { found: await askGateway(contextOf(outside, given)), requests: outside.requests };
}

test('without LLM_BASE_URL nobody is asked', async () => {
  const { found, requests } = await asked(undefined, { baseUrl: undefined });
  expect(found).toBeUndefined();
  expect(requests).toEqual([]);
});

test('without the key of the chosen provider nobody is asked, whatever other keys there are', async () => {
  const { found, requests } = await asked(undefined, { keys: { OPENAI_API_KEY: new Secret('unit-llm-key-2') } });
  expect(found).toBeUndefined();
  expect(requests).toEqual([]);
});

test.each([
  ['anthropic-claude', {}],
  ['openai', { provider: 'openai', keys: { OPENAI_API_KEY: new Secret('unit-llm-key-2') } }],
])('%s: a model in the list is fine', async (_, more) => {
  const { found } = await asked(json({ data: [{ id: 'claude-sonnet-4-6' }] }), more);
  expect(found).toEqual({ state: 'fine' });
});

test.each<[string, HttpAnswer, string, string]>([
  ['a refused key', json({}, 401), 'ANTHROPIC_API_KEY', 'refuses the key (HTTP 401)'],
  ['a model that is not there', json({ data: [{ id: 'other' }] }), 'LLM_MODEL', 'has no model "claude-sonnet-4-6"'],
  ['no list', { status: 200, headers: {}, body: '<html>' }, 'LLM_BASE_URL', 'answers no list of models'],
])('%s is a problem', async (_, answer, about, message) => {
  const { found } = await asked(answer);
  expect(found).toMatchObject({
    state: 'problem',
    problem: { about, message: expect.stringContaining(message) as string },
  });
});

test.each<[string, HttpAnswer | undefined, string]>([
  ['no answer', undefined, 'cannot be reached from here'],
  ['a limit', json({}, 429), 'answers HTTP 429'],
])('%s is no problem by itself: pods may reach what this machine does not', async (_, answer, reason) => {
  expect((await asked(answer)).found).toMatchObject({
    state: 'unreachable',
    reason: expect.stringContaining(reason) as string,
  });
});
