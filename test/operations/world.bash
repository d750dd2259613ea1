# What the tests of the operations share: the rehearsal world as `make rehearse` left it.

# The settings of the rehearsal, with an age pair of this test's own.
world() {
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
  export STATE=/var/lib/kubently-sandbox KUBECONFIG=/var/lib/kubently-sandbox/kubeconfig PATH="$PWD/.tools/bin:$PATH"
  export GKE=gke_regal-skyline-471806-t6_us-central1_kubently-test-cluster1 REMOTE=kind-kubently
  export TOKENS=$STATE/tokens.env ENV_FILE="$BATS_FILE_TMPDIR/settings.env" IDENTITY="$BATS_FILE_TMPDIR/identity.txt"
  umask 077
  node_modules/.bin/node -e "import('age-encryption').then(async (age) => {
    const identity = await age.generateX25519Identity();
    require('fs').writeFileSync('$IDENTITY', identity + '\n');
    console.log('BACKUP_RECIPIENT=' + (await age.identityToRecipient(identity)));
  })" >"$BATS_FILE_TMPDIR/recipient"
  { cat sandbox/.env "$BATS_FILE_TMPDIR/recipient"; echo "BACKUP_IDENTITY=$IDENTITY"; } >"$ENV_FILE"
}

helpers() {
  load ../../node_modules/bats-support/load.bash
  load ../../node_modules/bats-assert/load.bash
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
}

op() {
  local name=$1; shift
  node_modules/.bin/node --disable-warning=DEP0190 "scripts/ops/$name.ts" "$@"
}

# Writes the header with the value of a token into a file that only curl reads.
keep() { sed -n "s/^$1=/$3/p" "$TOKENS" >"$BATS_TEST_TMPDIR/$2"; }

# The API's answer to METHOD PATH with the header of a kept file: its status, and its body in $BATS_TEST_TMPDIR/body.
api() {
  local header=$1 method=$2 path=$3; shift 3
  curl -sS --max-time 20 -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' -X "$method" --cacert "$STATE/acme-roots.pem" \
    --resolve "test-api.kubently.io:443:$(sed -n 's/^INGRESS_IP=//p' "$TOKENS")" -H "@$BATS_TEST_TMPDIR/$header" "$@" "https://test-api.kubently.io$path"
}

# No rotation stands open in the tokens file.
assert_no_marks() {
  run grep -cE '^[A-Z0-9_]+_(NEXT|PREVIOUS)=' "$TOKENS"
  assert_output 0
}

# A session of a client: its id.
new_session() {
  keep API_KEY session-key 'X-API-Key: '
  [ "$(api session-key POST /debug/session -H 'content-type: application/json' -d '{"cluster_id":"kind-remote"}')" = 201 ]
  sed 's/.*"session_id":"\([^"]*\)".*/\1/' "$BATS_TEST_TMPDIR/body"
}
