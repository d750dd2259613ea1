#!/usr/bin/env bats
# The chart's shapes B, C and H deployed for real: a second deployment beside the rehearsal's own, in namespaces of its own.
bats_require_minimum_version 1.5.0

setup() {
  load ../../node_modules/bats-support/load.bash
  load ../../node_modules/bats-assert/load.bash
  cd "$BATS_TEST_DIRNAME/../.." || exit 2
  export STATE=/var/lib/kubently-sandbox KUBECONFIG=/var/lib/kubently-sandbox/kubeconfig PATH="$PWD/.tools/bin:$PATH"
  export GKE=gke_regal-skyline-471806-t6_us-central1_kubently-test-cluster1 REMOTE=kind-kubently
}

# The sandbox's checkout with a fixture as its chart, and settings for a deployment of its own.
lay_out() {
  local shape=$1 name=shape-$1 repo=$BATS_TEST_TMPDIR/kubently
  cp -a "$STATE/kubently" "$repo"
  rm -rf "$repo/.git" "$repo/deployment/helm/kubently"
  cp -a "test/chart/fixtures/${shape^^}" "$repo/deployment/helm/kubently"
  git -C "$repo" init --quiet --initial-branch=main
  git -C "$repo" add --all
  git -C "$repo" add --force node_modules
  git -C "$repo" -c user.name=test -c user.email=test@rehearsal.test commit --quiet --message="Shape $shape"
  export ENV_FILE=$BATS_TEST_TMPDIR/.env
  install -m 600 /dev/null "$ENV_FILE"
  grep -vE '^(API_HOST|NAMESPACE|RELEASE|REMOTE_CLUSTERS|KUBENTLY_REPO|IMAGE_REGISTRY|TOKENS_FILE|API_REPLICAS)=' sandbox/.env >"$ENV_FILE"
  cat >>"$ENV_FILE" <<END
API_HOST='$name.kubently.io'
NAMESPACE='kubently-$name'
RELEASE='kubently-$name'
REMOTE_CLUSTERS='kind-$name=$REMOTE/kubently-$name/kubently-$name'
KUBENTLY_REPO='$repo'
IMAGE_REGISTRY='127.0.0.1:5000/kubently/$name'
TOKENS_FILE='$BATS_TEST_TMPDIR/tokens.env'
TLS_ISSUER='production'
API_REPLICAS=1
END
}

deploy_shape() {
  lay_out "$1"
  run ./runbook deploy --until 4.1
  echo "$output"
  assert_success
  run -0 ./runbook deploy --from 2.1 --until 3.2 --plan
  assert_output --partial 'nothing was changed'
}

teardown() {
  local name=${ENV_FILE:+$(sed -n "s/^NAMESPACE='\(.*\)'/\1/p" "$ENV_FILE")}
  [ -n "$name" ] || return 0
  helm --kube-context "$GKE" -n "$name" uninstall "$name" --ignore-not-found >/dev/null
  helm --kube-context "$REMOTE" -n "$name" uninstall "$name" --ignore-not-found >/dev/null
  kubectl --context "$GKE" delete namespace "$name" --ignore-not-found --wait=false >/dev/null
  kubectl --context "$REMOTE" delete namespace "$name" --ignore-not-found --wait=false >/dev/null
  set -a; . "$ENV_FILE"; set +a
  gcloud dns record-sets delete "$API_HOST." --zone=kubently-io --type=A --project="$GCP_PROJECT" --quiet >/dev/null 2>&1 || true
  rm -rf ".runbook/$API_HOST"
}

@test "shape B deploys, both executors answer, and a second look finds nothing to do" {
  deploy_shape b
}

@test "shape C deploys, both executors answer, and a second look finds nothing to do" {
  deploy_shape c
}

@test "shape H deploys, both executors answer, and a second look finds nothing to do" {
  deploy_shape h
}
