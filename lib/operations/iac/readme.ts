/** What people read beside the code: how it is taken over, and what it does not hold. */
import { STEP } from '../../base/plan-steps.ts';
import type { Settings } from '../../settings/settings.ts';

/**
 * The text, in Markdown.
 * @param resources their addresses in the code
 * @param leftOut what is not in it, with the reason
 */
export function readme(
  { host, project, dnsZone, dns01Auth }: Settings,
  resources: readonly string[],
  leftOut: readonly string[],
): string {
  const outside = [
    ...leftOut,
    `zone ${dnsZone}, the GKE cluster and project ${project}: they were there before the runbook`,
    ...(dns01Auth === 'key'
      ? ['the service account’s key: it lies in a Secret of cert-manager’s alone; `make rotate WHAT=dns-key` renews it']
      : []),
    'what lies in the clusters, and every secret',
  ];
  return `# ${host} in Google Cloud

Written by the Kubently runbook (\`make iac\`) from what there is in project ${project}. Taking it over makes nothing anew:

\`\`\`
tofu init
tofu plan   # wanted: ${resources.length} to import, 0 to add, 0 to change, 0 to destroy
tofu apply
\`\`\`

Terraform from 1.5 on takes the same files. Where the plan shows an addition, a change or a removal, do not apply it: something was changed since, and \`make iac\` writes the files again.

Taken over:

${resources.map((r) => `- \`${r}\``).join('\n')}

Not in it:

${outside.map((text) => `- ${text}`).join('\n')}

Afterwards changes are made here. The runbook's steps ${STEP.staticIpAndDns}, ${STEP.dns01ServiceAccount} and ${STEP.clusterIssuers} find what they want and change nothing, as long as names, address and roles stay. \`make remove\` knows nothing of this state: \`KEEP=dns,ip\` leaves record and address alone, and a service account whose description is no longer the runbook's stays by itself.
`;
}
