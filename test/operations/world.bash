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
# What the tests of the operations share: the rehearsal world as `make rehearse` left it.

# The settings of the rehearsal, with an age pair of this test's own.
world() {
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
  export STATE=/var/lib/kubently-sandbox KUBECONFIG=/var/lib/kubently-sandbox/kubeconfig PATH="$PWD/.tools/bin:$PATH"
  export GKE=gke_regal-skyline-471806-t6_us-central1_kubently-test-cluster1 REMOTE=kind-kubently
  export TOKENS=$STATE/tokens.env ENV_FILE="$BATS_FILE_TMPDIR/settings.env" IDENTITY="$BATS_FILE_TMPDIR/identity.txt"
  umask 077
  node_modules/.bin/node -e "import('age-encryption').then(async (age) => {
    const identity = await age.generateX25519Identity();
    require('fs').writeFileSync('$IDENTITY', identity + '\n');
    console.log('BACKUP_RECIPIENT=' + (await age.identityToRecipient(identity)));
  })" >"$BATS_FILE_TMPDIR/recipient"
  { cat sandbox/.env "$BATS_FILE_TMPDIR/recipient"; echo "BACKUP_IDENTITY=$IDENTITY"; } >"$ENV_FILE"
}

helpers() {
  load ../../node_modules/bats-support/load.bash
  load ../../node_modules/bats-assert/load.bash
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
}

op() {
  local name=$1; shift
  node_modules/.bin/node --disable-warning=DEP0190 "scripts/ops/$name.ts" "$@"
}

# Writes the header with the value of a token into a file that only curl reads.
keep() { sed -n "s/^$1=/$3/p" "$TOKENS" >"$BATS_TEST_TMPDIR/$2"; }

# The API's answer to METHOD PATH with the header of a kept file: its status, and its body in $BATS_TEST_TMPDIR/body.
api() {
  local header=$1 method=$2 path=$3; shift 3
  curl -sS --max-time 20 -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' -X "$method" --cacert "$STATE/acme-roots.pem" \
    --resolve "test-api.kubently.io:443:$(sed -n 's/^INGRESS_IP=//p' "$TOKENS")" -H "@$BATS_TEST_TMPDIR/$header" "$@" "https://test-api.kubently.io$path"
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
  sed 's/.*"session_id":"\([^"]*\)".*/\1/' "$BATS_TEST_TMPDIR/body"
}
