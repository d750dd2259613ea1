/** What a language model would do next in the rehearsal: by a rule, for one question, with whatever tools it is offered. */
import { parsedJson } from '../../lib/base/parsed-json.ts';

/** A tool as it is offered: JSON Schema of its input. */
export interface Tool {
  name: string;
  description: string;
  properties: Readonly<Record<string, Property>>;
  required: readonly string[];
}

export interface Property {
  type?: string | undefined;
  description?: string | undefined;
  enum?: readonly unknown[] | undefined;
}

export interface Result {
  /** Name of the tool, and the input that it was called with. */
  name: string;
  input: Readonly<Record<string, unknown>>;
  text: string;
}

/** A conversation as both APIs tell it. */
export interface Conversation {
  /** Instructions and earlier words, which may name a cluster. */
  instructions: string;
  /** The last words of the user. */
  question: string;
  tools: readonly Tool[];
  /** Since the question. */
  results: readonly Result[];
}

export interface Call {
  name: string;
  input: Record<string, unknown>;
}

export type Move = { calls: Call[] } | { text: string };

const NAME = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';

/** The model's next move: which tools it calls, or its answer. Pure. */
export function nextMove({ instructions, question, tools, results }: Conversation): Move {
  const namespace = namespaceOf(question);
  if (namespace === undefined || !/\bpods?\b/i.test(question))
    return {
      text: 'I can tell which pods run in a namespace. Name one, as in: What pods are running in kube-system namespace?',
    };
  const lists = tools.find(
    (t) => !takesCluster(t) && /cluster/i.test(t.name) && /list|get|show|known|available/i.test(t.name),
  );
  const runs = runner(tools);
  if (!runs) return { text: 'I was offered no tool by which a kubectl command runs in a cluster.' };
  const listed = results.filter((r) => r.name === lists?.name);
  const named = clusterOf(question) ?? clusterOf(instructions);
  if (named === undefined && lists && listed.length === 0)
    return { calls: [{ name: lists.name, input: filled(lists, {}) }] };
  const clusters = named === undefined ? [...new Set(listed.flatMap((r) => identifiers(r.text)))] : [named];
  if (clusters.length === 0 && takesCluster(runs)) return { text: 'No cluster is known to me.' };
  const asked = new Map(results.filter((r) => r.name === runs.name).map((r) => [clusterIn(r.input), r.text]));
  const targets = takesCluster(runs) ? clusters : [''];
  const open = targets.filter((cluster) => !asked.has(cluster));
  if (open.length > 0)
    return { calls: open.map((cluster) => ({ name: runs.name, input: podsOf(runs, cluster, namespace) })) };
  return { text: targets.map((cluster) => said(cluster, namespace, asked.get(cluster) ?? '')).join('\n\n') };
}

function namespaceOf(question: string): string | undefined {
  const before = new RegExp(`\\b(?:in|of|from)\\s+(?:the\\s+)?["'\`]?(${NAME})["'\`]?\\s+namespace\\b`).exec(question);
  return (before ?? new RegExp(`\\bnamespace\\s+["'\`]?(${NAME})`).exec(question))?.[1];
}

/** A cluster that the words bind the question to. */
function clusterOf(words: string): string | undefined {
  const found = new RegExp(`\\bcluster(?:[_ ]?id)?\\s*(?:is|=|:)?\\s*["'\`](${NAME})["'\`]`, 'i').exec(words);
  return found?.[1];
}

const CLUSTER = /^cluster(_?(id|name))?$/i;

function takesCluster({ properties }: Tool): boolean {
  return Object.keys(properties).some((name) => CLUSTER.test(name));
}

function clusterIn(input: Readonly<Record<string, unknown>>): string {
  const value = Object.entries(input).find(([name]) => CLUSTER.test(name))?.[1];
  return typeof value === 'string' ? value : '';
}

/** The tool that runs kubectl: by its name, else the one that takes a cluster and a command. */
function runner(tools: readonly Tool[]): Tool | undefined {
  const takesCommand = (t: Tool): boolean =>
    Object.keys(t.properties).some((name) => /command|args|verb|resource/i.test(name));
  return (
    tools.find((t) => /kubectl|execute|run_command/i.test(t.name) && takesCommand(t)) ??
    tools.find((t) => takesCluster(t) && takesCommand(t))
  );
}

