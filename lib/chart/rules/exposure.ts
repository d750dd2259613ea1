/** What a release would give away: secret values in its text, passwords on command lines, roles that read Secrets, debug flags. */
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { Finding } from '../finding.ts';
import { LLM_ENV } from '../release-spec.ts';
import { isRetired } from '../retired-models.ts';
import { envOf, everyContainer, type Workload } from '../workloads.ts';
import { contentOf } from './secrets.ts';
import type { Release, Rule } from './rule.ts';
import { nameOf, type KubeObject } from '../../base/kubernetes.ts';

/** Forms that only secrets have. */
const SECRET_FORM =
  /\b(sk-[A-Za-z0-9_-]{20,}|AIza[A-Za-z0-9_-]{35}|gh[pousr]_[A-Za-z0-9]{30,}|lsv2_\w{20,})|-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const SECRET_NAME = /(PASSWORD|TOKEN|SECRET|API_KEYS?|PRIVATE_KEY)$/;

export const nothingExposed: Rule = (release) => [
  ...release.objects.flatMap(secretValues),
  ...release.running.flatMap((w) => [...literalSecrets(w), ...commandLines(w), ...duplicateEnv(w), ...debugFlags(w)]),
  ...rolesThatReadSecrets(release.objects),
  ...rolesThatDoMore(release.objects),
  ...retiredModel(release),
];

function secretValues(object: KubeObject): Finding[] {
  const finding = (path: string): Finding => ({
    grade: 'error',
    id: 'secret-in-text',
    object: nameOf(object),
    path,
    message: 'the rendered text holds a secret value, which then stands in the values and in the release history',
    remedy: 'take it out of the values and name an existing Secret',
  });
  const keys = Object.keys({ ...(object['data'] ?? {}), ...(object['stringData'] ?? {}) });
  if (object.kind === 'Secret') {
    return keys.flatMap((key) => {
      const text = (contentOf(object, key) ?? '').trim();
      return text === '' || text.startsWith('#') ? [] : [finding(key)];
    });
  }
  if (object.kind === 'ConfigMap') {
    return keys.flatMap((key) => {
      const text = contentOf(object, key) ?? '';
      return SECRET_FORM.test(text) || (SECRET_NAME.test(key) && text.trim() !== '') ? [finding(key)] : [];
    });
  }
  return [];
}

function literalSecrets(workload: Workload): Finding[] {
  return everyContainer(workload).flatMap((c) =>
    (c.env ?? []).flatMap(({ name, value }): Finding[] => {
      if (value == null || value === '' || value.startsWith('$(')) return [];
      if (!SECRET_NAME.test(name) && !SECRET_FORM.test(value)) return [];
      return [
        {
          grade: 'error',
          id: 'secret-in-text',
          object: workload.name,
          path: `${c.name}: env ${name}`,
          message: 'a secret value stands in the pod spec',
          remedy: 'read it from a Secret',
        },
      ];
    }),
  );
}

/** Command lines are seen by everyone who may list processes on the node. */
function commandLines(workload: Workload): Finding[] {
  return everyContainer(workload).flatMap((c): Finding[] => {
    const text = [...(c.command ?? []), ...(c.args ?? [])].join('\n');
    const shown = (c.env ?? []).filter((e) => e.valueFrom?.secretKeyRef && expands(text, e.name)).map((e) => e.name);
    if (shown.length === 0) return [];
    return [
      {
        grade: 'warning',
        id: 'secret-on-command-line',
        object: workload.name,
        path: c.name,
        message: `the container puts ${shown.join(' and ')} on a command line, where whoever sees the node's processes reads it`,
        remedy: 'the chart fixes this; keep the nodes to yourself, and use hex values (they pass the shell unquoted)',
      },
    ];
  });
}

/** A program's argument, not the test of a shell. */
function expands(text: string, name: string): boolean {
  const word = new RegExp(`\\$(${name}\\b|\\{${name}\\}|\\(${name}\\))`);
  return text.split('\n').some((line) => word.test(line.replace(/\[ [^[\]]*\]/g, '')));
}

function duplicateEnv(workload: Workload): Finding[] {
  return everyContainer(workload).flatMap((c: IContainer): Finding[] => {
    const names = (c.env ?? []).map((e) => e.name);
    const twice = [...new Set(names.filter((n, i) => names.indexOf(n) !== i))];
    return twice.map((name) => ({
      grade: 'warning',
      id: 'env-twice',
      object: workload.name,
      path: `${c.name}: env ${name}`,
      message: 'is set twice; the last entry counts, and an apply may drop one',
      remedy: 'leave the name out of the values: the chart sets it itself',
    }));
  });
}

