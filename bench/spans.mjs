// Preloaded into a run of the runbook: what it starts and asks, and when, as JSON into the file $BENCH_SPANS at its end.
import childProcess from 'node:child_process';
import diagnostics from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const children = [];
const requests = [];
const spawn = childProcess.spawn;
childProcess.spawn = (command, args, options) => {
  const words = [command, ...(Array.isArray(args) ? args : [])].join(' ');
  const span = { binary: /exec (\w+)/.exec(words)?.[1] ?? command, from: performance.now(), to: 0 };
  children.push(span);
  const child = spawn.call(childProcess, command, args, options);
  child.on('close', () => (span.to = performance.now()));
  return child;
};
syncBuiltinESMExports();
const open = new Map();
diagnostics.subscribe('http.client.request.start', ({ request }) => {
  const span = {
    host: request.getHeader('host'),
    method: request.method,
    path: request.path,
    from: performance.now(),
    to: 0,
  };
  requests.push(span);
  open.set(request, span);
});
const close = ({ request }) => {
  const span = open.get(request);
  if (span) span.to = performance.now();
};
diagnostics.subscribe('http.client.response.finish', close);
diagnostics.subscribe('http.client.request.error', close);
process.on('exit', () =>
  writeFileSync(
    process.env.BENCH_SPANS,
    JSON.stringify({ children, requests, rssKb: process.resourceUsage().maxRSS, endedAt: performance.now() }),
  ),
);
