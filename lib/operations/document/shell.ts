/** What was asked of the outside, as bash to paste: secrets and what only the real world knows are variables. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';
import type { Command } from '../../base/command.ts';
import type { HttpRequest } from '../../base/http.ts';
import { YAML_1_1 } from '../../deployment/release/fitted.ts';
import { Secret } from '../../base/secret.ts';
import { textOf } from './empty-cluster.ts';
import type { Asked } from './recording.ts';
import type { KubeObject } from '../../base/kubernetes.ts';

interface Variable {
  name: string;
  /** The command whose output it is; without one it comes from the settings file. */
  source?: string;
}

const NEW_FOLDER = 'mktemp -d';
/** For a file that the command itself makes. */
const NEW_NAME = 'mktemp --dry-run';

/** Marks stand for shell expressions while the text around them is still quoted or written as YAML. */
const MARK = /\uE000(\d+)\uE001/;

export class Shell {
  readonly #variables = new Map<string, Variable>();
  readonly #moved = new Map<string, string>();
  readonly #files = new Map<string, unknown>();
  readonly #expressions: string[] = [];
  readonly #defined = new Set<string>();
  #needed: Variable[] = [];
  #folders: string[] = [];
  /** CA file for the API's public name. */
  readonly #caFile: string | undefined;

  constructor(caFile: string | undefined) {
    this.#caFile = caFile;
  }

  /** From now on the value is written as ${name}. */
  know(value: string, name: string, source?: string): void {
    this.#variables.set(value, { name, ...(source === undefined ? {} : { source }) });
  }

  /** From now on the path is written as another. */
  move(from: string, to: string): void {
    this.#moved.set(from, to);
  }

  /** The lines that write a file; commands whose input is the same text read it. A file with secrets is never overwritten. */
  file(path: string, text: string): string[] {
    this.#files.set(path, parse(text));
    const marked = this.#marked(text);
    const keep = MARK.test(marked) ? 'set -o noclobber; ' : '';
    const where = this.word(path);
    const lines = [
      `mkdir -p ${this.word(join(this.#there(path), '..'))}`,
      `(umask 077; ${keep}cat >${where} ${this.#heredoc(marked)}\n)`,
    ];
    return [...this.#definitions(), ...lines];
  }

  /** The lines for a question or a change. */
  lines(asked: Asked): string[] {
    const text = this.#text(asked);
    return [...this.#definitions(), text];
  }

  /** The lines that remove the folders which the lines so far have made. */
  cleanUp(): string[] {
    const lines = this.#folders.map((name) => `rm -rf "\${${name}}"`);
    this.#folders = [];
    return lines;
  }

  /** One word of a command line. */
  word(text: string): string {
    const marked = this.#marked(text);
    if (MARK.test(marked)) return `"${this.#expanded(marked, escapeInQuotes)}"`;
    return /^[\w@%+=:,./-]+$/.test(marked) ? marked : `'${marked.replaceAll("'", `'\\''`)}'`;
  }

  #text(asked: Asked): string {
    switch (asked.kind) {
      case 'command': {
        const line = this.#command(asked.command);
        const variable = this.#variables.get(asked.output.stdout);
        if (!variable) return asked.command.sensitive === 'stdout' ? `${line}  # prints secrets` : line;
        this.#defined.add(variable.name);
        return `${variable.name}=$(${line})`;
      }
      case 'request':
        return this.#request(asked.request);
    }
  }

