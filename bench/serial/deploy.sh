#!/usr/bin/env bash
# The plan, corrected where it does not work, as one bash script: each command after the other.
# Usage: bench/serial/deploy.sh SETTINGS_FILE VALUES_FOLDER
# (the runbook's own settings; the folder that `make render` wrote; nothing may be deployed yet)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) values=$2
root=$(cd "$here/../.." && pwd)
set -a
. "$1"
set +a
export PATH="$root/.tools/bin:$root/node_modules/.bin:$PATH"
gke=(--context "$GKE_CONTEXT") remote=(--context kind-kubently)
email="cert-manager-dns01@$GCP_PROJECT.iam.gserviceaccount.com"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cluster() { kubectl "${gke[@]}" "$@"; }
google() { gcloud "$@" --project="$GCP_PROJECT" --quiet; }
step() { echo "$(date +%s) $*"; }

step 1.0
google compute addresses create "$STATIC_IP_NAME" --region="$GCP_REGION"
INGRESS_IP=$(google compute addresses describe "$STATIC_IP_NAME" --region="$GCP_REGION" --format='get(address)')
google dns record-sets create "$API_HOST." --zone="$DNS_ZONE" --type=A --ttl=300 --rrdatas="$INGRESS_IP"
until [ "$(node "$here/resolve.mjs" "$API_HOST" "$DNS_SERVER")" = "$INGRESS_IP" ]; do sleep 2; done

step 1.1
helm --kube-context "$GKE_CONTEXT" upgrade --install cert-manager "$CERT_MANAGER_CHART" --namespace cert-manager \
  --create-namespace --values "$root/values/cert-manager.yaml" --wait --timeout 5m

step 1.2
google iam service-accounts create cert-manager-dns01 --display-name='cert-manager DNS-01 solver'
until google iam service-accounts describe "$email" >/dev/null 2>&1; do sleep 2; done
google projects add-iam-policy-binding "$GCP_PROJECT" --member="serviceAccount:$email" --role=roles/dns.admin --condition=None >/dev/null
google iam service-accounts keys create "$tmp/key.json" --iam-account="$email"
cluster create secret generic clouddns-dns01-solver-sa --from-file=key.json="$tmp/key.json" -n cert-manager

step 1.3
node "$here/traefik.mjs" "$INGRESS_IP" "$STATIC_IP_NAME" | cluster apply -f -
cluster -n traefik rollout status deployment/traefik --timeout=300s
until [ "$(cluster -n traefik get service traefik -o 'jsonpath={.status.loadBalancer.ingress[0].ip}')" = "$INGRESS_IP" ]; do sleep 2; done

step 1.4
for issuer in "letsencrypt-staging $ACME_STAGING_SERVER" "letsencrypt-prod $ACME_PRODUCTION_SERVER"; do
  read -r name server <<<"$issuer"
  cluster apply -f - <<END
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: { name: $name }
spec:
  acme:
    server: $server
    email: $ACME_EMAIL
    caBundle: $(base64 -w0 <"$ACME_CA_FILE")
    privateKeySecretRef: { name: $name }
    solvers:
      - dns01:
          cloudDNS:
            project: $GCP_PROJECT
            serviceAccountSecretRef: { name: clouddns-dns01-solver-sa, key: key.json }
END
  cluster wait --for=condition=Ready "clusterissuer/$name" --timeout=120s
done

step 2.1
API_KEY=$(openssl rand -hex 32) REDIS_PASSWORD=$(openssl rand -hex 32)
GKE_TOKEN=$(openssl rand -hex 32) REMOTE_TOKEN=$(openssl rand -hex 32)

step 2.2
TAG=$(git -C "$KUBENTLY_REPO" rev-parse --short=7 HEAD)
for image in api executor; do
  docker build -q --label "org.opencontainers.image.revision=$(git -C "$KUBENTLY_REPO" rev-parse HEAD)" \
    -t "$IMAGE_REGISTRY/$image:$TAG" -f "$KUBENTLY_REPO/deployment/docker/$image/Dockerfile" "$KUBENTLY_REPO"
done
for image in api executor; do docker push -q "$IMAGE_REGISTRY/$image:$TAG"; done

step 2.3
cluster create namespace kubently
cluster -n kubently create secret generic kubently-llm-secrets --from-literal=ANTHROPIC_API_KEY="$ANTHROPIC_API_KEY"
cluster -n kubently create secret generic kubently-api-keys --from-literal=keys="cli-user:$API_KEY"
cluster -n kubently create secret generic kubently-redis-password --from-literal=password="$REDIS_PASSWORD"
cluster -n kubently create secret generic kubently-executor-token --from-literal=token="$GKE_TOKEN"
cluster -n kubently create configmap kubently-ca-cert --from-file=ca.crt="$TLS_CA_FILE"

step 2.5
helm --kube-context "$GKE_CONTEXT" upgrade --install kubently "$KUBENTLY_REPO/deployment/helm/kubently" \
  --namespace kubently --values "$values/gke.values.yaml" --wait --timeout 10m