function debugFlags(workload: Workload): Finding[] {
  return everyContainer(workload).flatMap((c) =>
    (c.env ?? []).flatMap(({ name, value }): Finding[] => {
      const on = /DEBUG/.test(name)
        ? /^(true|1|yes|on)$/i.test(value ?? '')
        : /LOG_?LEVEL/.test(name) && /^(debug|trace)$/i.test(value ?? '');
      if (!on) return [];
      return [
        {
          grade: 'error',
          id: 'debug-on',
          object: workload.name,
          path: `${c.name}: env ${name}`,
          message: `${name} is ${value ?? ''}: debug output may hold commands and their results`,
          remedy: 'turn it off in the values',
        },
      ];
    }),
  );
}

interface RoleRule {
  apiGroups?: string[];
  resources?: string[];
  verbs?: string[];
}

/** Roles by which pods of the release could read Secrets. */
export function rolesThatReadSecrets(objects: readonly KubeObject[]): Finding[] {
  const some = (list: string[] | undefined, ...wanted: string[]): boolean =>
    (list ?? []).some((x) => wanted.includes(x));
  return objects
    .filter((o) => o.kind === 'Role' || o.kind === 'ClusterRole')
    .filter((o) =>
      ((o['rules'] ?? []) as RoleRule[]).some(
        (r) =>
          some(r.apiGroups, '', '*') && some(r.resources, 'secrets', '*') && some(r.verbs, 'get', 'list', 'watch', '*'),
      ),
    )
    .map((o) => ({
      grade: 'warning',
      id: 'role-reads-secrets',
      object: nameOf(o),
      message: 'the executor may read every Secret, and so may whoever can ask it a question',
      remedy: 'give the chart a role without Secrets (values/executor-role.yaml)',
    }));
}

/** By these whoever may read gets into pods and nodes, or signs in as another: `get` on nodes/proxy runs commands in every pod. */
const MORE_THAN_READING =
  /^((nodes|pods|services)\/(\*|proxy)|pods\/(exec|attach|portforward|ephemeralcontainers)|serviceaccounts\/(\*|token)|\*\/(\*|proxy|exec|attach|portforward|token))$/;
const MORE_VERBS = /^(escalate|bind|impersonate)$/;

/** Roles that give a pod of the release more than the reading of what they name. */
export function rolesThatDoMore(objects: readonly KubeObject[]): Finding[] {
  return objects
    .filter((o) => o.kind === 'Role' || o.kind === 'ClusterRole')
    .flatMap((o) => {
      const rules = (o['rules'] ?? []) as (RoleRule | null)[];
      const rights = rules.flatMap((r) => [
        ...(r?.resources ?? []).filter((x) => x === '*' || MORE_THAN_READING.test(x)).map((x) => `resource ${x}`),
        ...(r?.verbs ?? []).filter((x) => x === '*' || MORE_VERBS.test(x)).map((x) => `verb ${x}`),
      ]);
      if (rights.length === 0) return [];
      return [
        {
          grade: 'warning',
          id: 'role-does-more',
          object: nameOf(o),
          message: `the role gives more than reading: ${[...new Set(rights)].join(', ')}`,
          remedy:
            'give the chart a role that names its resources, with get, list and watch (values/executor-role.yaml)',
        } satisfies Finding,
      ];
    });
}

function retiredModel({ spec, roles: { api } }: Release): Finding[] {
  if (spec.side !== 'gke' || !api) return [];
  const name = LLM_ENV[spec.llmProvider].model;
  const model = envOf(api.containers, name)?.value ?? '';
  const finding = (grade: Finding['grade'], id: string, message: string): Finding[] => [
    {
      grade,
      id,
      object: api.name,
      path: name,
      message,
      remedy: 'set LLM_MODEL to a model that the provider serves, such as claude-sonnet-4-6',
    },
  ];
  if (isRetired(model))
    return finding('error', 'model-retired', `${model} is retired: every question to the agent would fail`);
  if (model === '')
    return finding('warning', 'model-unset', 'no model is named; the default of an older API is a retired one');
  return [];
}
