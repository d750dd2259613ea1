#!/usr/bin/env bats
# The run: lines of .github/workflows on the rehearsal world, in a clone of their own, as a runner would execute them.

setup() {
  load world
  world_setup
  SETTINGS_FILE=$PWD/$ENV_FILE
  CLONE=$BATS_TEST_TMPDIR/runner
  git clone --quiet . "$CLONE"
  # Copies: make in the clone may install anew.
  cp -al node_modules .tools "$CLONE" 2>/dev/null || cp -a node_modules .tools "$CLONE"
  touch "$CLONE/node_modules/.installed"
  export HOME=$BATS_TEST_TMPDIR/home GITHUB_STEP_SUMMARY=$BATS_TEST_TMPDIR/summary
  mkdir "$HOME"
}

# job FILE EXPRESSION=value ...: the job's lines; what the local runner has in its environment names no settings file.
job() {
  (
    cd "$CLONE" || exit 1
    unset ENV_FILE MAKEFLAGS
    bash -c "$(node_modules/.bin/node test/operations/workflow-lines.ts ".github/workflows/$1" \
      "secrets.SETTINGS=$(cat "$SETTINGS_FILE")" 'secrets.CLUSTERS=apiVersion: v1' \
      "vars.WORKLOAD_IDENTITY_PROVIDER=none" "vars.SERVICE_ACCOUNT=none" "${@:2}")"
  )
}

# bats test_tags=short
@test "deploy: doctor, deploy and verify pass; the report and the summary are left" {
  local repo
  repo=$(sed -n "s/^KUBENTLY_REPO='\(.*\)'/\1/p" "$SETTINGS_FILE")
  mkdir -p "$BATS_TEST_TMPDIR/workspace"
  ln -s "$repo" "$BATS_TEST_TMPDIR/workspace/kubently"
  run -0 job deploy.yml "github.workspace=$BATS_TEST_TMPDIR/workspace"
  assert_output --partial '0 failed'
  assert_output --partial '13 of 13 criteria proven'
  [ -s "$CLONE/report.html" ]
  run -0 cat "$GITHUB_STEP_SUMMARY"
  assert_output --partial 'everything matches the configuration'
  assert_equal "$(stat -c %a "$CLONE/.env" "$HOME/.kube/config" | sort -u)" 600
}

@test "rotate: what was chosen is rotated, and the criteria hold" {
  mkdir -p "$BATS_TEST_TMPDIR/workspace"
  ln -s "$(sed -n "s/^KUBENTLY_REPO='\(.*\)'/\1/p" "$SETTINGS_FILE")" "$BATS_TEST_TMPDIR/workspace/kubently"
  run -0 job rotate.yml "github.workspace=$BATS_TEST_TMPDIR/workspace" "inputs.what || 'all'=api-key"
  assert_output --partial '13 of 13 criteria proven'
}
