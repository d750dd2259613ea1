#!/usr/bin/env bats
# A private CA at a remote executor, on the rehearsal world: a stand-in release in a namespace of its own, over
# upgrades, rollbacks and changes of the CA, before and after the production certificate. Needs the world up (make rehearse).
bats_require_minimum_version 1.5.0

setup_file() {
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
  export WORLD_ENV=${ENV_FILE:-sandbox/.env} STATE=/var/lib/kubently-sandbox NS=kubently-ca-trial CONTEXT=kind-kubently
  export KUBECONFIG=$STATE/kubeconfig PATH="$PWD/.tools/bin:$PATH"
  export TRUST=$BATS_FILE_TMPDIR/trust.pem TRIAL_ENV=$BATS_FILE_TMPDIR/trial.env
  umask 077
  remove_trial
  cp "$STATE/acme-roots.pem" "$TRUST"
  cp "$STATE/tokens.env" "$BATS_FILE_TMPDIR/tokens.env"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=Another CA' \
    -keyout "$BATS_FILE_TMPDIR/other.key" -out "$BATS_FILE_TMPDIR/other.pem" 2>/dev/null
  {
    grep -vE '^(REMOTE_CLUSTERS|TLS_CA_FILE|TOKENS_FILE|KUBENTLY_REPO)=' "$WORLD_ENV"
    echo "KUBENTLY_REPO=${KUBENTLY_REPO:-$STATE/kubently}"
    echo "REMOTE_CLUSTERS=ca-trial=$CONTEXT/$NS/$NS"
    echo "TLS_CA_FILE=$TRUST"
    echo "TOKENS_FILE=$BATS_FILE_TMPDIR/tokens.env"
  } >"$TRIAL_ENV"
  export CHART=${KUBENTLY_REPO:-$STATE/kubently}/deployment/helm/kubently
  for step in 2.1 2.2 3.1 3.2; do
    runbook "$step" >"$BATS_FILE_TMPDIR/setup.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/setup.log" >&2; return 1; }
  done
}

teardown_file() {
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
  # Whatever failed: the world keeps the production certificate.
  TLS_ISSUER=production ENV_FILE=$TRIAL_ENV ./runbook 2.6 >/dev/null 2>&1
  remove_trial
}

setup() {
  load ../../node_modules/bats-support/load.bash
  load ../../node_modules/bats-assert/load.bash
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
}

runbook() { ENV_FILE=$TRIAL_ENV ./runbook "$@" --wait 5m; }
kube() { kubectl --context "$CONTEXT" --namespace "$NS" "$@"; }
pod() { kube get pods -l app.kubernetes.io/component=executor -o 'jsonpath={.items[*].metadata.uid}/{.items[*].status.containerStatuses[0].restartCount}'; }
log() { kube logs -l app.kubernetes.io/component=executor --tail=-1; }
mounted() { kube get deployment "$NS-executor" -o "jsonpath={.spec.template.spec.containers[0].volumeMounts[?(@.mountPath=='/etc/kubently/ca')].name}"; }
values() { kube get deployment "$NS-executor" -o "jsonpath={.spec.template.spec.containers[0].env[?(@.name=='$1')].value}"; }

# The API over https, with the key read from a file: never on a command line.
api() {
  local key
  key=$(sed -n 's/^API_KEY=//p' "$STATE/tokens.env")
  curl --silent --show-error --cacert "$STATE/acme-roots.pem" --header @<(echo "X-API-Key: $key") "$@"
}
answers() {
  api --header 'Content-Type: application/json' https://test-api.kubently.io/debug/execute \
    --data '{"cluster_id":"ca-trial","args":["namespaces"],"namespace":null,"timeout_seconds":20}' | grep -q '"status":"success"'
}

