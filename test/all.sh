#!/usr/bin/env bash
# Everything after the quick part: the parts' own suites, the scripts driven by bats, the rehearsal with its assertions.
set -u
cd "$(dirname "$0")/.." || exit 2
export PATH="$PWD/node_modules/.bin:$PATH" NO_COLOR=1
passed=0 failed=0
part() {
  local name=$1 started=$SECONDS; shift
  echo "== $name"
  if "$@"; then passed=$((passed + 1)); echo "ok    $name ($((SECONDS - started)) s)"; else failed=$((failed + 1)); echo "FAILED $name"; fi
}
part "packages for the suites" node sandbox/build/packages.ts
part "parts (vitest)" node node_modules/vitest/vitest.mjs run test/chart test/paper test/sandbox test/kubently test/monitoring test/tls/executor.test.ts --reporter=dot
part "command line (bats)" node_modules/bats/bin/bats test/bats
part "local development over https (bats)" node_modules/bats/bin/bats test/tls/dev.bats
part "rehearsal from nothing" make --no-print-directory rehearse
part "rehearsal again and its assertions (bats)" node_modules/bats/bin/bats test/rehearsal/rehearsal.bats
part "operations, short form (bats)" node_modules/bats/bin/bats --filter-tags short test/operations
part "TLS cases, short form" make --no-print-directory test-tls SHORT=1
part "faults, short form" env ENV_FILE=sandbox/.env node --disable-warning=DEP0190 test/faults/faults.ts --short
part "two operators, 5 times (vitest)" env ENV_FILE=sandbox/.env node node_modules/vitest/vitest.mjs run test/faults/two-operators.test.ts --reporter=dot
part "stopping, tmux, bad input at the command line, short form (bats)" node_modules/bats/bin/bats --filter-tags short test/faults
part "crashes, 4 points" env ENV_FILE=sandbox/.env node --disable-warning=DEP0190 test/faults/crash-matrix.ts --points 4
part "leaks, short form" env ENV_FILE=sandbox/.env node --disable-warning=DEP0190 test/faults/leaks.ts --short
part "world away" node sandbox/down.ts
echo "$passed passed, $failed failed"
exit $((failed > 0))