  #command(command: Command): string {
    const environment = Object.entries(command.env ?? {}).map(([name, value]) => {
      const text = value instanceof Secret ? value.reveal() : value;
      if (text.startsWith(join(tmpdir(), 'kubently-runbook-')) && !this.#variables.has(text)) {
        this.know(text, `${name}_FOLDER`, name.endsWith('_FILE') ? NEW_NAME : NEW_FOLDER);
        this.#defined.delete(`${name}_FOLDER`);
        this.#folders.push(`${name}_FOLDER`);
      }
      return `${name}=${this.word(text)} `;
    });
    const words = [command.binary, ...command.args].map((w) => this.word(w)).join(' ');
    const line = `${environment.join('')}${words}`;
    const piped = this.#withInput(line, command);
    return command.cwd === undefined ? piped : `(cd ${this.word(command.cwd)} && ${piped})`;
  }

  #withInput(line: string, command: Command): string {
    if (command.input === undefined) return line;
    const text = textOf(command);
    const known = this.#variables.has(text);
    if (known) return `printf %s ${this.word(text)} | ${line}`;
    if (!text.startsWith('{')) return `${line} ${this.#heredoc(this.#marked(text))}`;
    const value = JSON.parse(text) as { kind?: string; items?: KubeObject[] };
    const file = [...this.#files].find(([, content]) => isDeepStrictEqual(content, value))?.[0];
    if (file !== undefined) return `${line} <${this.word(file)}`;
    const documents = value.kind === 'List' ? (value.items ?? []) : [value];
    const yaml = documents.map((d) => stringify(this.#markedValue(d), { lineWidth: 0, ...YAML_1_1 })).join('---\n');
    return `${line} ${this.#heredoc(yaml)}`;
  }

  #request({ method = 'GET', url, headers = {}, body }: HttpRequest): string {
    const ca = this.#caFile !== undefined && url.startsWith('https:') ? `--cacert ${this.word(this.#caFile)} ` : '';
    const words = [
      `curl --silent --show-error ${method === 'GET' ? '' : `--fail-with-body --request ${method} `}${ca}${this.word(url)}`,
    ];
    // A secret on curl's own command line could be read by everybody on the machine.
    const said = (flag: string, text: string): string =>
      MARK.test(this.#marked(text)) ? `${flag} @<(printf %s ${this.word(text)})` : `${flag} ${this.word(text)}`;
    for (const [name, value] of Object.entries(headers)) words.push(said('--header', `${name}: ${value}`));
    if (body !== undefined)
      words.push("--header 'content-type: application/json'", said('--data', JSON.stringify(body)));
    return words.join(' ');
  }

  /** Assignments of the variables that were used for the first time. */
  #definitions(): string[] {
    const lines = this.#needed.flatMap(({ name, source }) => {
      if (source === undefined || this.#defined.has(name)) return [];
      this.#defined.add(name);
      // A value that the tokens file or the shell has already is kept.
      return [source === NEW_FOLDER || source === NEW_NAME ? `${name}=$(${source})` : `: "\${${name}:=$(${source})}"`];
    });
    this.#needed = [];
    return lines;
  }

  /** Paths of the recording, as they really are. */
  #there(text: string): string {
    return [...this.#moved].reduce((t, [from, to]) => t.replaceAll(from, to), text);
  }

  #mark(expression: string): string {
    this.#expressions.push(expression);
    return `\uE000${this.#expressions.length - 1}\uE001`;
  }

  #marked(text: string): string {
    let marked = this.#there(text);
    for (const [value, variable] of [...this.#variables].sort(([a], [b]) => b.length - a.length)) {
      if (!marked.includes(value)) continue;
      this.#needed.push(variable);
      marked = marked.replaceAll(value, this.#mark(`\${${variable.name}}`));
    }
    return marked;
  }

  #markedValue(value: unknown): unknown {
    if (typeof value === 'string') return this.#marked(value);
    if (Array.isArray(value)) return value.map((v) => this.#markedValue(v));
    if (typeof value !== 'object' || value === null) return value;
    const map = value as Record<string, unknown>;
    return Object.fromEntries(
      Object.entries(map).map(([key, v]) => [
        key,
        map['kind'] === 'Secret' && key === 'data' ? this.#markedData(v) : this.#markedValue(v),
      ]),
    );
  }

  /** A Secret's data: what holds a variable is encoded by the shell. */
  #markedData(data: unknown): unknown {
    return Object.fromEntries(
      Object.entries(data as Record<string, string>).map(([key, encoded]) => {
        const marked = this.#marked(Buffer.from(encoded, 'base64').toString());
        if (!MARK.test(marked)) return [key, encoded];
        return [key, this.#mark(`$(printf %s "${this.#expanded(marked, escapeInQuotes)}" | base64 -w0)`)];
      }),
    );
  }

  /** A here document; its shell is expanded only where it holds a variable. */
  #heredoc(marked: string): string {
    const body = marked.endsWith('\n') ? marked : `${marked}\n`;
    return MARK.test(body) ? `<<EOF\n${this.#expanded(body, escapeInHeredoc)}EOF` : `<<'EOF'\n${body}EOF`;
  }

  #expanded(marked: string, literal: (text: string) => string): string {
    return marked
      .split(new RegExp(MARK, 'g'))
      .map((part, i) => (i % 2 === 0 ? literal(part) : (this.#expressions[Number(part)] ?? '')))
      .join('');
  }
}

function escapeInQuotes(text: string): string {
  return text.replace(/[\\$`"]/g, '\\$&');
}

function escapeInHeredoc(text: string): string {
  return text.replace(/[\\$`]/g, '\\$&');
}
