#!/usr/bin/env bats
# Logs of both clusters on the rehearsal world: last lines, followed through a replaced pod, ended cleanly.
bats_require_minimum_version 1.5.0

setup_file() {
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
  export ENV_FILE=sandbox/.env STATE=/var/lib/kubently-sandbox
  export KUBECONFIG=$STATE/kubeconfig PATH="$PWD/.tools/bin:$PATH"
}

setup() {
  load ../../node_modules/bats-support/load.bash
  load ../../node_modules/bats-assert/load.bash
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
}

logs() { node_modules/.bin/node --disable-warning=DEP0190 scripts/ops/logs.ts "$@"; }

# Waits at most 60 s until the file holds the text.
wait_for() {
  for _ in $(seq 120); do grep -q "$2" "$1" && return 0; sleep 0.5; done
  cat "$1"
  return 1
}

# bats test_tags=short
@test "the last lines of every part of both clusters, without colour, secret or stack" {
  run logs --no-follow --tail 3
  assert_success
  for name in api executor remote:kind-remote ingress cert-manager; do assert_line --regexp "^$name [a-z0-9-]+ "; done
  refute_output --partial $'\e['
  while IFS= read -r secret; do refute_output --partial "$secret"; done < <(sed -n 's/^[A-Z_]*=\([0-9a-f]\{64\}\)$/\1/p' $STATE/tokens.env)
}

# bats test_tags=short
@test "make logs WHAT=… TAIL=… FOLLOW=0: that part alone; a name that there is not is status 2" {
  run make --no-print-directory logs WHAT=remote:kind-remote TAIL=2 FOLLOW=0
  assert_success
  assert_line --regexp '^remote:kind-remote kubently-remote-executor-'
  refute_line --regexp '^api '
  run logs --what redis
  assert_failure 2
  assert_output --partial 'the logs: api, executor, remote:kind-remote, ingress, cert-manager'
  run logs --tail many
  assert_failure 2
}

# bats test_tags=short
@test "following: a new line is shown; SIGINT ends it with 130 and leaves no kubectl behind" {
  # A shell in the background ignores SIGINT, and its children with it: env gives it back.
  env --default-signal=INT node_modules/.bin/node --disable-warning=DEP0190 scripts/ops/logs.ts --what ingress --tail 0 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  local pid=$!
  for _ in $(seq 60); do
    curl -sk --max-time 2 --resolve "test-api.kubently.io:443:$(dig +short test-api.kubently.io @198.18.0.53)" "https://test-api.kubently.io/followed-$pid" >/dev/null || true
    grep -q "followed-$pid" "$BATS_TEST_TMPDIR/out" && break
    sleep 1
  done
  wait_for "$BATS_TEST_TMPDIR/out" "followed-$pid"
  children=$(pgrep -P "$pid" | tr '\n' ' ')
  assert [ -n "$children" ]
  kill -INT "$pid"
  status=0
  wait "$pid" || status=$?
  assert_equal "$status" 130
  for child in $children; do run kill -0 "$child"; assert_failure; done
}

@test "following goes on in the pod that replaces one" {
  local pod
  pod=$(kubectl --context kind-kubently -n kubently-remote get pod -l app.kubernetes.io/component=executor -o name)
  env --default-signal=INT node_modules/.bin/node --disable-warning=DEP0190 scripts/ops/logs.ts --what remote:kind-remote --tail 1 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  local pid=$!
  wait_for "$BATS_TEST_TMPDIR/out" "${pod#pod/}"
  kubectl --context kind-kubently -n kubently-remote delete "$pod" >/dev/null
  # The first line of the new pod is there, although nobody knew its name when this began.
  wait_for "$BATS_TEST_TMPDIR/out" 'Executor .* for cluster kind-remote'
  wait_for "$BATS_TEST_TMPDIR/out" 'SSE connection established'
  kill -INT "$pid"
  status=0
  wait "$pid" || status=$?
  assert_equal "$status" 130
  run grep -c 'Executor .* for cluster kind-remote' "$BATS_TEST_TMPDIR/out"
  assert_output 1
}
