/** The emulated project as a rehearsal finds it: a delegated zone, an owner, and one conditional binding. */
import { OPERATOR } from './access.ts';
import { newZone } from './cloud-dns.ts';
import { defaultSettings } from './settings.ts';
import { load, newEtag, newId, store, type Cloud, type State } from './state.ts';

/** What the project is called and where its state is kept. */
export interface ProjectOptions {
  project: string;
  region: string;
  zone: string;
  /** Without the final dot. */
  domain: string;
  /** A /24 block, as 198.18.255.0/24. */
  addresses: string;
  stateFile: string;
  now?: () => number;
}

function firstState(options: ProjectOptions, now: number): State {
  const bindings = [
    { role: 'roles/owner', members: [OPERATOR] },
    {
      role: 'roles/viewer',
      members: ['user:auditor@kubently.io'],
      condition: { title: 'until-2030', expression: "request.time < timestamp('2030-01-01T00:00:00Z')" },
    },
  ];
  return {
    addresses: [],
    lastAddress: 9,
    operations: [],
    zones: [newZone(newId(), options.zone, `${options.domain}.`, now)],
    accounts: [],
    policy: [{ at: now, value: { etag: newEtag(), bindings } }],
    tokens: [],
  };
}

/** The project from its file, or a new one. Throws when the file is damaged. */
export function openProject(options: ProjectOptions): Cloud {
  const now = options.now ?? Date.now;
  const state = load(options.stateFile) ?? firstState(options, now());
  const cloud: Cloud = {
    project: options.project,
    regions: [options.region],
    addressBlock: options.addresses.split('.').slice(0, 3).join('.'),
    state,
    settings: defaultSettings(),
    now,
    save: () => store(options.stateFile, state),
  };
  cloud.save();
  return cloud;
}
