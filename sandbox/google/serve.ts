/**
 * The rehearsal's Google: API, name server and GKE's load balancers in one process. Runs until SIGTERM; ready when
 * GET /_sandbox/settings answers on GOOGLE.endpoint. Needs the CA (PATHS.ca, PATHS.caKey) and the addresses
 * NETWORK.google and NETWORK.dns on this machine; docker by DOCKER_HOST.
 */
import { join } from 'node:path';
import { reply, type View } from '../dns/answer.ts';
import { systemResolvers } from '../dns/forward.ts';
import { serveDns } from '../dns/server.ts';
import { addHost, removeHosts } from '../hosts.ts';
import { ACME, API_HOST, CLUSTERS, GOOGLE, LLM, NETWORK, PATHS, STATE } from '../world.ts';
import { serverCertificate } from './certificate.ts';
import { openProject } from './project.ts';
import { asOf } from './propagation.ts';
import { NAME_SERVERS } from './record-set.ts';
import { serveGoogle } from './server.ts';

const HOSTS_INTERVAL_MS = 1000;

const log = (line: string) => console.log(`${new Date().toISOString()} ${line}`);

const cloud = openProject({ ...GOOGLE, stateFile: join(STATE, 'google', 'state.json') });

const fixed = new Map<string, string>([
  ...GOOGLE.names.map((name) => [name, NETWORK.google] as const),
  ...NAME_SERVERS.map((name) => [name.slice(0, -1), NETWORK.dns] as const),
  [ACME.staging.host, NETWORK.acmeStaging],
  [ACME.production.host, NETWORK.acmeProduction],
  [LLM.host, NETWORK.llm],
]);

/** The zones as they have propagated by now. */
function view(): View {
  const seen = cloud.now() - cloud.settings.delays.dns * 1000;
  const zones = cloud.state.zones.map(({ dnsName, recordSets }) => ({ dnsName, recordSets: asOf(recordSets, seen) }));
  return { zones, fixed };
}

/** Keeps the line for API_HOST in /etc/hosts equal to the served A record. */
function followApiHost(): void {
  const answer = reply(view(), { name: API_HOST, type: 'A' })?.answers.at(-1);
  const address = answer?.type === 'A' ? answer.data : undefined;
  const changed = address === undefined ? removeHosts() : addHost(API_HOST, address);
  if (changed) log(`/etc/hosts: ${API_HOST} ${address ?? 'removed'}`);
}

const certificate = await serverCertificate({ cert: PATHS.ca, key: PATHS.caKey }, GOOGLE.names, NETWORK.google);
const dns = await serveDns({ host: NETWORK.dns, port: 53, view, resolvers: systemResolvers(NETWORK.dns) });
const { hostname, port } = new URL(GOOGLE.endpoint);
const google = await serveGoogle({
  cloud,
  logFile: PATHS.googleLog,
  tokenFile: PATHS.googleToken,
  http: { host: hostname, port: Number(port) },
  https: { host: NETWORK.google, port: 443, ...certificate },
});
log(`Google API on ${GOOGLE.endpoint} and https://${NETWORK.google}, DNS on ${NETWORK.dns}:53`);

const hosts = setInterval(followApiHost, HOSTS_INTERVAL_MS);

const ending = new AbortController();
async function end(): Promise<void> {
  clearInterval(hosts);
  ending.abort();
  await Promise.all([google.close(), dns.close()]);
  process.exit(0);
}
process.once('SIGTERM', () => void end());
process.once('SIGINT', () => void end());

// Loaded last: the Kubernetes client costs more start-up time than all the rest.
const { balanceLoad } = await import('./load-balancer.ts');
const { name, context } = CLUSTERS.gke;
const { region } = GOOGLE;
const cluster = { region, kubeconfig: PATHS.kubeconfig, context, node: `${name}-control-plane` };
await balanceLoad({ cloud, ...cluster, log }, ending.signal);
