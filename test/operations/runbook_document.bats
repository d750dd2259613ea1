#!/usr/bin/env bats
# bats file_tags=short
# The document of `make runbook-doc`, pasted against the running rehearsal: what is deployed is what it says. Changes nothing.

bats_require_minimum_version 1.5.0

setup_file() {
  cd "$BATS_TEST_DIRNAME/../.." || exit 1
  export ENV_FILE=${ENV_FILE:-$PWD/sandbox/.env}
  [ -f "$ENV_FILE" ] || skip 'the rehearsal world is not up'
  export DOCUMENT="$BATS_FILE_TMPDIR/RUNBOOK.md"
  make --no-print-directory runbook-doc OUT="$DOCUMENT"
}

setup() {
  cd "$BATS_TEST_DIRNAME/../.." || exit 1
  load "$PWD/node_modules/bats-support/load.bash"
  load "$PWD/node_modules/bats-assert/load.bash"
}

# The shell block under a heading (Before, Do, Proof, Undo) of a step.
block() {
  awk -v step="## $1 " -v heading="### $2" '
    /^## / { in_step = (index($0, step) == 1); in_part = 0 }
    in_step && $0 == heading { in_part = 1 }
    in_step && in_part && /^```$/ { exit }
    in_step && in_part && code { print }
    in_step && in_part && /^```sh$/ { code = 1 }' "$DOCUMENT"
}

before() {
  awk '/^## Before/ { part = 1 } /^## 1/ { exit } part && /^```$/ { exit } part && code { print } part && /^```sh$/ { code = 1 }' "$DOCUMENT"
}

# Pastes the block of a step; applies are turned into diffs, which end with 1 where the cluster is not as the document says.
differs_from_cluster() {
  { echo 'set -euo pipefail'; before; block "$1" Do | grep -v '^helm\|^gcloud\|^DNS01' |
      sed 's/^kubectl apply /kubectl diff /'; } | bash
}

@test "the cluster is as the pasted manifests of 1.3, 1.4, 2.3, 2.7 and 2.8 say" {
  for step in 1.3 1.4 2.3 2.7 2.8; do
    run --separate-stderr differs_from_cluster "$step"
    assert_success
  done
}

@test "a manifest that says something else is told by the same way" {
  sed -i 's/replicas: 1$/replicas: 2/' "$DOCUMENT"
  run --separate-stderr differs_from_cluster 1.3
  assert_failure
  assert_output --partial 'replicas: 2'
}

@test "helm takes the pasted releases (dry run)" {
  values=$(mktemp -d)
  for step in 2.5 3.2; do
    line=$(block "$step" Do | grep 'helm upgrade')
    folder=$(dirname "${line##*<}")
    { block 2.4 Do; block 3.1 Do; block "$step" Do | awk '/^\(umask/ { part = 1 } part { print } part && /^\)$/ { exit }'; } |
      sed "s#$folder#$values#g" | bash
    line=${line//"$folder"/$values}
    run bash -c "set -euo pipefail; $(before); ${line%<*} --dry-run=server -o json <${line##*<}"
    assert_success
  done
  rm -rf "$values"
}

@test "the proofs of 2.5, 3.2, 4.0 and 4.1 run as pasted" {
  for step in 2.5 3.2 4.0 4.1; do
    run --separate-stderr bash -c "set -euo pipefail; $(before)
$(block "$step" Proof)"
    assert_success
  done
  assert_output --partial 'kind-remote'
}

@test "no secret of the deployment is in it" {
  set -a
  . "$ENV_FILE"
  . "$TOKENS_FILE"
  set +a
  for value in "$API_KEY" "$REDIS_PASSWORD" "$GKE_EXECUTOR_TOKEN" "$KIND_REMOTE_EXECUTOR_TOKEN" "$ANTHROPIC_API_KEY" "$GITHUB_TOKEN"; do
    [ -n "$value" ]
    run grep -cF -e "$value" -e "$(printf %s "$value" | base64 -w0)" "$DOCUMENT"
    assert_output 0
  done
}
