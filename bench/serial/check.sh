#!/usr/bin/env bash
# The plan's own checking commands, one after another: what an operator types to see that all is well.
# Usage: bench/serial/check.sh SETTINGS_FILE
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
set -a
. "$1"
. "$TOKENS_FILE"
set +a
export PATH="$root/.tools/bin:$PATH"
cluster() { kubectl --context "$GKE_CONTEXT" "$@"; }
google() { gcloud "$@" --project="$GCP_PROJECT" --quiet; }
api() { curl -sf --cacert "$TLS_CA_FILE" -H "X-API-Key: $API_KEY" -H 'Content-Type: application/json' "$@"; }
google compute addresses describe "$STATIC_IP_NAME" --region="$GCP_REGION" --format='get(address)'
google dns record-sets describe "$API_HOST." --zone="$DNS_ZONE" --type=A
node "$root/bench/serial/resolve.mjs" "$API_HOST" "$DNS_SERVER"
for name in cert-manager cert-manager-webhook cert-manager-cainjector; do
  cluster -n cert-manager wait --for=condition=Available "deployment/$name" --timeout=10s
done
google iam service-accounts describe "cert-manager-dns01@$GCP_PROJECT.iam.gserviceaccount.com"
google projects get-iam-policy "$GCP_PROJECT" --format=json
google iam service-accounts keys list --iam-account="cert-manager-dns01@$GCP_PROJECT.iam.gserviceaccount.com"
cluster -n traefik wait --for=condition=Available deployment/traefik --timeout=10s
cluster -n traefik get service traefik -o 'jsonpath={.status.loadBalancer.ingress[0].ip}'
cluster wait --for=condition=Ready clusterissuer/letsencrypt-staging clusterissuer/letsencrypt-prod --timeout=10s
docker manifest inspect --insecure "$IMAGE_REGISTRY/api:$(git -C "$KUBENTLY_REPO" rev-parse --short=7 HEAD)" || true
cluster -n kubently get secrets
cluster -n kubently get pods
cluster -n kubently get ingress
cluster -n kubently get certificate
helm --kube-context "$GKE_CONTEXT" -n kubently status kubently
cluster -n kubently wait --for=condition=Ready certificate/kubently-api-tls --timeout=10s
cluster -n kubently describe certificate kubently-api-tls
curl -sfI --cacert "$TLS_CA_FILE" "https://$API_HOST/health"
openssl s_client -servername "$API_HOST" -connect "$API_HOST:443" </dev/null 2>/dev/null | openssl x509 -noout -text
cluster -n kubently get networkpolicy
kubectl --context kind-kubently -n kubently-remote get pods
helm --kube-context kind-kubently -n kubently-remote status kubently-remote
kubectl --context kind-kubently -n kubently-remote logs -l app.kubernetes.io/component=executor --tail=50
cluster -n kubently exec -i kubently-redis-master-0 -- sh -c 'read -r REDISCLI_AUTH; export REDISCLI_AUTH; redis-cli --no-auth-warning EXISTS executor:token:gke executor:token:kind-remote' <<<"$REDIS_PASSWORD"
api "https://$API_HOST/debug/clusters"
for id in gke kind-remote; do api "https://$API_HOST/admin/agents/$id/status"; done
