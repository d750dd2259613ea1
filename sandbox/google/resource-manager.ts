/** Cloud Resource Manager v1: the project and its policy. */
import { z } from 'zod';
import { may } from './access.ts';
import { parse, route, type Route } from './api.ts';
import { GetPolicyBody, SetPolicyBody, policyResource, replacePolicy } from './policy.ts';
import { latest, withVersion } from './propagation.ts';
import type { Cloud } from './state.ts';

const TestPermissionsBody = z.strictObject({ permissions: z.array(z.string()) });

/** The routes of the service. */
export function resourceManagerRoutes(cloud: Cloud): Route[] {
  const { state } = cloud;
  const project = '/v1/projects/:project';
  return [
    route(`GET ${project}`, 'resourcemanager.projects.get', () => ({
      projectNumber: '471806000001',
      projectId: cloud.project,
      name: cloud.project,
      lifecycleState: 'ACTIVE',
    })),
    route(
      `POST ${project}\\:getIamPolicy`,
      'resourcemanager.projects.getIamPolicy',
      ({ body }) => {
        const { options } = parse(GetPolicyBody, body ?? {});
        return policyResource(latest(state.policy), options?.requestedPolicyVersion);
      },
      'reads',
    ),
    route(`POST ${project}\\:setIamPolicy`, 'resourcemanager.projects.setIamPolicy', ({ body }) => {
      const policy = replacePolicy(cloud, latest(state.policy), parse(SetPolicyBody, body).policy);
      state.policy = withVersion(state.policy, policy, cloud.now());
      cloud.save();
      return policyResource(policy, 3);
    }),
    route(
      `POST ${project}\\:testIamPermissions`,
      'resourcemanager.projects.get',
      ({ body, caller }) => {
        const { permissions } = parse(TestPermissionsBody, body);
        return { permissions: permissions.filter((permission) => may(cloud, caller, permission)) };
      },
      'reads',
    ),
  ];
}
