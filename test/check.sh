#!/usr/bin/env bash
# The quick part: runs all checks side by side where it can, reports at the end.
set -u
cd "$(dirname "$0")/.." || exit 2
export PATH="$PWD/node_modules/.bin:$PATH" NO_COLOR=1
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
declare -A pids
run() { local name=$1; shift; ("$@") >"$logs/$name" 2>&1 & pids[$name]=$!; }
run types tsc --noEmit -p .
run layers depcruise lib scripts --output-type err
run shell bash test/shellcheck.sh
run workflows bash test/workflows.sh
run lint eslint --max-warnings 0 lib scripts sandbox test bench
run format prettier --check --log-level warn .
run unit node node_modules/vitest/vitest.mjs run test/unit --reporter=dot
failed=0
for name in types layers shell workflows lint format unit; do
  if wait "${pids[$name]}"; then echo "ok    $name"; else echo "FAILED $name"; cat "$logs/$name"; failed=$((failed + 1)); fi
done
echo "$((7 - failed)) passed, $failed failed"
exit $((failed > 0))
