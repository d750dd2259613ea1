#!/usr/bin/env bats
# The program as an operator types it; no test here may reach a cluster, Google or Docker.

bats_require_minimum_version 1.5.0

setup() {
  cd "$BATS_TEST_DIRNAME/../.."
  load "$PWD/node_modules/bats-support/load.bash"
  load "$PWD/node_modules/bats-assert/load.bash"
  root=$PWD
  export CALLED="$BATS_TEST_TMPDIR/called" RUNBOOK=$PWD
  fakes="$BATS_TEST_TMPDIR/bin"
  mkdir "$fakes"
  # The runbook asks git for its own commit, for the journal: that is no tool's work.
  # shellcheck disable=SC2016 # the fake expands them
  printf '#!/bin/sh\ncase "$*" in "--git-dir=$RUNBOOK/.git rev-parse "*) exit 128 ;; esac\n' >"$fakes/git"
  for tool in kubectl gcloud helm docker git npm; do
    # shellcheck disable=SC2016 # the fake expands them
    printf '#!/bin/sh\necho "%s $*" >>"$CALLED"\nexit 97\n' "$tool" >>"$fakes/$tool"
    chmod +x "$fakes/$tool"
  done
  # What the program starts finds .tools/bin first; a tool there would be called past the fakes.
  export PATH="$fakes:$PATH"
  export HOME="$BATS_TEST_TMPDIR"
  export ENV_FILE="$BATS_TEST_TMPDIR/settings.env"
  unset NO_COLOR DEBUG GCP_PROJECT API_HOST
}

# Settings that are valid, but for the lines given.
settings() {
  (umask 077; cat >"$ENV_FILE")
}

good_settings() {
  settings <<'END'
GCP_PROJECT=unit-project
DNS_ZONE=kubently-io
API_HOST=unit-api.kubently.io
GKE_CONTEXT=unit-gke
REMOTE_CLUSTERS=kind-remote=unit-kind
KUBENTLY_REPO=/nonexistent
ACME_EMAIL=ops@kubently.io
END
}

refute_called() {
  assert [ ! -e "$CALLED" ]
}

@test "--help lists every step of the plan, once, with status 0" {
  run ./runbook --help
  assert_success
  for id in 1.0 1.1 1.2 1.3 1.4 2.1 2.2 2.3 2.4 2.5 2.6 2.7 2.8 3.1 3.2 4.0 4.1 4.2 4.3; do
    assert_line --regexp "^  $id  [A-Za-z]"
  done
  assert_equal "$(grep -cE '^  [1-4]\.[0-9]  ' <<<"$output")" 19
  refute_called
}

@test "the help needs no settings file" {
  rm -f "$ENV_FILE"
  run ./runbook --help
  assert_success
}

@test "nothing to do said: the help, status 2" {
  run ./runbook
  assert_failure 2
  assert_line --partial 'Usage: runbook'
  refute_called
}

@test "an unknown step: status 2, and the steps there are" {
  good_settings
  run ./runbook 9.9
  assert_failure 2
  assert_line '1 problem found; nothing was changed:'
  assert_line '  9.9: unknown step'
  assert_line --partial 'the steps: 1.0, 1.1'
  refute_output --partial '    at '
  refute_called
}

@test "an unknown flag: status 2" {
  run ./runbook deploy --force
  assert_failure 2
  assert_output --partial "unknown option '--force'"
  refute_called
}

@test "a word too many: status 2" {
  run ./runbook 1.0 1.1
  assert_failure 2
  refute_called
}

@test "a selection that leaves nothing: status 2, before any tool is asked" {
  good_settings
  run ./runbook phase1 --only 2.3
  assert_failure 2
  assert_line --partial 'FROM, UNTIL and ONLY leave no step'
  refute_called
}

@test "--json where there is nothing to look at: status 2" {
  good_settings
  run ./runbook deploy --json
  assert_failure 2
  assert_line '  --json: does not go with deploy'
  refute_called
}

@test "plan --json tells bad settings in words, on standard error, and leaves standard output empty" {
  rm -f "$ENV_FILE"
  run --separate-stderr ./runbook deploy --plan --json
  assert_failure 2
  assert_equal "$output" ''
  [[ $stderr == *'there is no such settings file'* ]]
  refute_called
}

@test "no settings file: status 2, with what to do" {
  rm -f "$ENV_FILE"
  run ./runbook deploy
  assert_failure 2
  assert_line "  $ENV_FILE: there is no such settings file"
  assert_line --partial 'cp .env.example .env'
  refute_called
}

@test "several faults in the settings: all at once, status 2, nothing was called" {
  settings <<'END'
GCP_PROJECT=X
DNS_ZONE=kubently-io
DNS_ZONE=kubently-io
API_HOST=not a name
GKE_CONTEXT=unit-gke
REMOTE_CLUSTERS=gke=unit-kind
KUBENTLY_REPO=/nonexistent
ACME_EMAIL=you@example.com
API_REPLICAS=many
NAMESPCE=kubently
END
  run ./runbook deploy
  assert_failure 2
  for name in GCP_PROJECT DNS_ZONE API_HOST ACME_EMAIL API_REPLICAS NAMESPCE; do
    assert_line --regexp "^  $name: "
  done
  assert_line '  DNS_ZONE: is set twice in the file'
  assert_line '  NAMESPCE: is not a setting of this runbook'
  assert_line --regexp '^[0-9]+ problems found; nothing was changed:$'
  refute_called
}

