#!/usr/bin/env bats
# Removal on the rehearsal world: takes it to nothing and brings it back, about 5 minutes each time.
# Only on a world that has no other deployment.

setup() {
  load world
  world_setup
}

# Starts a removal and kills it with all its group as soon as a step begins that it was not killed at before.
# @param file of the steps that it was killed at, to which this one is added; status 1 when the removal ended by itself
kill_at_next_step() {
  local killed=$1 from pid step
  from=$(($(wc -l <"$JOURNAL") + 1))
  setsid make --no-print-directory remove YES=1 >>"$BATS_TEST_TMPDIR/killed.log" 2>&1 3>&- &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    for step in $(tail -n "+$from" "$JOURNAL" | jq -r 'select(.event == "undo" and .state == "undoing").step'); do
      grep -qxF "$step" "$killed" && continue
      kill -9 -- "-$pid"
      wait "$pid" || true
      echo "$step" >>"$killed"
      return 0
    done
    sleep 0.02
  done
  return 1
}

# bats test_tags=short
@test "without YES and without a terminal nothing is removed, and the list is exact" {
  run -2 ./node_modules/.bin/node scripts/ops/remove.ts </dev/null
  assert_output --partial 'to be deleted:'
  assert_line --regexp '^ +Namespace +kubently$'
  assert_output --partial 'there is no terminal to ask at'
  run -0 kubectl --context "$GKE" get namespace kubently -o 'jsonpath={.status.phase}'
  assert_output Active
}

# bats test_tags=short
@test "what cannot be kept is refused" {
  run -2 make --no-print-directory remove YES=1 KEEP=dns,everything
  assert_output --partial 'everything cannot be kept'
}

@test "killed at the start of every step and run again, it leaves nothing" {
  local killed="$BATS_TEST_TMPDIR/killed" rounds=0
  touch "$killed"
  while kill_at_next_step "$killed"; do
    rounds=$((rounds + 1))
    [ "$rounds" -le 20 ]
  done
  echo "# killed at $rounds steps: $(paste -sd' ' "$killed")" >&3
  run make --no-print-directory remove YES=1
  assert_success
  assert_nothing_left
  assert_equal "$rounds" "$(grep -lE "kind: 'change'" scripts/[0-9]*.ts | wc -l)"
}

@test "a deploy after that gives the whole deployment again" {
  run -0 ./runbook deploy
  run -0 ./runbook verify
  assert_line '13 of 13 criteria proven'
}

@test "removes everything, and names what it keeps" {
  local started=$SECONDS
  run -0 make --no-print-directory remove YES=1
  echo "# removed in $((SECONDS - started)) s" >&3
  assert_line --partial 'left, kept on purpose:'
  assert_line --partial "File $STATE/tokens.env"
  refute_line --partial 'not removable'
  assert_line --partial 'removed; nothing else is left'
  assert_nothing_left
  run -0 find .runbook/test-api.kubently.io -name '*.fit.json'
  assert_output ''
  run -0 test -s "$STATE/tokens.env"
}

@test "a second removal says that there is nothing" {
  run -0 make --no-print-directory remove YES=1
  assert_line 'there is nothing to remove'
}

@test "installed again with the kept tokens, all criteria are proven" {
  cp "$STATE/tokens.env" "$BATS_TEST_TMPDIR/tokens.env"
  run -0 ./runbook deploy
  run -0 ./runbook verify
  assert_line '13 of 13 criteria proven'
  run -0 diff "$BATS_TEST_TMPDIR/tokens.env" "$STATE/tokens.env"
}
