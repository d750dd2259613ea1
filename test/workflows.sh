#!/usr/bin/env bash
# Lints .github by actionlint (from its Go module) and zizmor (from PyPI, offline), both pinned and kept in .tools.
set -euo pipefail
cd "$(dirname "$0")/.."
actionlint=1.7.12
zizmor=1.32.0
zizmor_sha256=84a6acb975accc13408786a2bd274b572537ca19c933ebbc13e78f3988562071
tools=.tools/workflows-$actionlint-$zizmor
if [ ! -x "$tools/done/bin/zizmor" ]; then
  for tool in go python3; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed: make check lints the workflows with it" >&2; exit 2; }
  done
  fresh=$(mktemp -d -p "$(mkdir -p "$tools" && cd "$tools" && pwd)")
  trap 'rm -rf "$fresh"' EXIT
  GOBIN=$fresh/bin GOFLAGS=-mod=mod go install "github.com/rhysd/actionlint/cmd/actionlint@v$actionlint"
  # The hash is that of x86-64 Linux's wheel; elsewhere PyPI's own word must do.
  hash=
  [ "$(uname -sm)" = 'Linux x86_64' ] && hash="--hash=sha256:$zizmor_sha256"
  echo "zizmor==$zizmor $hash" >"$fresh/requirements"
  python3 -m pip install --quiet --no-deps --only-binary :all: --root-user-action ignore --disable-pip-version-check --target "$fresh/python" --requirement "$fresh/requirements"
  mv "$fresh/python/bin/zizmor" "$fresh/bin/"
  mv -T "$fresh" "$tools/done"
  trap - EXIT
fi
"$tools/done/bin/actionlint" -shellcheck= .github/workflows/*.yml
"$tools/done/bin/zizmor" --offline --quiet --no-progress --config test/zizmor.yml .github
