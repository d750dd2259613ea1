#!/usr/bin/env bats
# Rotation on the rehearsal world, whose deployment stands: 13 of 13.
bats_require_minimum_version 1.5.0

setup_file() {
  load world.bash
  world
}

setup() {
  load world.bash
  helpers
}

# bats test_tags=short
@test "a WHAT that is nothing is status 2, and no token changes" {
  cp "$TOKENS" "$BATS_TEST_TMPDIR/before"
  run -2 op rotate --what everything
  assert_output --partial 'one of dns-key, redis, executor:gke, executor:kind-remote, api-key, all'
  run -2 op rotate
  run -0 cmp "$TOKENS" "$BATS_TEST_TMPDIR/before"
}

# bats test_tags=short
@test "dns-key: the Secret holds another key, the account one key, the old one is refused" {
  id() { kubectl --context "$GKE" -n cert-manager get secret clouddns-dns01-solver-sa -o 'jsonpath={.data.key\.json}' | base64 -d | grep -o '"private_key_id": *"[^"]*"'; }
  local before
  before=$(id)
  run -0 op rotate --what dns-key
  assert_output --partial 'is deleted and refused (401)'
  [ "$(id)" != "$before" ]
  run -0 kubectl --context "$GKE" -n cert-manager get secret clouddns-dns01-solver-sa -o 'jsonpath={.data}'
  refute_output --partial 'previous.json'
  run -0 ./runbook 1.2 --plan
  assert_no_marks
}

@test "executor:kind-remote: a command comes back, the old token is refused" {
  keep KIND_REMOTE_EXECUTOR_TOKEN old 'Authorization: Bearer '
  run -0 op rotate --what executor:kind-remote
  run -0 api old GET /executor/stream -H 'X-Cluster-Id: kind-remote'
  assert_output 401
  assert_no_marks
}

@test "api-key: killed with -9 with both keys out and with the old one going, it is finished by the same command" {
  keep API_KEY old 'X-API-Key: '
  for stage in API_KEY_NEXT API_KEY_PREVIOUS; do
    # Not by op: $! would be the shell around it, and the program would live on.
    node_modules/.bin/node --disable-warning=DEP0190 scripts/ops/rotate.ts --what api-key >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    local pid=$! tries=0
    until grep -q "^$stage=" "$TOKENS"; do
      sleep 0.5
      tries=$((tries + 1))
      [ "$tries" -lt 500 ] || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
    done
    kill -9 "$pid"
    # The key of the file works at every moment, and a deploy in between finds no conflict.
    keep API_KEY current 'X-API-Key: '
    assert_equal "$(api current GET /debug/clusters)" 200
    run ./runbook 2.1 --plan
    assert_success
  done
  run -0 op rotate --what api-key
  keep API_KEY new 'X-API-Key: '
  assert_equal "$(api new GET /debug/clusters)" 200
  assert_equal "$(api old GET /debug/clusters)" 401
  assert_no_marks
}

@test "redis: a session survives, the old password is refused" {
  local session pod=kubently-redis-master-0
  session=$(new_session)
  keep REDIS_PASSWORD old ''
  run -0 op rotate --what redis
  assert_equal "$(api session-key GET "/debug/session/$session")" 200
  run -0 sh -c "kubectl --context $GKE -n kubently exec -i $pod -- sh -c 'read -r REDISCLI_AUTH; export REDISCLI_AUTH; redis-cli --no-auth-warning PING' <'$BATS_TEST_TMPDIR/old' 2>&1"
  assert_output --partial 'NOAUTH'
  assert_no_marks
}

@test "all: every secret is another one, and everything is as meant" {
  cp "$TOKENS" "$BATS_TEST_TMPDIR/before"
  run -0 op rotate --what all
  assert_equal "$(printf '%s\n' "${lines[@]}" | grep -c '^✓')" 5
  run comm -12 <(grep -E '=[0-9a-f]{64}$' "$BATS_TEST_TMPDIR/before" | sort) <(sort "$TOKENS")
  assert_output ''
  run -0 ./runbook status
  assert_line 'everything is as meant'
  assert_no_marks
}