mount='{"spec":{"template":{"spec":{"containers":[{"name":"executor","volumeMounts":[{"name":"ca","mountPath":"/etc/kubently/ca","readOnly":true}]}],"volumes":[{"name":"ca","configMap":{"name":"kubently-ca-cert"}}]}}}}'
cluster -n kubently patch deployment kubently-executor -p "$mount"

certificate() {
  cluster apply -f - <<END
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: kubently-api-tls, namespace: kubently }
spec:
  secretName: kubently-api-tls
  dnsNames: [$API_HOST]
  issuerRef: { name: $1, kind: ClusterIssuer }
END
  cluster -n kubently wait --for=condition=Ready certificate/kubently-api-tls --timeout=600s
}
step 2.6
certificate letsencrypt-staging
curl -sf --cacert "$TLS_CA_FILE" --retry 60 --retry-delay 2 --retry-all-errors "https://$API_HOST/health" >/dev/null
step 2.7
cluster -n kubently delete certificate kubently-api-tls
cluster -n kubently delete secret kubently-api-tls
# What Ready said was about the Certificate that is gone now.
certificate letsencrypt-prod
curl -sf --cacert "$TLS_CA_FILE" --retry 60 --retry-delay 2 --retry-all-errors "https://$API_HOST/health" >/dev/null

step 2.8
cluster -n kubently apply -f - <<'END'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: redis-network-policy }
spec:
  podSelector: { matchLabels: { app.kubernetes.io/component: redis } }
  policyTypes: [Ingress]
  ingress:
    - from: [{ podSelector: { matchLabels: { app.kubernetes.io/component: api } } }]
      ports: [{ protocol: TCP, port: 6379 }]
END

step 3.2
api=(curl -sf --cacert "$TLS_CA_FILE" -H "X-API-Key: $API_KEY" -H 'Content-Type: application/json')
"${api[@]}" -X POST "https://$API_HOST/admin/agents/kind-remote/token" -d "{\"token\":\"$REMOTE_TOKEN\"}" >/dev/null
kubectl "${remote[@]}" create namespace kubently-remote
kubectl "${remote[@]}" -n kubently-remote create secret generic kubently-remote-executor-token --from-literal=token="$REMOTE_TOKEN"
kubectl "${remote[@]}" -n kubently-remote create configmap kubently-ca-cert --from-file=ca.crt="$TLS_CA_FILE"
helm --kube-context kind-kubently upgrade --install kubently-remote "$KUBENTLY_REPO/deployment/helm/kubently" \
  --namespace kubently-remote --values "$values/remote.values.yaml" --wait --timeout 10m
kubectl "${remote[@]}" -n kubently-remote patch deployment kubently-remote-executor -p "$mount"
kubectl "${remote[@]}" -n kubently-remote rollout status deployment/kubently-remote-executor --timeout=300s

step 4.1
# grep without -q: it would close the pipe before curl has written everything.
for id in gke kind-remote; do
  until "${api[@]}" -X POST "https://$API_HOST/debug/execute" \
    -d "{\"cluster_id\":\"$id\",\"command_type\":\"get\",\"args\":[\"namespaces\"],\"timeout_seconds\":10}" | grep kube-system >/dev/null; do sleep 2; done
done
"${api[@]}" "https://$API_HOST/debug/clusters" >/dev/null

step 4.2
cp -r "$KUBENTLY_REPO/kubently-cli/nodejs" "$tmp/cli"
(cd "$tmp/cli" && npm ci --no-audit --no-fund && npm run build) >/dev/null
for id in gke kind-remote; do
  printf '%s\nexit\n' 'What pods are running in kube-system namespace?' |
    HOME="$tmp" KUBENTLY_API_URL="https://$API_HOST" KUBENTLY_API_KEY="$API_KEY" NODE_EXTRA_CA_CERTS="$TLS_CA_FILE" \
      node "$tmp/cli/dist/index.js" debug "$id" >"$tmp/said"
  grep kube- "$tmp/said" >/dev/null
done

step 4.3
for context in "$GKE_CONTEXT" kind-kubently; do
  kubectl --context "$context" create namespace test-app
  kubectl --context "$context" -n test-app create deployment nginx --image=nginx:1.28.0
  kubectl --context "$context" -n test-app rollout status deployment/nginx --timeout=120s
done
question='What pods are running in test-app namespace across all clusters?'
"${api[@]}" -X POST "https://$API_HOST/a2a/" -d "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"message/send\",\"params\":{\"message\":{\"kind\":\"message\",\"messageId\":\"1\",\"role\":\"user\",\"parts\":[{\"kind\":\"text\",\"text\":\"$question\"}]}}}" | grep nginx >/dev/null
for context in "$GKE_CONTEXT" kind-kubently; do kubectl --context "$context" delete namespace test-app; done
step 'done'
