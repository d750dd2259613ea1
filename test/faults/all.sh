#!/usr/bin/env bash
# The fault tests in full, about 45 minutes, on a rehearsal world; results into .runbook/faults and docs/reliability.md.
# The crash matrix comes first: it deploys from nothing what all others disturb, and the leak scan looks for the secrets of.
set -u
cd "$(dirname "$0")/../.." || exit 2
export PATH="$PWD/node_modules/.bin:$PATH" NO_COLOR=1 ENV_FILE=${ENV_FILE:-sandbox/.env}
out=.runbook/faults
mkdir -p "$out"
passed=0 failed=0
trap 'exit 130' INT
# A part that hangs is ended after so many minutes; one that fails does not stop the rest.
part() {
  local name=$1 minutes=$2 started=$SECONDS; shift 2
  echo "== $name"
  if timeout --foreground --kill-after=60 "${minutes}m" "$@"; then
    passed=$((passed + 1)); echo "ok    $name ($((SECONDS - started)) s)"
  else
    failed=$((failed + 1)); echo "FAILED $name ($((SECONDS - started)) s)"
  fi
}
node=(node --disable-warning=DEP0190)
vitest=("${node[@]}" node_modules/vitest/vitest.mjs run)
part "everything away" 5 "${node[@]}" scripts/ops/remove.ts --yes 1
part "crash matrix, from nothing" 35 "${node[@]}" test/faults/crash-matrix.ts
part "deployed" 10 ./runbook deploy --wait 2m
part "faults" 40 "${node[@]}" test/faults/faults.ts
part "two operators, 50 times" 10 env TIMES=50 "${vitest[@]}" test/faults/two-operators.test.ts
part "helm killed in the middle" 5 "${vitest[@]}" test/faults/helm-pending.test.ts
part "bad input" 5 "${vitest[@]}" test/unit/bad-input.test.ts --reporter=json --outputFile="$out/bad-input.json"
part "stopping, tmux, bad input at the command line" 15 \
  node_modules/bats/bin/bats --report-formatter junit --output "$out" test/faults
part "leaks" 15 "${node[@]}" test/faults/leaks.ts
part "deployed again" 10 ./runbook deploy --wait 2m
part "the 13 criteria" 5 ./runbook verify
part "docs/reliability.md" 1 "${node[@]}" test/faults/table.ts
echo "$passed passed, $failed failed in $((SECONDS / 60)) min"
exit $((failed > 0))
