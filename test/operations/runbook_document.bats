#!/usr/bin/env bats
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

# bats test_tags=short
@test "the cluster is as the pasted manifests of 1.3, 1.4, 2.3, 2.7 and 2.8 say" {
  for step in 1.3 1.4 2.3 2.7 2.8; do
    run --separate-stderr differs_from_cluster "$step"
    assert_success
  done
}

# bats test_tags=short
@test "a manifest that says something else is told by the same way" {
  sed -i 's/replicas: 1$/replicas: 2/' "$DOCUMENT"
  run --separate-stderr differs_from_cluster 1.3
  assert_failure
  assert_output --partial 'replicas: 2'
}

# bats test_tags=short
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

# Pastes the proof of a step, of the document OF.
proof() {
  DOCUMENT=${OF:-$DOCUMENT} block "$1" Proof | { before; cat; } | bash
}

steps() {
  grep -oE '^## [0-9]\.[0-9]+' "$DOCUMENT" | cut -c4-
}

# bats test_tags=short
@test "every step's proof, pasted into bash, says proven" {
  failed=''
  for step in $(steps); do
    said=$(proof "$step" 2>&1) || failed="$failed$step: $said"$'\n'
    [ "${said##*$'\n'}" = proven ] || failed="$failed$step did not say proven"$'\n'
  done
  assert_equal "$failed" ''
}

@test "every step's proof fails where its objects are not there" {
  # The same settings with both clusters exchanged and names of nothing.
  nothing="$BATS_TEST_TMPDIR/nothing.env"
  gke=$(sed -n "s/^GKE_CONTEXT='\(.*\)'/\1/p" "$ENV_FILE")
  remote=$(sed -n "s/^REMOTE_CLUSTERS='.*=\(.*\)'/\1/p" "$ENV_FILE")
  sed -E \
    -e "s#^GKE_CONTEXT=.*#GKE_CONTEXT='$remote'#" -e "s#^REMOTE_CLUSTERS=.*#REMOTE_CLUSTERS='absent-remote=$gke'#" \
    -e "s#^API_HOST=.*#API_HOST='absent.kubently.io'#" -e "s#^NAMESPACE=.*#NAMESPACE='absent'#" \
    -e "s#^RELEASE=.*#RELEASE='kubently-absent'#" -e "s#^STATIC_IP_NAME=.*#STATIC_IP_NAME='absent'#" \
    -e "s#^TOKENS_FILE=.*#TOKENS_FILE='$BATS_TEST_TMPDIR/absent.env'#" \
    -e "s#^IMAGE_REGISTRY=(.*)'\$#IMAGE_REGISTRY=\1/absent'#" "$ENV_FILE" >"$nothing"
  printf "DNS01_ACCOUNT='absent-solver'\n" >>"$nothing"
  chmod 600 "$nothing"
  ENV_FILE="$nothing" make --no-print-directory runbook-doc OUT="$BATS_TEST_TMPDIR/NOTHING.md"
  held=''
  for step in $(steps); do
    if said=$(OF="$BATS_TEST_TMPDIR/NOTHING.md" proof "$step" 2>&1); then held="$held$step: $said"$'\n'; fi
  done
  assert_equal "$held" ''
}

# bats test_tags=short
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
