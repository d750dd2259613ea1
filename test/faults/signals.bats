#!/usr/bin/env bats
# Stopping a run on the real world: by signals, by kill -9, by a terminal that is gone; and two runs beside each other.
# ENV_FILE names a world in which everything is deployed. The runs change nothing there but the lock and phase 4's probes.

setup_file() {
  cd "$BATS_TEST_DIRNAME/../.."
  USER=$(id -un)
  export USER
  export ENV_FILE=${ENV_FILE:-sandbox/.env} NO_COLOR=1
  set -a; . "$ENV_FILE"; set +a
  ./runbook deploy >/dev/null
  export LEASE="lease/kubently-runbook-${API_HOST//./-}"
}

setup() {
  cd "$BATS_TEST_DIRNAME/../.."
  load "$PWD/node_modules/bats-support/load.bash"
  load "$PWD/node_modules/bats-assert/load.bash"
  bats_require_minimum_version 1.5.0
  out="$BATS_TEST_TMPDIR/out"
}

lease() { .tools/bin/kubectl --context "$GKE_CONTEXT" --namespace default get "$LEASE" --ignore-not-found -o name; }

# A run in the background that holds the lock; its pid in $runner.
start() {
  setsid ./runbook "$@" >"$out" 2>&1 3>&- &
  runner=$!
  for _ in $(seq 100); do [ -n "$(lease)" ] && return; sleep 0.2; done
  cat "$out"; return 1
}

# The status of the run in the background: `run` would look for it in a subshell.
ended() { wait "$runner" && status=0 || status=$?; }

last_run() { node_modules/.bin/node scripts/ops/history.ts --last 1; }

stopped_by() {
  start deploy --from 2.5
  sleep 1
  kill -"$1" "$runner"
  ended
  assert_equal "$status" "$2"
  assert_equal "$(lease)" ''
  run cat "$out"
  assert_output --partial "ended by SIG$1"
  assert_output --partial "make deploy FROM=2.5 ENV_FILE=$ENV_FILE (resumes where this ended)"
  run last_run
  assert_output --regexp "deploy FROM=2.5 +stopped"
  assert_output --regexp "[234]\.[0-9] ended by SIG$1"
}

# bats test_tags=short
@test "SIGINT: status 130, the lock is free, the journal has step and signal, the text ends with the command" {
  stopped_by INT 130
}

@test "SIGTERM: status 143" {
  stopped_by TERM 143
}

@test "SIGHUP: status 129" {
  stopped_by HUP 129
}

@test "make gets the signal: the run ends once, cleanly" {
  setsid make --no-print-directory deploy FROM=2.5 >"$out" 2>&1 3>&- &
  runner=$!
  for _ in $(seq 100); do [ -n "$(lease)" ] && break; sleep 0.2; done
  kill -TERM -- "-$runner"
  ended
  assert_not_equal "$status" 0
  for _ in $(seq 100); do [ -z "$(lease)" ] && break; sleep 0.2; done
  assert_equal "$(lease)" ''
  run last_run
  assert_output --regexp "deploy FROM=2.5 +stopped"
}

@test "a second Ctrl-C ends at once; the next run takes the lock over" {
  start deploy --from 2.5
  kill -INT "$runner"
  sleep 0.15
  kill -INT "$runner"
  ended
  assert_equal "$status" 130
  run ./runbook 2.5
  assert_success
}

# bats test_tags=short
@test "kill -9: the lock stays; the next run takes it over at once and journals that" {
  start deploy --from 2.5
  kill -KILL "$runner"
  ended
  assert_equal "$(lease)" "lease.coordination.k8s.io/${LEASE#lease/}"
  run ./runbook 2.5
  assert_success
  assert_output --partial 'the lock was taken over: its owner is dead'
  run last_run
  assert_output --partial 'lock taken over'
  assert_equal "$(lease)" ''
}

# bats test_tags=short
@test "a second run beside the first: status 5 with holder and step; with WAIT it follows" {
  start deploy --from 2.5
  run ./runbook 2.5
  assert_equal "$status" 5
  assert_output --regexp "the deployment is locked by $USER.*\(pid $runner\) runs deploy FROM=2.5"
  assert_output --partial 'WAIT=10m'
  run ./runbook 2.5 --wait 5m
  assert_success
  assert_output --partial '… the lock is held'
  ended
  assert_equal "$status" 0
}

@test "looking needs no lock" {
  start deploy --from 2.5
  run ./runbook status
  assert_success
  ended
  assert_equal "$status" 0
}

# bats test_tags=short
@test "a reader that goes away does not end the run" {
  ./runbook 2.5 2>&1 | true
  assert_equal "${PIPESTATUS[0]}" 0
  run last_run
  assert_output --regexp '2\.5 +done'
}

@test "a wait that is no time: status 2 before anything is asked" {
  run ./runbook deploy --wait soon
  assert_equal "$status" 2
  assert_output --partial 'WAIT: "soon" is not a time'
}
