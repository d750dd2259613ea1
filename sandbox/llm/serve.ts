/**
 * The rehearsal's language model: https for pods under LLM.host, and plain http with the faults on loopback (LLM.endpoint).
 * Runs until SIGTERM. Needs the CA (PATHS.ca, PATHS.caKey) and the address NETWORK.llm on this machine.
 */
import { createServer } from 'node:https';
import { serve } from '@hono/node-server';
import { serverCertificate } from '../google/certificate.ts';
import { LLM, NETWORK, PATHS } from '../world.ts';
import { llmRoutes, type Fault } from './server.ts';

const state: { fault: Fault | undefined } = { fault: undefined };
const model = { keys: LLM.keys, models: LLM.models };
const certificate = await serverCertificate({ cert: PATHS.ca, key: PATHS.caKey }, [LLM.host], NETWORK.llm);
const { hostname, port } = new URL(LLM.endpoint);
const servers = [
  serve({
    fetch: llmRoutes(model, false, state).fetch,
    hostname: NETWORK.llm,
    port: 443,
    createServer,
    serverOptions: certificate,
  }),
  serve({ fetch: llmRoutes(model, true, state).fetch, hostname, port: Number(port) }),
];
console.log(`${new Date().toISOString()} language model on https://${LLM.host} and ${LLM.endpoint}`);

function end(): void {
  for (const server of servers) server.close();
  process.exit(0);
}
process.once('SIGTERM', end);
process.once('SIGINT', end);