@test "a value that is secret is not repeated, however bad" {
  good_settings
  printf 'LLM_PROVIDER=other\nGITHUB_TOKEN=ghp_bats-secret-0001\n' >>"$ENV_FILE"
  run ./runbook deploy
  assert_failure 2
  refute_output --partial 'ghp_bats'
}

@test "the environment wins over the file" {
  good_settings
  API_REPLICAS=77 run ./runbook deploy
  assert_failure 2
  assert_line --regexp '^  API_REPLICAS: '
  assert_line '1 problem found; nothing was changed:'
  refute_called
}

@test "FROM in the shell's environment chooses nothing" {
  good_settings
  FROM=9.9 ONLY=9.9 run ./runbook 8.8
  assert_failure 2
  assert_line '  8.8: unknown step'
  refute_output --partial '  9.9: '
}

@test "no colour in what is no terminal, with NO_COLOR and without" {
  run ./runbook --help
  refute_output --partial $'\e['
  NO_COLOR=1 run ./runbook --help
  refute_output --partial $'\e['
  NO_COLOR=1 run ./runbook deploy
  refute_output --partial $'\e['
}

@test "no terminal colours with NO_COLOR, in a terminal" {
  command -v script || skip 'needs script(1)'
  good_settings
  NO_COLOR=1 run script -qec './runbook 9.9' /dev/null
  refute_output --partial $'\e[3'
}

@test "a step's script runs by itself" {
  run node_modules/.bin/node scripts/2.3-secrets.ts --help
  assert_success
  assert_line --partial 'Usage: runbook'
  refute_called
}

@test "a step's script by itself knows its own number, and refuses another" {
  good_settings
  run node_modules/.bin/node scripts/2.3-secrets.ts --only 2.1
  assert_failure 2
  assert_line --partial 'it has 2.3'
  refute_called
}

@test "the program runs from any folder" {
  cd "$BATS_TEST_TMPDIR"
  run "$root/runbook" --help
  assert_success
}

@test "every script's name and header are the number that it is registered with" {
  for file in scripts/[0-9]*.ts; do
    id=$(basename "$file" | sed -E 's/^([0-9]\.[0-9]+)-.*/\1/')
    grep -q "^  id: '$id',$" "$file" || fail "$file is registered by another number than $id"
    run grep -c "'./$(basename "$file")'" scripts/steps.ts
    assert_output 1
  done
}

@test "what a make target has no use for is refused, not ignored" {
  good_settings
  for given in 'status FROM=2.3' 'verify UNTIL=2.3' 'rotate ONLY=2.3' 'backup BACKUP=x' 'history JSON=1 WHAT=api' 'restore JSON=1'; do
    # shellcheck disable=SC2086 # words
    run -2 make --no-print-directory $given
    assert_line --partial "error: unknown option '--"
  done
  refute_called
}

@test "make logs WHAT= swallows nothing" {
  good_settings
  run -2 make --no-print-directory logs WHAT= TAIL=3
  assert_line '  WHAT: "" is no log'
  refute_called
}

@test "the completion of bash completes commands and flags, from any folder" {
  ./runbook completion bash >"$BATS_TEST_TMPDIR/completion"
  # What bash-completion would give.
  run bash -c '. "$1"; _get_comp_words_by_ref() { words=(./runbook roll) cword=1 cur=roll; }; cd /; __runbook_complete; printf "%s\n" "${COMPREPLY[@]}"' - "$BATS_TEST_TMPDIR/completion"
  assert_success
  assert_output --partial rollback
  refute_output --partial deploy
}

@test "make help lists the targets" {
  run make --no-print-directory help
  assert_success
  for target in deploy phase1 status plan verify doctor runbook-doc; do assert_line --regexp "^$target +[A-Za-z]"; done
  refute_called
}

# Each natural way of starting a script does the same: here a settings file that is missing is told.
each_way_reads_settings() {
  ENV_FILE=/nonexistent run -2 "$@"
  assert_output --partial '/nonexistent: there is no such settings file'
}

@test "a step starts by its number, by its file and by zx" {
  each_way_reads_settings ./runbook 2.3 --plan
  each_way_reads_settings ./runbook scripts/2.3-secrets.ts --plan
  each_way_reads_settings node_modules/.bin/node scripts/2.3-secrets.ts --plan
  PATH="$root/node_modules/.bin:$PATH" each_way_reads_settings zx scripts/2.3-secrets.ts --plan
}

@test "zx starts a step behind options of its own and through a symbolic link" {
  ln -s "$root/scripts/2.3-secrets.ts" "$BATS_TEST_TMPDIR/secrets.ts"
  for words in "--quiet scripts/2.3-secrets.ts" "--shell=/bin/bash scripts/2.3-secrets.ts" "-- scripts/2.3-secrets.ts" "$BATS_TEST_TMPDIR/secrets.ts"; do
    # shellcheck disable=SC2086
    PATH="$root/node_modules/.bin:$PATH" run zx $words --nonsense
    assert_failure 2
    assert_output --partial "unknown option '--nonsense'"
  done
}

@test "a criterion and an operation start by their file and by zx" {
  export PATH="$root/node_modules/.bin:$PATH"
  for starter in node zx; do
    each_way_reads_settings "$starter" scripts/criteria/01-zone-delegated.ts
    each_way_reads_settings "$starter" scripts/ops/rotate.ts --what redis
  done
}

@test "verify --only proves these criteria alone, and refuses unknown ones" {
  good_settings
  run -2 ./runbook verify --only 3,14
  assert_output --partial 'ONLY: unknown criterion 14'
}
