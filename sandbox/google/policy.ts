/** IAM policies: read, written and merged as Google does it. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { GoogleError } from './error.ts';
import { visibleAccounts } from './service-account.ts';
import { newEtag, type Binding, type Cloud, type Policy } from './state.ts';

/** The body of setIamPolicy. */
export const SetPolicyBody = z.strictObject({
  policy: z.strictObject({
    version: z.number().optional(),
    etag: z.string().optional(),
    bindings: z
      .array(
        z.strictObject({
          role: z.string(),
          members: z.array(z.string()),
          condition: z
            .strictObject({ title: z.string(), description: z.string().optional(), expression: z.string() })
            .optional(),
        }),
      )
      .optional(),
    auditConfigs: z.array(z.unknown()).optional(),
  }),
  updateMask: z.string().optional(),
});

/** The body of getIamPolicy. */
export const GetPolicyBody = z.strictObject({
  options: z.strictObject({ requestedPolicyVersion: z.number().optional() }).optional(),
});

const hash = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 20);

/**
 * The policy as the API shows it: a reader who did not ask for version 3 sees conditional bindings without their
 * condition and under a role name that cannot be written back.
 */
export function policyResource({ etag, bindings }: Policy, requestedVersion = 1): object {
  if (!bindings.some(({ condition }) => condition !== undefined)) return { version: 1, etag, bindings };
  if (requestedVersion >= 3) return { version: 3, etag, bindings };
  const shown = bindings.map(({ role, members, condition }) =>
    condition === undefined ? { role, members } : { role: `${role}_withcond_${hash(condition)}`, members },
  );
  return { version: 1, etag, bindings: shown };
}

function checkMember(cloud: Cloud, member: string): void {
  const [, kind, name] = /^(user|group|domain|serviceAccount|principal|principalSet|deleted):(.+)$/.exec(member) ?? [];
  if (kind === undefined && !['allUsers', 'allAuthenticatedUsers'].includes(member)) {
    throw new GoogleError(400, `Invalid member: ${member}`);
  }
  if (kind !== 'serviceAccount' || name === undefined || name.includes('[')) return;
  const ours = name.endsWith(`@${cloud.project}.iam.gserviceaccount.com`);
  if (ours && !visibleAccounts(cloud).some(({ email }) => email === name)) {
    throw new GoogleError(400, `Service account ${name} does not exist.`);
  }
}

/** One binding for each pair of role and condition, members once, without empty ones. */
function merged(bindings: Binding[]): Binding[] {
  const groups = Map.groupBy(bindings, ({ role, condition }) => JSON.stringify([role, condition]));
  return [...groups.values()].flatMap((group) => {
    const members = [...new Set(group.flatMap((binding) => binding.members))].sort();
    const first = group[0];
    return first === undefined || members.length === 0 ? [] : [{ ...first, members }];
  });
}

/** The policy that takes the place of `old`. Throws 409 ABORTED on a stale etag, 400 on what Google refuses. */
export function replacePolicy(cloud: Cloud, old: Policy, wanted: z.infer<typeof SetPolicyBody>['policy']): Policy {
  if (wanted.etag !== undefined && wanted.etag !== old.etag) {
    const message =
      'There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.';
    throw new GoogleError(409, message, { status: 'ABORTED', reason: 'aborted' });
  }
  const bindings = wanted.bindings ?? [];
  for (const { role, members, condition } of bindings) {
    if (!/^(roles|projects\/[^/]+\/roles)\/[\w.]+$/.test(role) || role.includes('_withcond_')) {
      throw new GoogleError(400, `Role ${role} is not supported for this resource.`);
    }
    if (condition !== undefined && wanted.version !== 3) {
      throw new GoogleError(400, 'The policy has conditional role bindings: its version must be 3.');
    }
    // Members that were there before stay, whatever became of them.
    const kept = old.bindings.filter((known) => known.role === role).flatMap((known) => known.members);
    for (const member of members) if (!kept.includes(member)) checkMember(cloud, member);
  }
  return { etag: newEtag(), bindings: merged(bindings) };
}
