#!/usr/bin/env bats
# The report of the rehearsal world: all criteria, nothing from outside, no secret, readable by a browser.
bats_require_minimum_version 1.5.0

setup_file() {
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
  export ENV_FILE=sandbox/.env STATE=/var/lib/kubently-sandbox
  export PAGE="$BATS_FILE_TMPDIR/report.html"
  make --no-print-directory report OUT="$PAGE" >"$BATS_FILE_TMPDIR/said" || true
}

setup() {
  load ../../node_modules/bats-support/load.bash
  load ../../node_modules/bats-assert/load.bash
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
}

# bats test_tags=short
@test "make report OUT=file: all 13 criteria with evidence, and what is deployed" {
  run cat "$BATS_FILE_TMPDIR/said"
  assert_output --partial "$PAGE: 13 of 13 criteria proven"
  assert_equal "$(grep -c '<li value=' "$PAGE")" 13
  for text in 'sha256:' 'letsencrypt-prod' 'cert-manager-v1' 'kind-remote' 'Left of its lifetime'; do assert grep -q "$text" "$PAGE"; done
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
  done < <(
    sed -n 's/^[A-Z_]*=\([0-9a-f]\{64\}\)$/\1/p' $STATE/tokens.env
    sed -n "s/^\(GITHUB_TOKEN\|ANTHROPIC_API_KEY\)='\(..*\)'$/\2/p" sandbox/.env
  )
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
  run --separate-stderr node_modules/.bin/node --disable-warning=DEP0190 scripts/ops/report.ts --json --out "$BATS_TEST_TMPDIR/again.html"
  assert_success
  run jq -r '[(.criteria | length), ([.criteria[] | select(.state == "proven")] | length), (.since.changes | length)] | @csv' <<<"$output"
  assert_output '13,13,0'
}
