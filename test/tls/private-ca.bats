#!/usr/bin/env bats
# A private CA at a remote executor, on the rehearsal world: a stand-in release in a namespace of its own, over upgrades,
# rollbacks and changes of the CA, before and after the production certificate. Its cases go into docs/security.md.

setup_file() {
  load ../operations/world
  world_setup
  export NS=kubently-ca-trial TRUST=$BATS_FILE_TMPDIR/trust.pem OTHER=$BATS_FILE_TMPDIR/other.pem
  export CASES=$BATS_FILE_TMPDIR/cases CHART=$STATE/kubently/deployment/helm/kubently
  umask 077
  remove_trial
  cp "$STATE/acme-roots.pem" "$TRUST"
  cp "$TOKENS" "$BATS_FILE_TMPDIR/tokens.env"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=Another CA' \
    -keyout "$BATS_FILE_TMPDIR/other.key" -out "$OTHER" 2>/dev/null
  {
    grep -vE '^(REMOTE_CLUSTERS|TLS_CA_FILE|TOKENS_FILE)=' sandbox/.env
    echo "REMOTE_CLUSTERS=ca-trial=$REMOTE/$NS/$NS"
    echo "TLS_CA_FILE=$TRUST"
    echo "TOKENS_FILE=$BATS_FILE_TMPDIR/tokens.env"
  } >"$BATS_FILE_TMPDIR/trial.env"
  export WORLD_ENV=$BATS_FILE_TMPDIR/trial.env ENV_FILE=$BATS_FILE_TMPDIR/trial.env
  for step in 2.1 2.4 3.1 3.2; do
    runbook "$step" >"$BATS_FILE_TMPDIR/setup.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/setup.log" >&2; return 1; }
  done
}

teardown_file() {
  load ../operations/world
  world_setup
  # Whatever failed: the world keeps the production certificate.
  TLS_ISSUER=production ENV_FILE=sandbox/.env ./runbook 2.6 --wait 5m >/dev/null 2>&1
  remove_trial
  mkdir -p .runbook/tls
  [ ! -e "$CASES" ] || jq -s . "$CASES" >.runbook/tls/clusters-cases.json
}

setup() {
  load ../operations/world
  world_setup
}

runbook() { ./runbook "$@" --wait 5m; }
kube() { kubectl --context "$REMOTE" --namespace "$NS" "$@"; }
by_hand() { helm --kube-context "$REMOTE" --namespace "$NS" "$@" >/dev/null && kube rollout status "deployment/$NS-executor" --timeout=90s >/dev/null; }
pod() { kube get pods -l app.kubernetes.io/component=executor -o 'jsonpath={.items[*].metadata.uid}/{.items[*].status.containerStatuses[0].restartCount}'; }
log() { kube logs -l app.kubernetes.io/component=executor --tail=-1; }
logged() { log | grep -qE "$1"; }
logged_after() { log | sed "1,/$1/d" | grep -qE "$2"; }
mounted() { kube get deployment "$NS-executor" -o "jsonpath={.spec.template.spec.containers[0].volumeMounts[?(@.mountPath=='/etc/kubently/ca')].name}"; }
setting() { kube get deployment "$NS-executor" -o "jsonpath={.spec.template.spec.containers[0].env[?(@.name=='$1')].value}"; }
answers() { command_returns ca-trial; }

# The CA file of the executor, changed by somebody else. The kubelet looks again when the pod changes, else within a minute.
trust_by_hand() {
  cat "$@" >"$KEPT/ca.crt"
  kube create configmap kubently-ca-cert --from-file=ca.crt="$KEPT/ca.crt" --dry-run=client -o yaml |
    kube apply --server-side --force-conflicts --field-manager=somebody-else -f - >/dev/null
  kube annotate pod -l app.kubernetes.io/component=executor --overwrite "looked-at=$SECONDS" >/dev/null
}

# A row of the table, once the case's assertions have passed: seen CASE EXPECTED [SEEN, where it says more].
seen() { jq -nc --arg name "$1" --arg expected "$2" --arg seen "${3:-$2}" '{$name, $expected, $seen, passed: true}' >>"$CASES"; }

remove_trial() {
  helm --kube-context "$REMOTE" --namespace "$NS" uninstall "$NS" --ignore-not-found >/dev/null 2>&1
  kubectl --context "$REMOTE" delete namespace "$NS" --ignore-not-found >/dev/null 2>&1
  keep API_KEY trial-key 'X-API-Key: '
  api trial-key DELETE /admin/agents/ca-trial/token >/dev/null
  rm -f ".runbook/$HOST/ca-trial."*
}

