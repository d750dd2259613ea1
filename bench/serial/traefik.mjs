// The ingress controller's objects for an address, as one List: node traefik.mjs ADDRESS ADDRESS_NAME
import { ingressObjects } from '../../lib/deployment/cluster/infrastructure.ts';
const [address, staticIpName] = process.argv.slice(2);
const items = ingressObjects({ staticIpName, ingressReplicas: 1, hstsIncludeSubdomains: false }, address);
process.stdout.write(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
