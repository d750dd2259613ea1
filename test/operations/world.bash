# What the tests of the operations ask the rehearsal world. Load with: load world
STATE=/var/lib/kubently-sandbox
GKE=gke_regal-skyline-471806-t6_us-central1_kubently-test-cluster1
REMOTE=kind-kubently
GOOGLE=http://127.0.0.1:8085
PROJECT=regal-skyline-471806-t6

world_setup() {
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_DIRNAME/../.."
  load "$PWD/node_modules/bats-support/load.bash"
  load "$PWD/node_modules/bats-assert/load.bash"
  export ENV_FILE=sandbox/.env NO_COLOR=1 KUBECONFIG=$STATE/kubeconfig PATH="$PWD/.tools/bin:$PATH"
  JOURNAL=.runbook/journal.jsonl
}

google() {
  curl -sS -H "authorization: Bearer $(cat "$STATE/google/access-token")" "$@"
}

# Every secret value that the deployment knows, a line each.
secrets() {
  sed -n 's/^[A-Z_]*=\([0-9a-f]\{64\}\)$/\1/p' "$STATE/tokens.env"
  sed -n "s/^\(GITHUB_TOKEN\|ANTHROPIC_API_KEY\)='\(.*\)'$/\2/p" sandbox/.env
}

# What is left of a deployment in the clusters, asked without the runbook's own code.
leftovers_in_clusters() {
  local context
  for context in "$GKE" "$REMOTE"; do
    kubectl --context "$context" get namespaces -o name | grep -E '/(kubently|kubently-remote|cert-manager|traefik)$'
    kubectl --context "$context" get clusterroles,clusterrolebindings,ingressclasses,customresourcedefinitions,validatingwebhookconfigurations,mutatingwebhookconfigurations -o name |
      grep -E '/(kubently(-remote)?-executor|traefik-ingress|cert-manager.*|.*\.cert-manager\.io|nginx)$'
    kubectl --context "$context" get roles,rolebindings,leases -n kube-system -o name | grep -E 'cert-manager|traefik|kubently'
    kubectl --context "$context" get persistentvolumes -o 'jsonpath={range .items[*]}pv/{.metadata.name} {.spec.claimRef.namespace}{"\n"}{end}' | grep -E ' kubently'
    kubectl --context "$context" get all,secrets,configmaps,ingresses,networkpolicies,leases -A -l app.kubernetes.io/managed-by=kubently-runbook \
      -o 'jsonpath={range .items[*]}{.metadata.namespace}/{.kind}/{.metadata.name}{"\n"}{end}' | grep -E '^(kubently|kubently-remote|cert-manager|traefik|kube-system)/'
  done
  return 0
}

leftovers_in_google() {
  google "$GOOGLE/compute/v1/projects/$PROJECT/regions/us-central1/addresses" | jq -r '.items[]?.name'
  google "$GOOGLE/dns/v1/projects/$PROJECT/managedZones/kubently-io/rrsets" | jq -r '.rrsets[] | select(.type == "A" or .type == "TXT") | .type + " " + .name'
  google "$GOOGLE/v1/projects/$PROJECT/serviceAccounts" | jq -r '.accounts[]?.email'
  google -X POST -d '{"options":{"requestedPolicyVersion":3}}' "$GOOGLE/v1/projects/$PROJECT:getIamPolicy" | jq -r '.bindings[].members[]' | grep dns01
  return 0
}

assert_nothing_left() {
  run leftovers_in_clusters
  assert_output ''
  run leftovers_in_google
  assert_output ''
}