@test "the executor connects under the private CA, with verification on" {
  assert_equal "$(mounted)" kubently-ca-cert
  assert_equal "$(setting KUBENTLY_SSL_VERIFY)" true
  assert_equal "$(setting KUBENTLY_CA_CERT)" /etc/kubently/ca/ca.crt
  run -0 answers
  logged 'trusting only the CA file /etc/kubently/ca/ca.crt'
  seen 'released by step 3.2 under a private CA (TLS_CA_FILE)' 'connected, verification on'
}

@test "upgrades and rollbacks: helm's rollback keeps the mount; an upgrade past the runbook loses it, connects to nobody, and is mended" {
  # Without the runbook's post-renderer: the chart itself cannot mount the file.
  by_hand upgrade "$NS" "$CHART" --reuse-values --set executor.env.LOG_LEVEL=DEBUG
  assert_equal "$(setting LOG_LEVEL)" DEBUG
  assert_equal "$(mounted)" ''
  run -0 wait_for 60 logged 'ENOENT: no such file or directory, open ./etc/kubently/ca/ca.crt'
  refute logged 'SSE connection established'
  run -3 runbook 3.2 --plan
  seen 'helm upgrade by hand, without the runbook: the mount is lost' 'connects to nobody: no CA file'
  by_hand rollback "$NS" 1
  assert_equal "$(mounted)" kubently-ca-cert
  run -0 wait_for 60 answers
  seen "helm's rollback: the mount is kept" 'connected'
  # And by the runbook, from the state that the hand left.
  by_hand upgrade "$NS" "$CHART" --reuse-values --set executor.env.LOG_LEVEL=DEBUG
  run -0 runbook 3.2
  assert_equal "$(mounted)" kubently-ca-cert
  assert_equal "$(setting LOG_LEVEL)" INFO
  run -0 answers
  seen 'step 3.2 after an upgrade by hand' 'connected'
}

@test "a CA added to TLS_CA_FILE reaches the executor by step 3.2" {
  cat "$OTHER" >>"$TRUST"
  run -3 runbook 3.2 --plan
  run -0 runbook 3.2
  run -0 kube get configmap kubently-ca-cert -o 'jsonpath={.data.ca\.crt}'
  assert_output --partial "$(sed -n 2p "$OTHER")"
  run -0 answers
  run -0 runbook 3.2 --plan
  seen 'a CA added to TLS_CA_FILE, and step 3.2' 'connected, both are trusted'
}

@test "a CA file that somebody else changes: refused by name and reason, taken back, both without a restart; step 3.2 mends it" {
  local before
  before=$(pod)
  trust_by_hand "$OTHER"
  run -0 wait_for 130 logged 'Certificate refused: [A-Z_]+; subject .*; names DNS:test-api.kubently.io; issuer .*; valid '
  echo "# refused after $output s" >&3
  assert_equal "$(pod)" "$before"
  seen 'CA file changed to another CA under a running executor' 'refused by name and reason, same process' \
    "refused: $(log | sed -n 's/.*Certificate refused: \([A-Z_]*\);.*/\1/p' | tail -1), same process"
  trust_by_hand "$STATE/acme-roots.pem" "$OTHER"
  run -0 wait_for 130 logged_after 'Certificate refused' 'SSE connection established'
  echo "# connected again after $output s" >&3
  assert_equal "$(pod)" "$before"
  seen 'CA file changed back under a running executor' 'connected, same process'
  trust_by_hand "$OTHER"
  run -3 runbook 3.2 --plan
  run -0 runbook 3.2
  run -0 answers
  seen 'CA file changed by somebody else, and step 3.2' 'connected'
}

@test "phase 3 works before 2.7: from nothing, under the staging certificate; 2.7 renews it under the running executor" {
  helm --kube-context "$REMOTE" --namespace "$NS" uninstall "$NS" >/dev/null
  kubectl --context "$REMOTE" delete namespace "$NS" >/dev/null
  # What the deployment itself trusts.
  cp "$STATE/acme-roots.pem" "$TRUST"
  export TLS_ISSUER=staging
  run -0 runbook 2.6
  run -0 runbook 3.2
  run -0 answers
  assert_equal "$(setting KUBENTLY_SSL_VERIFY)" true
  seen 'phase 3 before 2.7: released under the staging certificate' 'connected, verification on'
  local before
  before=$(pod)
  export TLS_ISSUER=production
  run -0 runbook 2.6
  # The open stream outlives the change; a file that was touched makes the executor connect anew.
  trust_by_hand "$STATE/acme-roots.pem" "$OTHER"
  run -0 wait_for 130 logged_after 'The CA file changed' 'SSE connection established'
  run -0 answers
  assert_equal "$(pod)" "$before"
  seen 'certificate renewed under a running executor, from staging to production' 'connected again, same process'
}
