#!/usr/bin/env bats
# Removal on the rehearsal world: takes it to nothing and brings it back, about 9 minutes.
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
  run -2 op remove </dev/null
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

@test "killed at the start of every step and run again, it leaves nothing, and names what it keeps" {
  local killed="$BATS_TEST_TMPDIR/killed" rounds=0
  touch "$killed"
  while kill_at_next_step "$killed"; do
    rounds=$((rounds + 1))
    [ "$rounds" -le 20 ]
  done
  echo "# killed at $rounds steps: $(paste -sd' ' "$killed")" >&3
  # The run that was not killed any more.
  run cat "$BATS_TEST_TMPDIR/killed.log"
  assert_line --partial 'left, kept on purpose:'
  assert_line --partial "File $TOKENS"
  refute_line --partial 'not removable'
  assert_line --partial 'removed; nothing else is left'
  assert_nothing_left
  # Fits of this deployment's clusters; other tests' stand-ins have their own.
  run -0 find ".runbook/$HOST" -name 'gke.fit.json' -o -name 'kind-remote.fit.json'
  assert_output ''
  run -0 test -s "$TOKENS"
  assert_equal "$(sort "$killed")" "$(grep -lE 'async undo\(' scripts/[0-9]*.ts | xargs -n1 basename | cut -d- -f1 | sort)"
}

@test "a second removal says that there is nothing" {
  run -0 make --no-print-directory remove YES=1
  assert_line 'there is nothing to remove'
}

@test "installed again with the kept tokens, all criteria are proven" {
  cp "$TOKENS" "$BATS_TEST_TMPDIR/tokens.env"
  local started=$SECONDS
  run -0 ./runbook deploy
  echo "# installed in $((SECONDS - started)) s" >&3
  run -0 ./runbook verify
  assert_line '13 of 13 criteria proven'
  # The tokens are the same; the address was released, and Google may give another.
  run -0 diff <(grep -v ^INGRESS_IP= "$BATS_TEST_TMPDIR/tokens.env") <(grep -v ^INGRESS_IP= "$TOKENS")
}