remove_trial() {
  helm --kube-context "$CONTEXT" --namespace "$NS" uninstall "$NS" --ignore-not-found >/dev/null 2>&1
  kubectl --context "$CONTEXT" delete namespace "$NS" --ignore-not-found >/dev/null 2>&1
  api --output /dev/null --request DELETE https://test-api.kubently.io/admin/agents/ca-trial/token
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
logged() { log | grep -qE "$1"; }
logged_after() { log | sed "1,/$1/d" | grep -qE "$2"; }

@test "the executor connects under the private CA, with verification on" {
  assert_equal "$(mounted)" kubently-ca-cert
  assert_equal "$(values KUBENTLY_SSL_VERIFY)" true
  assert_equal "$(values KUBENTLY_CA_CERT)" /etc/kubently/ca/ca.crt
  run -0 answers
  logged 'trusting only the CA file /etc/kubently/ca/ca.crt'
}

@test "upgrades and rollbacks: helm's rollback keeps the mount; an upgrade past the runbook loses it, connects to nobody, and is mended" {
  local helm=(helm --kube-context "$CONTEXT" --namespace "$NS")
  # By hand, without the runbook's post-renderer: the chart itself cannot mount the file.
  "${helm[@]}" upgrade "$NS" "$CHART" --reuse-values --set executor.env.LOG_LEVEL=DEBUG >/dev/null
  kube rollout status "deployment/$NS-executor" --timeout=90s >/dev/null
  assert_equal "$(values LOG_LEVEL)" DEBUG
  assert_equal "$(mounted)" ''
  run -0 wait_for 60 logged 'ENOENT: no such file or directory, open ./etc/kubently/ca/ca.crt'
  run -3 runbook 3.2 --plan
  "${helm[@]}" rollback "$NS" 1 >/dev/null
  kube rollout status "deployment/$NS-executor" --timeout=90s >/dev/null
  assert_equal "$(mounted)" kubently-ca-cert
  run -0 wait_for 60 answers
  # And by the runbook, from the state that the hand left.
  "${helm[@]}" upgrade "$NS" "$CHART" --reuse-values --set executor.env.LOG_LEVEL=DEBUG >/dev/null
  runbook 3.2
  assert_equal "$(mounted)" kubently-ca-cert
  assert_equal "$(values LOG_LEVEL)" INFO
  run -0 answers
}

@test "a CA added to TLS_CA_FILE reaches the running executor, without a restart" {
  wait_for 60 answers
  local before
  before=$(pod)
  cat "$BATS_FILE_TMPDIR/other.pem" >>"$TRUST"
  runbook 3.2
  run -0 kube get configmap kubently-ca-cert -o 'jsonpath={.data.ca\.crt}'
  assert_output --partial "$(sed -n 2p "$BATS_FILE_TMPDIR/other.pem")"
  run -0 wait_for 100 logged_after 'SSE connection established' 'The CA file changed'
  echo "# seen by the pod after $output s" >&3
  run -0 wait_for 40 logged_after 'The CA file changed' 'SSE connection established'
  assert_equal "$(pod)" "$before"
}

@test "a wrong CA is refused by name and reason; step 3.2 mends it, without a restart" {
  local before
  before=$(pod)
  kube create configmap kubently-ca-cert --from-file=ca.crt="$BATS_FILE_TMPDIR/other.pem" --dry-run=client -o yaml |
    kube apply --server-side --force-conflicts --field-manager=somebody-else -f - >/dev/null
  run -0 wait_for 100 logged 'Certificate refused: [A-Z_]+; subject .*; names DNS:test-api.kubently.io; issuer .*; valid '
  echo "# refused after $output s" >&3
  run -3 runbook 3.2 --plan
  runbook 3.2
  run -0 wait_for 30 answers
  assert_equal "$(pod)" "$before"
}

@test "phase 3 works before 2.7: from nothing, under the staging certificate" {
  helm --kube-context "$CONTEXT" --namespace "$NS" uninstall "$NS" >/dev/null
  kubectl --context "$CONTEXT" delete namespace "$NS" >/dev/null
  export TLS_ISSUER=staging
  runbook 2.6
  runbook 3.1
  runbook 3.2
  run -0 answers
  assert_equal "$(values KUBENTLY_SSL_VERIFY)" true
  local before
  before=$(pod)
  # 2.7: the same executor goes on under the production certificate.
  export TLS_ISSUER=production
  runbook 2.6
  wait_for 60 answers
  assert_equal "$(pod)" "$before"
}
