#!/usr/bin/env bash
# Everything away that any of the rivals deployed, so that the next one starts from nothing; the CRDs stay, for all of them.
# Usage: bench/serial/remove.sh SETTINGS_FILE
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
set -a
. "$1"
set +a
export PATH="$root/.tools/bin:$PATH"
email="cert-manager-dns01@$GCP_PROJECT.iam.gserviceaccount.com"
cluster() { kubectl --context "$GKE_CONTEXT" "$@"; }
google() { gcloud "$@" --project="$GCP_PROJECT" --quiet 2>/dev/null; }
cluster -n kubently delete certificate --all --ignore-not-found --timeout=60s
# Their finalizers want cert-manager alive.
cluster -n kubently delete challenge --all --ignore-not-found --timeout=60s
helm --kube-context "$GKE_CONTEXT" -n kubently uninstall kubently --ignore-not-found --wait &
helm --kube-context kind-kubently -n kubently-remote uninstall kubently-remote --ignore-not-found --wait &
wait
cluster delete clusterissuer --all --ignore-not-found
helm --kube-context "$GKE_CONTEXT" -n cert-manager uninstall cert-manager --ignore-not-found --wait
cluster delete namespace kubently traefik cert-manager test-app --ignore-not-found &
kubectl --context kind-kubently delete namespace kubently-remote test-app --ignore-not-found &
wait
cluster delete clusterrole,clusterrolebinding traefik-ingress --ignore-not-found
cluster delete ingressclass nginx --ignore-not-found
google dns record-sets delete "$API_HOST." --zone="$DNS_ZONE" --type=A
google projects remove-iam-policy-binding "$GCP_PROJECT" --member="serviceAccount:$email" --role=roles/dns.admin --condition=None >/dev/null
google iam service-accounts delete "$email"
for _ in 1 2 3 4 5 6 7 8 9 10; do
  google compute addresses delete "$STATIC_IP_NAME" --region="$GCP_REGION"
  google compute addresses describe "$STATIC_IP_NAME" --region="$GCP_REGION" >/dev/null || exit 0
  sleep 3
done
echo "the address $STATIC_IP_NAME is still there" >&2
exit 1
