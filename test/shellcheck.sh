#!/usr/bin/env bash
# Lints every shell and bats file. Where shellcheck is missing root installs the Debian package.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v shellcheck >/dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo 'shellcheck is not installed: apt-get install shellcheck' >&2
    exit 2
  fi
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends shellcheck >/dev/null
fi
git ls-files -z '*.sh' '*.bash' runbook .ci/run ':!sandbox/kubently' | xargs -0 shellcheck
git ls-files -z '*.bats' | xargs -0 shellcheck --shell=bats
