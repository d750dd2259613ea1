# What the tests on the rehearsal world share: it as `make rehearse` left it. In setup and setup_file: load world; world_setup
STATE=/var/lib/kubently-sandbox
TOKENS=$STATE/tokens.env
HOST=test-api.kubently.io
GKE=gke_regal-skyline-471806-t6_us-central1_kubently-test-cluster1
REMOTE=kind-kubently
GOOGLE=http://127.0.0.1:8085
PROJECT=regal-skyline-471806-t6
KEPT=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}

# @env WORLD_ENV other settings than the rehearsal's, where a file's setup_file has made some
world_setup() {
  bats_require_minimum_version 1.5.0
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
  load "$PWD/node_modules/bats-support/load.bash"
  load "$PWD/node_modules/bats-assert/load.bash"
  export ENV_FILE=${WORLD_ENV:-sandbox/.env} NO_COLOR=1 KUBECONFIG=$STATE/kubeconfig PATH="$PWD/.tools/bin:$PATH"
  export JOURNAL=.runbook/journal.jsonl
}

# One of scripts/ops, with its status.
op() {
  local name=$1
  shift
  node_modules/.bin/node --disable-warning=DEP0190 "scripts/ops/$name.ts" "$@"
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

# Writes the header with the value of a token into a file that only curl reads.
keep() { (umask 077 && sed -n "s/^$1=/$3/p" "$TOKENS" >"$KEPT/$2"); }

# The API's answer to METHOD PATH with the header of a kept file: its status, and its body in $KEPT/body.
api() {
  local header=$1 method=$2 path=$3
  shift 3
  curl -sS --max-time 30 -o "$KEPT/body" -w '%{http_code}' -X "$method" --cacert "$STATE/acme-roots.pem" \
    --resolve "$HOST:443:$(sed -n 's/^INGRESS_IP=//p' "$TOKENS")" -H "@$KEPT/$header" "$@" "https://$HOST$path"
}

# Whether a command comes back through the cluster's executor.
command_returns() {
  keep API_KEY command-key 'X-API-Key: '
  api command-key POST /debug/execute -H 'content-type: application/json' \
    -d "{\"cluster_id\":\"$1\",\"args\":[\"namespaces\"],\"namespace\":null,\"timeout_seconds\":10}" >/dev/null
  grep -q kube-system "$KEPT/body"
}

# wait_for SECONDS COMMAND: how long it took, in seconds.
wait_for() {
  local limit=$1 start=$SECONDS
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS - start < limit)) || { echo "not within $limit s: $*"; return 1; }
    sleep 1
  done
  echo "$((SECONDS - start))"
}

# No rotation stands open in the tokens file.
assert_no_marks() {
  run grep -cE '^[A-Z0-9_]+_(NEXT|PREVIOUS)=' "$TOKENS"
  assert_output 0
}

# A session of a client: its id.
new_session() {
  keep API_KEY session-key 'X-API-Key: '
  [ "$(api session-key POST /debug/session -H 'content-type: application/json' -d '{"cluster_id":"kind-remote"}')" = 201 ]
  sed 's/.*"session_id":"\([^"]*\)".*/\1/' "$KEPT/body"
}