/** The tool's input for `kubectl get pods`, whichever way it takes a command. */
function podsOf(tool: Tool, cluster: string, namespace: string): Record<string, unknown> {
  const names = Object.keys(tool.properties);
  const own = names.some((name) => /^namespace$/i.test(name));
  const resource = names.some((name) => /^resource(_?type)?$/i.test(name));
  const words = ['get', ...(resource ? [] : ['pods']), ...(own ? [] : ['-n', namespace])];
  const input: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(tool.properties)) {
    if (CLUSTER.test(name)) input[name] = cluster;
    else if (/^namespace$/i.test(name)) input[name] = namespace;
    else if (/^resource(_?type)?$/i.test(name)) input[name] = 'pods';
    else if (/^verb$/i.test(name)) input[name] = 'get';
    else if (/^(command|args|arguments|kubectl_?(command|args))$/i.test(name)) {
      const withBinary = /starting with kubectl|include "?kubectl/i.test(property.description ?? '');
      const all = withBinary ? ['kubectl', ...words] : words;
      input[name] = property.type === 'array' ? all : all.join(' ');
    }
  }
  return filled(tool, input);
}

/** What is required and not said gets the least that its type takes. */
function filled({ properties, required }: Tool, input: Record<string, unknown>): Record<string, unknown> {
  const rest = required
    .filter((name) => !(name in input))
    .map((name) => [name, least(properties[name] ?? {})] as const);
  return { ...input, ...Object.fromEntries(rest) };
}

function least({ type, enum: choices }: Property): unknown {
  if (choices?.[0] !== undefined) return choices[0];
  switch (type) {
    case 'boolean':
      return false;
    case 'integer':
    case 'number':
      return 30;
    case 'array':
      return [];
    case 'object':
      return {};
    default:
      return '';
  }
}

/** The clusters that a tool's answer lists: strings of JSON arrays, or ids of their objects, or the words of its lines. */
function identifiers(text: string): string[] {
  const json = parsedJson(text);
  if (json !== undefined) return stringsOf(json);
  return text
    .split('\n')
    .flatMap((line) => new RegExp(`^[-*\\s]*["'\`]?(${NAME})["'\`]?(?:[\\s:,(]|$)`).exec(line)?.[1] ?? []);
}

function stringsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((v) => (typeof v === 'string' ? [v] : stringsOf(v)));
  if (typeof value !== 'object' || value === null) return [];
  const map = value as Record<string, unknown>;
  const own = ['id', 'cluster_id', 'clusterId', 'name'].map((key) => map[key]).find((v) => typeof v === 'string');
  return own === undefined ? Object.values(map).flatMap((v) => (typeof v === 'object' ? stringsOf(v) : [])) : [own];
}

/** One cluster's paragraph, from what its kubectl printed. */
function said(cluster: string, namespace: string, text: string): string {
  const of = cluster === '' ? '' : `${cluster}: `;
  const output = outputOf(text);
  const names = output
    .split('\n')
    .flatMap((line) => new RegExp(`^\\s*(?:pod/)?(${NAME}(?:\\.${NAME})*)\\s+\\d+/\\d+\\s`).exec(line)?.[1] ?? []);
  if (names.length === 0) return `${of}no pods in namespace ${namespace} (${output.trim().slice(0, 200)})`;
  return `${of}${names.length} pod${names.length === 1 ? '' : 's'} in namespace ${namespace}: ${names.join(', ')}`;
}

/** kubectl's words in a tool's answer, which may be JSON around them. */
function outputOf(text: string): string {
  const json = parsedJson(text);
  if (typeof json === 'string') return json;
  if (typeof json !== 'object' || json === null) return text;
  const map = json as Record<string, unknown>;
  const own = ['output', 'stdout', 'result', 'error']
    .map((key) => map[key])
    .find((v) => typeof v === 'string' && v !== '');
  return typeof own === 'string' ? own : text;
}
