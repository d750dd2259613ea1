#!/usr/bin/env bats
# Bad input, as an operator gives it to the real program beside the real rehearsal world: status 2, and Google is asked nothing.

setup() {
  cd "$BATS_TEST_DIRNAME/../.."
  load "$PWD/node_modules/bats-support/load.bash"
  load "$PWD/node_modules/bats-assert/load.bash"
  export ENV_FILE="$BATS_TEST_TMPDIR/settings.env"
  # The rehearsal's own settings where there is a world: so a run that went on would reach it.
  good=sandbox/.env
  [ -e "$good" ] || good=.env.example
  install -m 600 "$good" "$ENV_FILE"
  log=/var/lib/kubently-sandbox/google/requests.jsonl
  # Named in every request for this test's project or zone, whoever else asks the emulator meanwhile.
  marker=bad-input-$$
  change GCP_PROJECT "$marker"
  change DNS_ZONE "$marker"
}

# How often the emulated Google API was asked by this test.
requests() {
  [ ! -e "$log" ] || grep -c "$marker" "$log" || true
}

# The line of a setting, changed.
change() {
  sed -i "/^$1=/d" "$ENV_FILE"
  [ $# -lt 2 ] || printf '%s=%s\n' "$1" "$2" >>"$ENV_FILE"
}

# What is typed, refused for a setting.
refused() {
  local about=$1 cause=$2
  shift 2
  run "$@"
  assert_failure 2
  assert_line --regexp "^  $about: .*$cause"
  assert_line --regexp '^[0-9]+ problems? found; nothing was changed:$'
  refute_output --partial '    at '
  assert_equal "$(requests)" "$([ ! -e "$log" ] || echo 0)"
}

# bats test_tags=short
@test "the count counts: what gets past the settings is asked about" {
  [ -e "$log" ] || skip 'no rehearsal world'
  run ./runbook doctor
  assert_failure 2
  assert [ "$(requests)" -gt 0 ]
}

# bats test_tags=short
@test "a missing setting" {
  change GCP_PROJECT
  refused GCP_PROJECT 'is not set' ./runbook deploy
}

# bats test_tags=short
@test "a malformed setting" {
  change API_HOST https://test-api.kubently.io
  refused API_HOST 'no scheme, port or path' ./runbook deploy
}

# bats test_tags=short
@test "an unknown setting" {
  change GKE_CONTEX x
  refused GKE_CONTEX 'is not a setting of this runbook' ./runbook status
}

# bats test_tags=short
@test "a setting twice" {
  printf 'DNS_ZONE=kubently-io\nDNS_ZONE=kubently-io\n' >>"$ENV_FILE"
  refused DNS_ZONE 'is set twice in the file' ./runbook verify
}

# bats test_tags=short
@test "two clusters of one id" {
  change REMOTE_CLUSTERS a=c1,a=c2
  refused REMOTE_CLUSTERS 'has the cluster id "a" twice' ./runbook phase3
}

# bats test_tags=short
@test "a CA file that is none" {
  change TLS_CA_FILE /etc/hostname
  refused TLS_CA_FILE 'without a PEM certificate' ./runbook deploy
}

# bats test_tags=short
@test "a folder as settings file" {
  ENV_FILE=$BATS_TEST_TMPDIR refused "$BATS_TEST_TMPDIR" 'is a directory; ENV_FILE must be a file' ./runbook deploy
}

# bats test_tags=short
@test "an unknown step, by make as well" {
  change ACME_EMAIL operator@rehearsal.test
  change KUBENTLY_REPO /nonexistent
  change GKE_CONTEXT unit
  refused FROM 'unknown step "9.9"' ./runbook deploy --from 9.9
  refused ONLY 'unknown step ""' make --no-print-directory -o tools deploy ONLY=2.3,
}

# bats test_tags=short
@test "an order that leaves nothing" {
  change ACME_EMAIL operator@rehearsal.test
  refused deploy 'FROM 3.1 comes after UNTIL 2.1' ./runbook deploy --from 3.1 --until 2.1
}

# bats test_tags=short
@test "the rehearsal world without root, gcloud and npm: said at once, nothing changed" {
  [ "$(id -u)" = 0 ] || skip 'needs root to give it up'
  before=$(find /run/kubently-sandbox /var/lib/kubently-sandbox -maxdepth 1 -printf '%p %s %T+\n' 2>&1 | sort)
  run setpriv --reuid=65534 --regid=65534 --clear-groups env PATH=/nonexistent "$PWD/node_modules/.bin/node" sandbox/up.ts
  assert_failure 2
  for about in root gcloud npm apt-get; do assert_line --regexp "^  $about: "; done
  run setpriv --reuid=65534 --regid=65534 --clear-groups "$PWD/node_modules/.bin/node" sandbox/down.ts
  assert_failure 2
  after=$(find /run/kubently-sandbox /var/lib/kubently-sandbox -maxdepth 1 -printf '%p %s %T+\n' 2>&1 | sort)
  assert_equal "$after" "$before"
}

# bats test_tags=short
@test "make without npm: said in one line" {
  folder=$BATS_TEST_TMPDIR/clone
  mkdir -p "$folder/bin"
  cp Makefile package-lock.json "$folder/"
  for tool in sh make sed echo touch; do ln -s "$(command -v $tool)" "$folder/bin/$tool"; done
  run env PATH="$folder/bin" make -C "$folder" --no-print-directory install
  assert_failure 2
  assert_line --partial 'npm: is not on PATH'
  assert [ ! -e "$folder/node_modules" ]
}
