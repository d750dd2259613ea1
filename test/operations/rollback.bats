#!/usr/bin/env bats
# Rollback on the rehearsal world; ends with a deploy that goes forward again.

setup() {
  load world
  world_setup
}

@test "shows the revisions and what it will not undo, and changes nothing without YES" {
  run -0 helm history kubently --kube-context "$GKE" -n kubently -o json
  local before=$output
  run -2 op rollback </dev/null
  assert_line --regexp '^ +[0-9]+  20[0-9-]+ [0-9:]+  deployed +images [0-9a-f]{7}'
  assert_line 'TLS issuer in use: letsencrypt-prod'
  assert_line 'not undone by this:'
  assert_output --regexp 'no terminal to ask at|no earlier revision'
  run -0 helm history kubently --kube-context "$GKE" -n kubently -o json
  assert_output "$before"
}

# bats test_tags=short
@test "a revision that is not there is refused, with those that are" {
  run -2 make --no-print-directory rollback TO=9999 YES=1
  assert_line --partial 'there is no revision 9999'
}

@test "rolls back, with the evidence saved first and everything working after" {
  # Two revisions that differ: another replica count is enough, and is put back by the last test.
  # shellcheck disable=SC2016 # $a is sed's
  (umask 077; sed 's/^API_REPLICAS=.*//; $aAPI_REPLICAS=3' sandbox/.env >"$BATS_TEST_TMPDIR/three.env")
  ENV_FILE="$BATS_TEST_TMPDIR/three.env" run -0 ./runbook phase2
  local three
  three=$(helm history kubently --kube-context "$GKE" -n kubently -o json | jq '.[-1].revision')
  run -0 make --no-print-directory rollback YES=1
  assert_line --partial "revision $three → "
  assert_line --partial 'is healthy; a command came back from gke, kind-remote'
  local folder
  folder=$(sed -n 's/^evidence saved in //p' <<<"$output")
  run -0 stat -c %a "$folder"
  assert_output 700
  run -0 find "$folder" -type f ! -perm 600
  assert_output ''
  for file in gke.describe.txt gke.events.txt gke.history.yaml gke.values.yaml kind-remote.values.yaml; do
    assert [ -s "$folder/$file" ]
  done
  run -0 bash -c "ls $folder/gke.kubently-api-*.log"
  local secret
  while read -r secret; do
    run ! grep -rqF -- "$secret" "$folder"
    run ! grep -rqF -- "$(printf %s "$secret" | base64 -w0 | cut -c1-40)" "$folder"
  done < <(secrets)
  run -0 kubectl --context "$GKE" -n kubently get deployment kubently-executor -o jsonpath='{.spec.template.spec.volumes[*].configMap.name}'
  assert_output --partial kubently-ca-cert
  run -0 kubectl --context "$GKE" -n kubently get deployment kubently-api -o jsonpath='{.spec.template.metadata.annotations}'
  assert_output --partial kubently-runbook/secrets
  run -0 helm history kubently --kube-context "$GKE" -n kubently -o json
  assert_equal "$(jq -r '.[-1].description' <<<"$output")" "Rollback to $((three - 1))"
}

@test "a deploy goes forward again, and all criteria are proven" {
  run -0 ./runbook deploy --until 3.2
  run -0 ./runbook status
  run -0 ./runbook verify
  assert_line '13 of 13 criteria proven'
}
