#!/usr/bin/env bash
# The fault tests in full, about an hour, on a rehearsal world in which everything is deployed; results into docs/reliability.md.
set -u
cd "$(dirname "$0")/../.." || exit 2
export PATH="$PWD/node_modules/.bin:$PATH" NO_COLOR=1 ENV_FILE=${ENV_FILE:-sandbox/.env}
out=.runbook/faults
mkdir -p "$out"
passed=0 failed=0
part() {
  local name=$1 started=$SECONDS; shift
  echo "== $name"
  if "$@"; then passed=$((passed + 1)); echo "ok    $name ($((SECONDS - started)) s)"; else failed=$((failed + 1)); echo "FAILED $name"; fi
}
node() { command node --disable-warning=DEP0190 "$@"; }
vitest() { node node_modules/vitest/vitest.mjs run "$@"; }
part "faults" node test/faults/faults.ts
TIMES=50 part "two operators, 50 times" vitest test/faults/two-operators.test.ts
part "helm killed in the middle" vitest test/faults/helm-pending.test.ts
part "bad input" vitest test/unit/bad-input.test.ts --reporter=json --outputFile="$out/bad-input.json"
part "stopping, and bad input at the command line" node_modules/bats/bin/bats test/faults
part "leaks" node test/faults/leaks.ts
part "everything away" node scripts/ops/remove.ts --yes
part "crash matrix, from nothing" node test/faults/crash-matrix.ts
part "docs/reliability.md" node test/faults/table.ts
echo "$passed passed, $failed failed"
exit $((failed > 0))
