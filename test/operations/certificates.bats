#!/usr/bin/env bats
# The certificate on the rehearsal world: nothing is requested without need, issuers forth and back, one of your own.

setup_file() {
  load world
  world_setup
  export OWN="$BATS_FILE_TMPDIR/own" OWN_ENV="$BATS_FILE_TMPDIR/own.env"
  node_modules/.bin/node test/own-certificate.ts "$OWN" "$HOST"
  # The executors and the checks must trust both: the connection is never without a root while it changes.
  cat "$OWN/root.pem" "$STATE/acme-roots.pem" >"$OWN/roots.pem"
  (umask 077; { grep -v '^TLS_CA_FILE=' sandbox/.env; echo "TLS_CA_FILE=$OWN/roots.pem"; echo "TLS_CERT_FILE=$OWN/chain.pem"; echo "TLS_KEY_FILE=$OWN/key.pem"; } >"$OWN_ENV")
}

setup() {
  load world
  world_setup
}

in_gke() { kubectl --context "$GKE" --namespace kubently "$@"; }

# Every request at an ACME server is a CertificateRequest with an Order of its own, and counts up the revision.
requests() {
  in_gke get certificaterequest,order -o 'jsonpath={range .items[*]}{.kind} {.metadata.uid}{"\n"}{end}' | sort
  in_gke get certificate kubently-api-tls -o 'jsonpath=revision {.status.revision}{"\n"}'
}

issuer() { in_gke get certificate kubently-api-tls -o 'jsonpath={.spec.issuerRef.name}'; }

# The SHA-256 of the certificate that the host serves, verified by the roots given.
served() {
  openssl s_client -connect "$(dig +short "$HOST" @198.18.0.53):443" -servername "$HOST" -verify_return_error -CAfile "$1" </dev/null 2>/dev/null |
    openssl x509 -noout -fingerprint -sha256
}

# bats test_tags=short
@test "nothing changed: no certificate is requested" {
  before=$(requests)
  run ./runbook phase2 --only 2.6,2.7
  assert_success
  assert_output --partial '2 unchanged'
  assert_equal "$(requests)" "$before"
}

# bats test_tags=short
@test "a chain in the wrong order, a key without certificate, an issuer beside: refused, nothing changed" {
  before=$(requests)
  ENV_FILE=$OWN_ENV TLS_CERT_FILE=$OWN/reversed.pem run ./runbook 2.6
  assert_failure 2
  assert_output --partial "belongs to certificate 2 of"
  assert_output --partial 'is out of order'
  TLS_KEY_FILE=$OWN/key.pem run ./runbook 2.6
  assert_failure 2
  assert_output --partial 'TLS_CERT_FILE: has to be set beside TLS_KEY_FILE'
  ENV_FILE=$OWN_ENV TLS_ISSUER=production run ./runbook 2.6
  assert_failure 2
  ENV_FILE=$OWN_ENV TLS_CA_FILE="$STATE/acme-roots.pem" run ./runbook 2.6
  assert_failure 2
  assert_output --partial 'leads to no trusted root'
  assert_equal "$(requests)" "$before"
}

@test "your own certificate: served, nobody writes it again, 12 criteria proven and one said not to be" {
  ENV_FILE=$OWN_ENV run ./runbook deploy --until 3.2
  assert_success
  assert_output --partial 'not used: TLS_CERT_FILE is your own certificate'
  assert_equal "$(served "$OWN/root.pem")" "$(openssl x509 -in "$OWN/chain.pem" -noout -fingerprint -sha256)"
  run in_gke get certificate,certificaterequest,order
  assert_output --partial 'No resources found'
  ENV_FILE=$OWN_ENV run ./runbook verify
  assert_failure 4
  assert_output --partial '12 of 13 criteria proven'
  assert_output --partial "not by Let's Encrypt: your own certificate"
  ENV_FILE=$OWN_ENV run ./runbook phase2 --plan
  assert_success
}

@test "its renewal is taken, and is what is served" {
  # By the same root.
  node_modules/.bin/node test/own-certificate.ts "$OWN" "$HOST"
  ENV_FILE=$OWN_ENV run ./runbook 2.6 --plan
  assert_failure 3
  assert_output --partial 'holds another certificate than TLS_CERT_FILE'
  ENV_FILE=$OWN_ENV run ./runbook 2.6
  assert_success
  assert_equal "$(served "$OWN/root.pem")" "$(openssl x509 -in "$OWN/chain.pem" -noout -fingerprint -sha256)"
}

@test "back to ACME by TLS_ISSUER=staging, kept through an upgrade of the release by hand" {
  TLS_ISSUER=staging run ./runbook deploy --until 3.2
  assert_success
  assert_equal "$(issuer)" letsencrypt-staging
  local before
  before=$(requests)
  helm --kube-context "$GKE" --namespace kubently upgrade kubently "$STATE/kubently/deployment/helm/kubently" --reuse-values --force-conflicts >/dev/null
  assert_equal "$(issuer)" letsencrypt-staging
  TLS_ISSUER=staging run ./runbook phase2 --only 2.5,2.6,2.7
  assert_success
  assert_equal "$(requests)" "$before"
}

@test "2.7: production, never reverted, nothing requested again by a deploy, 13 of 13" {
  run ./runbook 2.7
  assert_success
  assert_equal "$(issuer)" letsencrypt-prod
  served "$STATE/acme-roots.pem"
  local after
  after=$(requests)
  run ./runbook deploy --until 3.2
  assert_success
  assert_equal "$(issuer)" letsencrypt-prod
  assert_equal "$(requests)" "$after"
  run ./runbook verify
  assert_success
}
