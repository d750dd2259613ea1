/** What counts as an agent's answer, and what is told about one that is none. */
import { expect, test } from 'vitest';
import { agentRemedy, answerOf, namesOneOf } from '../../lib/deployment/kubently/agent-answer.ts';

const NAMES = ['etcd-kind-control-plane', 'storage-provisioner', 'coredns-7d764666f9-vlx2k'];

test.each([
  ['the name in a sentence', 'coredns-7d764666f9-vlx2k is Running.'],
  ['in a table, in capitals', '| COREDNS-7D764666F9-VLX2K | Running |'],
  ['with other hyphens', 'coredns\u20117d764666f9\u2011vlx2k'],
  ['wrapped over two lines', 'coredns-7d764666f9-\n  vlx2k runs'],
])('%s: an answer', (_, answer) => {
  expect(namesOneOf(answer, NAMES)).toBe(true);
});

test.each([
  ['an error that names a pod', 'Error: pods "coredns-7d764666f9-vlx2k" is forbidden'],
  ['a failed run', 'I encountered an error while processing your request: coredns-7d764666f9-vlx2k'],
  [
    'names that anybody guesses',
    'I cannot reach it. Typically there are etcd-kind-control-plane and storage-provisioner.',
  ],
  ['part of a longer name', 'my-coredns-7d764666f9-vlx2k-copy'],
])('%s: no answer', (_, answer) => {
  expect(namesOneOf(answer, NAMES)).toBe(false);
});

test('names without a part drawn by lot count where there are no others', () => {
  expect(namesOneOf('storage-provisioner runs', ['storage-provisioner'])).toBe(true);
});

test('lines may end in CR alone', () => {
  expect(answerOf('🤖 Kubently Response:\r────\rfine\r────\r')).toBe('fine');
});

test.each([
  ['API key not valid. Please pass a valid API key. [reason: API_KEY_INVALID]', 'refuses the key'],
  ['Error calling model: 400 API key not valid', 'refuses the key'],
  ['Incorrect API key provided', 'refuses the key'],
  ['403 permission_error', 'refuses the key'],
  ['Your credit balance is too low to access the API', 'no credit'],
  ['429 insufficient_quota', 'no credit'],
  ['[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate', 'LLM_CA_FILE'],
  ['Cluster kind-remote is not connected', 'reaches no executor'],
  ['Executor of kind-remote: command timed out', 'reaches no executor'],
  ['Unauthorized: executor token', 'reaches no executor'],
  ['Connection error.', 'cannot be reached from the cluster'],
  ['529 overloaded_error', 'limits or is overloaded'],
  ['404 model: claude-x not_found_error', 'set LLM_MODEL'],
])('%s → %s', (answer, remedy) => {
  expect(agentRemedy(answer)).toContain(remedy);
});
