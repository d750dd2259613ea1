/** The environment in which real gcloud and other host tools speak to the emulated API. */

/**
 * Variables for gcloud: its endpoints, the operator's token, a configuration folder of its own, and nothing that
 * asks or phones home. Project and account are not set: the runbook names the project in each call.
 */
export function gcloudEnvironment(endpoint: string, tokenFile: string, configuration: string): Record<string, string> {
  return {
    CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: `${endpoint}/compute/v1/`,
    CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS: `${endpoint}/`,
    CLOUDSDK_API_ENDPOINT_OVERRIDES_IAM: `${endpoint}/`,
    CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER: `${endpoint}/`,
    CLOUDSDK_AUTH_ACCESS_TOKEN_FILE: tokenFile,
    CLOUDSDK_CONFIG: configuration,
    CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
    CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: '1',
    CLOUDSDK_CORE_CHECK_GCE_METADATA: '0',
    CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: '1',
  };
}
