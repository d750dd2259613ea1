#!/usr/bin/env bats
# The report of the rehearsal world: all criteria, nothing from outside, no secret, readable by a browser.

setup_file() {
  load world
  world_setup
  export PAGE="$BATS_FILE_TMPDIR/report.html"
  make --no-print-directory report OUT="$PAGE" >"$BATS_FILE_TMPDIR/said" || true
}

setup() {
  load world
  world_setup
}

# bats test_tags=short
@test "make report OUT=file: all 13 criteria with evidence, and what is deployed" {
  run cat "$BATS_FILE_TMPDIR/said"
  assert_output --partial "$PAGE: 13 of 13 criteria proven"
  assert_equal "$(grep -c '<li value=' "$PAGE")" 13
  for text in 'sha256:' 'letsencrypt-prod' 'cert-manager-controller:v1' 'kind-remote' 'Left of its lifetime'; do assert grep -q "$text" "$PAGE"; done
}

# bats test_tags=short
@test "nothing in it is asked from outside, and no secret is in it or in what is kept" {
  run grep -nE '<(script|img|link|iframe|object|embed)|url\(|@import|(src|href|action)="[^#]' "$PAGE"
  assert_failure 1
  kept=$(find .runbook/test-api.kubently.io/reports -name '*.json' | sort | tail -1)
  while IFS= read -r secret; do
    for form in "$secret" "$(printf %s "$secret" | base64 -w0)"; do
      run grep -lF -- "$form" "$PAGE" "$kept"
      assert_failure 1
    done
  done < <(secrets)
}

# bats test_tags=short
@test "a browser shows it without a message" {
  command -v chromium >/dev/null || skip 'needs chromium (apt-get install chromium)'
  run chromium --headless=new --no-sandbox --disable-gpu --user-data-dir="$BATS_TEST_TMPDIR/browser" --enable-logging=stderr --dump-dom "file://$PAGE"
  assert_success
  refute_output --partial 'CONSOLE'
  assert_output --partial '<h1>Kubently at test-api.kubently.io</h1>'
}

@test "--json is the same, and tells what differs from the report before" {
  run --separate-stderr op report --json --out "$BATS_TEST_TMPDIR/again.html"
  assert_success
  run jq -r '[(.criteria | length), ([.criteria[] | select(.state == "proven")] | length), (.since.changes | length)] | @csv' <<<"$output"
  assert_output '13,13,0'
}
