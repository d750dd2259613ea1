#!/usr/bin/env bats
# The deployment on the rehearsal world, after `make rehearse`: run again, looked at, and searched for leaks.
bats_require_minimum_version 1.5.0

setup_file() {
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
  export ENV_FILE=sandbox/.env STATE=/var/lib/kubently-sandbox
  export KUBECONFIG=$STATE/kubeconfig PATH="$PWD/.tools/bin:$PATH"
  export GKE=gke_regal-skyline-471806-t6_us-central1_kubently-test-cluster1 REMOTE=kind-kubently
}

setup() {
  load ../../node_modules/bats-support/load.bash
  load ../../node_modules/bats-assert/load.bash
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
}

# Versions of everything that the runbook or its Helm releases made: any write changes one.
versions() {
  local kinds=secret,configmap,networkpolicy,poddisruptionbudget,ingress,certificate,serviceaccount
  kubectl --context "$GKE" get "$kinds" -n kubently -o 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}'
  kubectl --context "$GKE" get clusterissuer,ingressclass -o 'jsonpath={range .items[*]}{.metadata.name} {.metadata.generation}{"\n"}{end}'
  kubectl --context "$GKE" get deployment,service -A -o 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.metadata.generation}{"\n"}{end}'
  kubectl --context "$REMOTE" get secret,configmap -n kubently-remote -o 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}'
}

# The command lines of a process and all its descendants, again and again until it ends.
sample_command_lines() {
  local pid=$1
  while kill -0 "$pid" 2>/dev/null; do
    for p in "$pid" $(pgrep -g "$pid" 2>/dev/null) $(pgrep -f 'kubectl|helm|gcloud|docker|dist/index.js' 2>/dev/null); do
      tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null && echo
    done
    sleep 0.05
  done
}

secrets() {
  sed -n 's/^[A-Z_]*=\([0-9a-f]\{64\}\)$/\1/p' "$STATE/tokens.env"
  sed -n "s/^\(GITHUB_TOKEN\|ANTHROPIC_API_KEY\)='\(.*\)'$/\2/p" sandbox/.env
}

@test "a second run of phases 1 to 3 changes nothing anywhere" {
  versions >"$BATS_TEST_TMPDIR/before"
  local requests
  requests=$(wc -l <"$STATE/google/requests.jsonl")
  for phase in phase1 phase2 phase3; do
    run -0 ./runbook "$phase"
    refute_output --partial ' done '
    assert_output --regexp '[0-9]+ unchanged, 0 failed'
  done
  versions >"$BATS_TEST_TMPDIR/after"
  run -0 diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
  run tail -n "+$((requests + 1))" "$STATE/google/requests.jsonl"
  refute_output --partial '"mutating":true'
}

@test "status says that everything matches the configuration" {
  run -0 ./runbook status
  assert_line 'everything matches the configuration'
}

@test "verify proves all criteria and leaves nothing behind" {
  run -0 ./runbook verify
  assert_equal "${lines[-1]}" '13 of 13 criteria proven'
  for context in "$GKE" "$REMOTE"; do
    run -0 kubectl --context "$context" get pods,namespaces -A -l app.kubernetes.io/managed-by=kubently-runbook-probe -o name
    assert_output ''
  done
}

@test "a changed Secret is found, and put right by the same command" {
  kubectl --context "$GKE" -n kubently delete secret kubently-llm-secrets
  run -3 ./runbook 2.3 --plan
  assert_output --partial 'missing: kubently-llm-secrets'
  run -0 ./runbook 2.3
  run -0 ./runbook 2.3 --plan
}

@test "a lost tokens file comes back from the clusters, with the same tokens" {
  cp "$STATE/tokens.env" "$BATS_TEST_TMPDIR/tokens.env"
  rm "$STATE/tokens.env"
  run -0 ./runbook 2.1
  run -0 diff <(sort "$BATS_TEST_TMPDIR/tokens.env") <(sort "$STATE/tokens.env")
  run -0 stat -c %a "$STATE/tokens.env"
  assert_output 600
}

@test "no secret stands on a command line, in the output, the journal or the repository" {
  ./runbook deploy >"$BATS_TEST_TMPDIR/output" 2>&1 &
  local pid=$!
  sample_command_lines "$pid" >"$BATS_TEST_TMPDIR/commands"
  wait "$pid"
  run -0 grep -c . "$BATS_TEST_TMPDIR/commands"
  run -0 stat -c %a .runbook/journal.jsonl
  assert_output 600
  git ls-files -z | xargs -0 cat >"$BATS_TEST_TMPDIR/repository" 2>/dev/null || true
  local found=0 checked=0 secret form
  while read -r secret; do
    for form in "$secret" "$(printf %s "$secret" | base64 -w0 | cut -c1-40)"; do
      checked=$((checked + 1))
      for place in output commands; do grep -qF -- "$form" "$BATS_TEST_TMPDIR/$place" && { echo "a secret in $place"; found=1; }; done
      grep -qF -- "$form" .runbook/journal.jsonl && { echo 'a secret in the journal'; found=1; }
    done
  done < <(secrets)
  while read -r secret; do grep -qF -- "$secret" "$BATS_TEST_TMPDIR/repository" && { echo 'a secret in the repository'; found=1; }; done < <(secrets | grep -E '^[0-9a-f]{64}$')
  [ "$checked" -ge 10 ]
  assert_equal "$found" 0
}

@test "INGRESS_CONTROLLER=existing takes the controller that is there, as its check and 1.3 alone say" {
  INGRESS_CONTROLLER=existing run -0 ./runbook 1.3
  assert_output --partial 'the existing controller of class nginx is at 198.18.255.10'
  assert_output --partial '1 unchanged, 0 failed'
}

@test "a wrong setting is refused with all problems, and nothing is asked of Google" {
  (umask 077; sed -e "s/^GCP_REGION=.*/GCP_REGION='nowhere'/" -e "s/^RELEASE=.*/RELEASE='prod'/" sandbox/.env >"$BATS_TEST_TMPDIR/wrong.env")
  local requests
  requests=$(wc -l <"$STATE/google/requests.jsonl")
  ENV_FILE="$BATS_TEST_TMPDIR/wrong.env" run -2 ./runbook deploy
  assert_output --partial 'GCP_REGION'
  assert_output --partial 'must contain "kubently"'
  assert_equal "$(wc -l <"$STATE/google/requests.jsonl")" "$requests"
}

@test "an uncommitted change in the checkout is refused before anything happens" {
  touch "$STATE/kubently/uncommitted"
  run -2 ./runbook phase2
  rm "$STATE/kubently/uncommitted"
  assert_output --partial 'uncommitted'
  assert_output --partial 'nothing was changed'
}
