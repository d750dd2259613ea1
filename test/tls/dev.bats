#!/usr/bin/env bats
# Local development for real, on a port of its own: https only, within a minute, gone afterwards.
bats_require_minimum_version 1.5.0

setup_file() {
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
  export DEV_PORT=18443 CA=$PWD/.runbook/dev/ca.crt HERE=https://localhost:18443
  # The images are built first: the minute is that of a second start.
  make --no-print-directory dev >"$BATS_FILE_TMPDIR/first" 2>&1 || { cat "$BATS_FILE_TMPDIR/first" >&2; return 1; }
  make --no-print-directory dev-down >/dev/null 2>&1
  local start=$SECONDS
  make --no-print-directory dev >"$BATS_FILE_TMPDIR/second" 2>&1 || { cat "$BATS_FILE_TMPDIR/second" >&2; return 1; }
  export TOOK=$((SECONDS - start))
}

teardown_file() {
  cd "$BATS_TEST_DIRNAME/../.." && make --no-print-directory dev-down >/dev/null 2>&1
}

setup() {
  load ../../node_modules/bats-support/load.bash
  load ../../node_modules/bats-assert/load.bash
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
}

@test "make dev answers https on localhost within a minute; the executor is connected over TLS" {
  run -0 cat "$BATS_FILE_TMPDIR/second"
  assert_output --partial '"tls":"enabled","environment":"development"'
  assert_output --partial "curl --cacert $CA $HERE/health"
  assert [ "$TOOK" -le 60 ]
  echo "# up in $TOOK s" >&3
  key=$(sed -n 's/^API_KEYS=developer://p' .runbook/dev/api.env)
  refute [ -z "$key" ]
  # The key is shown nowhere.
  refute_output --partial "$key"
  run -0 curl --silent --cacert "$CA" --header @<(echo "X-API-Key: $key") "$HERE/admin/agents"
  assert_output --partial '{"id":"local","connected":true'
}

@test "its certificate is for localhost and 127.0.0.1, and trusted by its CA alone" {
  run -0 curl --silent --cacert "$CA" https://127.0.0.1:18443/health
  run -60 curl --silent "$HERE/health"
  run -35 curl --silent --cacert "$CA" --tls-max 1.1 "$HERE/health"
}

@test "plain http on the port is sent to https, and the API is reachable by no other way" {
  run -0 curl --silent --output /dev/null --write-out '%{http_code} %{redirect_url}' http://localhost:18443/health
  assert_output "308 https://localhost:18443/health"
  run -0 docker --host "${DOCKER_HOST:-unix:///run/kubently-sandbox/docker.sock}" ps --filter name=kubently-dev-18443 --format '{{.Names}} {{.Ports}}'
  assert_line --regexp '^kubently-dev-18443-nginx-1 .*127\.0\.0\.1:18443->'
  refute_line --regexp '(api|redis|executor)-1 .*->'
}

@test "keys lie in files of their owner; a deployment refuses the CA" {
  assert_equal "$(stat -c %a .runbook/dev/server.key .runbook/dev/api.env .runbook/dev/executor.env .runbook/dev/redis.env | sort -u)" 600
  sed 's/you@example.com/you@kubently.io/; s|^KUBENTLY_REPO=.*|KUBENTLY_REPO=.|' .env.example >"$BATS_TEST_TMPDIR/env"
  ENV_FILE=$BATS_TEST_TMPDIR/env TLS_CA_FILE=$CA run -2 ./runbook doctor
  assert_output --partial 'holds the Kubently development CA'
}

@test "make dev again changes nothing; make dev-down leaves no container and no network" {
  local docker=(docker --host "${DOCKER_HOST:-unix:///run/kubently-sandbox/docker.sock}")
  ids() { "${docker[@]}" ps --no-trunc --filter name=kubently-dev-18443 --format '{{.ID}}' | sort; }
  before=$(ids)
  run -0 make --no-print-directory dev
  assert_equal "$(ids)" "$before"
  run -0 make --no-print-directory dev-down
  assert_equal "$(ids)" ''
  run -0 "${docker[@]}" network ls --filter name=kubently-dev-18443 --format '{{.Name}}'
  assert_output ''
}
