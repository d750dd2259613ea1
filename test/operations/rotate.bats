#!/usr/bin/env bats
# Rotation on the rehearsal world, whose deployment stands: 13 of 13.

setup() {
  load world
  world_setup
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

# While an API pod ends, the ingress may still send a request to where it was: that is no answer about the key.
answered() { [[ $(answer) =~ ^[234] ]]; }
answer() { api current GET /debug/clusters --max-time 10; }

# Starts a rotation of all and kills it as soon as the mark stands in the tokens file.
kill_at() {
  # Not by op: $! would be the shell around it, and the program would live on.
  node_modules/.bin/node --disable-warning=DEP0190 scripts/ops/rotate.ts --what all >>"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
  local pid=$!
  until grep -q "^$1=" "$TOKENS"; do
    kill -0 "$pid" || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
    sleep 0.2
  done
  kill -9 "$pid"
}

@test "all, killed with -9 three times and finished by the same command: each secret is another one, the old ones are refused" {
  local session id mark
  session=$(new_session)
  cp "$TOKENS" "$BATS_TEST_TMPDIR/before"
  keep API_KEY old-key 'X-API-Key: '
  keep GKE_EXECUTOR_TOKEN old-gke 'Authorization: Bearer '
  keep KIND_REMOTE_EXECUTOR_TOKEN old-kind-remote 'Authorization: Bearer '
  keep REDIS_PASSWORD old-password ''
  for mark in REDIS_PASSWORD_PREVIOUS KIND_REMOTE_EXECUTOR_TOKEN_PREVIOUS API_KEY_PREVIOUS; do
    kill_at "$mark"
    # The key of the file works at every moment, and a deploy in between finds no conflict.
    keep API_KEY current 'X-API-Key: '
    wait_for 90 answered
    assert_equal "$(answer)" 200
    run -0 ./runbook 2.1 --plan
  done
  run -0 op rotate --what all
  grep '^✓' "$BATS_TEST_TMPDIR/log" | sed 's/^/# /' >&3
  assert_line --regexp '^✓ api-key: every replica takes the new key and refuses the old one \(401\)'
  # BACKUP_KEY signs backups: another one would make every older backup a foreign one.
  run comm -12 <(grep -E '=[0-9a-f]{64}$' "$BATS_TEST_TMPDIR/before" | grep -v '^BACKUP_KEY=' | sort) <(sort "$TOKENS")
  assert_output ''
  assert_equal "$(api old-key GET /debug/clusters)" 401
  for id in gke kind-remote; do
    assert_equal "$(api "old-$id" GET /executor/stream -H "X-Cluster-Id: $id")" 401
    run -0 command_returns "$id"
  done
  run -0 sh -c "kubectl --context $GKE -n kubently exec -i kubently-redis-master-0 -- sh -c 'read -r REDISCLI_AUTH; export REDISCLI_AUTH; redis-cli --no-auth-warning PING' <'$BATS_TEST_TMPDIR/old-password' 2>&1"
  assert_output --partial 'NOAUTH'
  keep API_KEY new-key 'X-API-Key: '
  assert_equal "$(api new-key GET "/debug/session/$session")" 200
  run -0 ./runbook status
  assert_line 'everything matches the configuration'
  assert_no_marks
}
