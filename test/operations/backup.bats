#!/usr/bin/env bats
# Backup and restore on the rehearsal world, whose deployment stands: 13 of 13.

# The settings of the rehearsal, with an age pair of this test's own.
setup_file() {
  load world
  world_setup
  local identity="$BATS_FILE_TMPDIR/identity.txt"
  export WORLD_ENV="$BATS_FILE_TMPDIR/settings.env"
  umask 077
  node_modules/.bin/node -e "import('age-encryption').then(async (age) => {
    const identity = await age.generateX25519Identity();
    require('fs').writeFileSync('$identity', identity + '\n');
    console.log('BACKUP_RECIPIENT=' + (await age.identityToRecipient(identity)));
  })" >"$BATS_FILE_TMPDIR/recipient"
  { cat sandbox/.env "$BATS_FILE_TMPDIR/recipient"; echo "BACKUP_IDENTITY=$identity"; } >"$WORLD_ENV"
}

setup() {
  load world
  world_setup
}

# bats test_tags=short
@test "without a recipient, an identity, a file or the right identity: status 2" {
  local out="$BATS_TEST_TMPDIR/never.age"
  ENV_FILE=sandbox/.env run -2 op backup --out "$out"
  assert_output --partial 'BACKUP_RECIPIENT: is not set'
  [ ! -e "$out" ]
  ENV_FILE=sandbox/.env run -2 op restore --backup "$out"
  assert_output --partial 'BACKUP_IDENTITY: is not set'
  run -2 op restore
  run -2 op restore --backup "$out"
  echo 'not a backup' >"$out"
  run -2 op restore --backup "$out"
  assert_output --partial 'cannot be decrypted'
}

# bats test_tags=short
@test "a backup is encrypted, for its owner only, and holds no token to be read" {
  local out="$BATS_TEST_TMPDIR/redis.age"
  run -0 op backup --out "$out"
  assert_output --partial 'keys of Redis, encrypted for 1 recipient'
  assert_equal "$(stat -c %a "$out")" 600
  run -0 head -c 21 "$out"
  assert_output 'age-encryption.org/v1'
  while read -r token; do
    run -1 grep -qaF "$token" "$out"
    run -1 grep -qaF "$(printf %s "$token" | base64 -w 0)" "$out"
  done < <(sed -n 's/^[A-Z_]*=\([0-9a-f]\{64\}\)$/\1/p' "$TOKENS")
}

# bats test_tags=short
@test "restore asks: without YES and without a terminal nothing is replaced, and what would be is told" {
  local out="$BATS_TEST_TMPDIR/redis.age"
  run -0 op backup --out "$out"
  run -2 op restore --backup "$out" </dev/null
  assert_output --partial ' ago'
  assert_output --partial 'replaced '
  assert_output --partial 'YES: is not given'
}

test_api_works() { [ "$(api session-key GET /debug/clusters)" = 200 ]; }

@test "the volume destroyed: restore brings back tokens and sessions, and executors answer" {
  local out="$BATS_TEST_TMPDIR/redis.age" session old
  session=$(new_session)
  run -0 op backup --out "$out"
  k() { kubectl --context "$GKE" -n kubently "$@"; }
  old=$(k get pvc redis-data-kubently-redis-master-0 -o 'jsonpath={.spec.volumeName}')
  # The claim's end waits for the pod's; the StatefulSet makes both anew.
  k delete pvc redis-data-kubently-redis-master-0 --wait=false
  k delete pod kubently-redis-master-0 --grace-period=0 --force
  for _ in $(seq 60); do
    [ "$(k get pvc redis-data-kubently-redis-master-0 -o 'jsonpath={.spec.volumeName}' 2>/dev/null)" != "$old" ] && break
    k get pod kubently-redis-master-0 -o 'jsonpath={.status.phase}' 2>/dev/null | grep -q Running && k delete pod kubently-redis-master-0 --grace-period=0 --force
    sleep 2
  done
  k rollout status statefulset/kubently-redis-master --timeout=120s
  [ "$(k get pvc redis-data-kubently-redis-master-0 -o 'jsonpath={.spec.volumeName}')" != "$old" ]
  wait_for 30 test_api_works
  assert_equal "$(api session-key GET "/debug/session/$session")" 404
  assert_equal "$(api session-key GET /admin/agents/kind-remote/status)" 404
  run -0 op restore --backup "$out" --yes 1
  assert_output --partial 'tokens: gke as saved, kind-remote as saved'
  assert_equal "$(api session-key GET "/debug/session/$session")" 200
  # Again: the same.
  run -0 op restore --backup "$out" --yes 1
  run -0 ./runbook 4.0
  # Executors were refused meanwhile, and try again after half a minute at the latest.
  wait_for 60 command_returns kind-remote
}
