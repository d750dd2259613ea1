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
  ln -s "$(sed -n "s/^KUBENTLY_REPO='\(.*\)'/\1/p" "$SETTINGS_FILE")" "$CLONE/kubently"
}

# job FILE EXPRESSION=value ...: the job's lines, as on a runner that has nothing but what the workflow gives it.
job() {
  (
    cd "$CLONE" || exit 1
    unset ENV_FILE MAKEFLAGS
    bash -c "$(node_modules/.bin/node test/operations/workflow-lines.ts ".github/workflows/$1" \
      "github.workspace=$CLONE" 'secrets.BACKUP_KEY=' "secrets.SETTINGS=$(cat "$SETTINGS_FILE")" \
      'secrets.CLUSTERS=apiVersion: v1' 'vars.WORKLOAD_IDENTITY_PROVIDER=none' 'vars.SERVICE_ACCOUNT=none' "${@:2}")"
  )
}

# bats test_tags=short
@test "deploy: doctor, deploy and verify pass; the report and the summary are left" {
  run -0 job deploy.yml
  assert_output --partial '0 failed'
  assert_output --partial '13 of 13 criteria proven'
  [ -s "$CLONE/report.html" ]
  run -0 cat "$GITHUB_STEP_SUMMARY"
  assert_output --partial 'everything matches the configuration'
  assert_equal "$(stat -c %a "$CLONE/.env" "$HOME/.kube/config" | sort -u)" 600
}

@test "rotate: what was chosen is rotated, and the criteria hold" {
  run -0 job rotate.yml "inputs.what || 'all'=api-key"
  assert_output --partial '13 of 13 criteria proven'
  # The world's own file goes on with the new key.
  cp "$CLONE/.runbook/tokens.env" "$TOKENS"
}

@test "backup: encrypted for a key that the job does not have" {
  SETTINGS_FILE=$BATS_TEST_TMPDIR/settings
  local pair
  pair=$(node_modules/.bin/node -e "import('age-encryption').then(async (age) => console.log(await age.identityToRecipient(await age.generateX25519Identity())))")
  { cat sandbox/.env; echo "BACKUP_RECIPIENT=$pair"; } >"$SETTINGS_FILE"
  run -0 job backup.yml
  assert_output --partial 'encrypted for 1 recipient'
}
