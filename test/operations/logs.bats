#!/usr/bin/env bats
# Logs of both clusters on the rehearsal world: last lines, followed through a replaced pod, ended cleanly.

setup() {
  load world
  world_setup
}

logs() { op logs "$@"; }

# Waits until the file holds the text.
shown() { wait_for 60 grep -q "$2" "$1" || { cat "$1"; return 1; }; }

# bats test_tags=short
@test "the last lines of every part of both clusters, without colour, secret or stack" {
  run logs --no-follow --tail 3
  assert_success
  for name in api executor remote:kind-remote ingress cert-manager; do assert_line --regexp "^$name [a-z0-9-]+ "; done
  refute_output --partial $'\e['
  while IFS= read -r secret; do refute_output --partial "$secret"; done < <(secrets)
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
  shown "$BATS_TEST_TMPDIR/out" "followed-$pid"
  children=$(pgrep -P "$pid" | tr '\n' ' ')
  assert [ -n "$children" ]
  kill -INT "$pid"
  status=0
  wait "$pid" || status=$?
  assert_equal "$status" 130
  for child in $children; do
    for _ in $(seq 50); do kill -0 "$child" 2>/dev/null || break; sleep 0.1; done
    run kill -0 "$child"
    assert_failure
  done
}

@test "following goes on in a restarted container and in the pod that replaces one" {
  local remote=(kubectl --context kind-kubently --namespace logs-test) image
  image=$(kubectl --context kind-kubently -n kubently-remote get deployment -o 'jsonpath={.items[0].spec.template.spec.containers[0].image}')
  # A stand-in for a remote executor, in a namespace of its own; it ends after 20 s, and is started again.
  kubectl --context kind-kubently create namespace logs-test
  "${remote[@]}" apply -f - <<END
apiVersion: apps/v1
kind: Deployment
metadata: { name: kubently-logs }
spec:
  selector: { matchLabels: { app: logs } }
  template:
    metadata: { labels: { app: logs, app.kubernetes.io/instance: kubently-logs, app.kubernetes.io/component: executor } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - { name: executor, image: "$image", command: [node, -e, "console.log('started at', Date.now()); setTimeout(() => {}, 20000)"] }
END
  "${remote[@]}" rollout status deployment/kubently-logs --timeout=60s
  REMOTE_CLUSTERS=stand-in=kind-kubently/logs-test/kubently-logs env --default-signal=INT node_modules/.bin/node --disable-warning=DEP0190 scripts/ops/logs.ts --what remote:stand-in --tail 5 >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  local pid=$! first second
  first=$("${remote[@]}" get pod -o name)
  shown "$BATS_TEST_TMPDIR/out" "${first#pod/} started at"
  for _ in $(seq 90); do [ "$(grep -c "${first#pod/} started at" "$BATS_TEST_TMPDIR/out")" -ge 2 ] && break; sleep 0.5; done
  "${remote[@]}" delete "$first"
  second=$("${remote[@]}" get pod -o name)
  shown "$BATS_TEST_TMPDIR/out" "${second#pod/} started at"
  kill -INT "$pid"
  status=0
  wait "$pid" || status=$?
  assert_equal "$status" 130
  assert [ "$(grep -c "${first#pod/} started at" "$BATS_TEST_TMPDIR/out")" -ge 2 ]
  # No line twice.
  run bash -c "sort '$BATS_TEST_TMPDIR/out' | uniq -d"
  assert_output ''
}

teardown() {
  [[ $BATS_TEST_DESCRIPTION != *replaces* ]] || kubectl --context kind-kubently delete namespace logs-test --ignore-not-found
}
