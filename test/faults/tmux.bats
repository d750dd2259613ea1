#!/usr/bin/env bats
# `make tmux` on the real world, in a tmux server of its own (TMUX_TMPDIR): its client is killed as a dropped connection
# would, the run inside goes on, and `make tmux` attaches again. ENV_FILE names a world in which everything is deployed.

setup() {
  cd "$BATS_TEST_DIRNAME/../.."
  load "$PWD/node_modules/bats-support/load.bash"
  load "$PWD/node_modules/bats-assert/load.bash"
  export ENV_FILE=${ENV_FILE:-sandbox/.env} NO_COLOR=1 TERM=xterm TMUX_TMPDIR="$BATS_TEST_TMPDIR"
  unset TMUX
  # Only these: the run gets its settings from the file, as an operator's does.
  read -r API_HOST context config <<<"$(. "$ENV_FILE"; echo "$API_HOST $GKE_CONTEXT ${KUBECONFIG:-}")"
  session="kubently-runbook-${API_HOST//./-}"
}

teardown() { tmux kill-server 2>/dev/null || true; }

# An operator's terminal with `make tmux` in it; the pid of its tmux client in $client.
connect() {
  setsid script -qfc "stty rows 40 cols 200; make --no-print-directory tmux" "$BATS_TEST_TMPDIR/terminal" >/dev/null 2>&1 </dev/null 3>&- &
  terminal=$!
  for _ in $(seq 100); do
    client=$(tmux list-clients -t "=$session" -F '#{client_pid}' 2>/dev/null || true)
    [ -z "$client" ] || return 0
    sleep 0.2
  done
  cat "$BATS_TEST_TMPDIR/terminal"
  return 1
}

gone() { for _ in $(seq 50); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.1; done; return 1; }

# The pane of the run: its process, and what it shows with all that has scrolled away.
run_pane() { tmux list-panes -t "=$session" -F '#{pane_pid} #{pane_id}' | head -1; }
shown() { tmux capture-pane -p -J -S - -t "$(run_pane | cut -d' ' -f2)"; }
lease() { KUBECONFIG=$config .tools/bin/kubectl --context "$context" --namespace default get "lease/$session" --ignore-not-found -o jsonpath='{.spec.holderIdentity}'; }

# Waits for the lock's holder: the run is at work.
holder() { for _ in $(seq 150); do held=$(lease); [ -z "$held" ] || return 0; sleep 0.2; done; shown; return 1; }

# The connection drops in the way given, while the run holds the lock; the run ends by itself, and well.
goes_on_after() {
  connect
  holder
  local first=$client pane before=$held
  pane=$(run_pane)
  "$@"
  gone "$first"
  assert_equal "$(tmux list-clients -t "=$session")" ''
  assert_equal "$(run_pane)" "$pane"
  assert_equal "$(lease)" "$before"
  # Back to the same session: no second run, the same pane.
  connect
  assert_not_equal "$client" "$first"
  assert_equal "$(tmux list-sessions -F '#{session_name}')" "$session"
  assert_equal "$(run_pane)" "$pane"
  for _ in $(seq 120); do shown | grep -q '^next: ' && break; sleep 1; done
  run shown
  assert_output --regexp '[0-9]+ (unchanged|proven).* 0 failed in '
  refute_output --partial 'ended by SIG'
  assert_equal "$(lease)" ''
  run node_modules/.bin/node scripts/ops/history.ts --last 1
  assert_output --regexp 'deploy +done'
}

# bats test_tags=short
@test "the client is killed: the run goes on, make tmux attaches again" {
  drop() { kill -KILL "$client"; }
  goes_on_after drop
}

@test "the terminal hangs up: the run goes on, make tmux attaches again" {
  # sshd closes the terminal and the processes in it get SIGHUP.
  drop() { kill -HUP -- "-$terminal" "$client"; }
  goes_on_after drop
}
