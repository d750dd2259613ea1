/** What every step gets: the settings, and clients of everything outside. Tests give their own Outside. */
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { systemClock, type Clock } from './base/clock.ts';
import { readOnly, realFollow, realRun, type Follow, type Run } from './base/command.ts';
import { lookupBy, realDns, type Dns } from './clients/dns.ts';
import { Gcloud } from './clients/gcloud.ts';
import { Google } from './clients/google.ts';
import { Helm } from './clients/helm.ts';
import { realHttp, type Http } from './base/http.ts';
import { directReads } from './clients/kube-reads.ts';
import { Kubectl } from './clients/kubectl.ts';
import { RUN_ID, RUN_VARIABLE } from './base/owner.ts';
import type { Secret } from './base/secret.ts';
import type { Settings } from './settings/settings.ts';
import { readTokens } from './settings/tokens-file.ts';
import type { Target } from './base/target.ts';
import { realLegacyTls, realServedCertificate, type LegacyTls, type ServedCertificate } from './clients/tls.ts';
import type { Fitted } from './chart/fit.ts';

/** Everything that is not this process. */
export interface Outside {
  run: Run;
  follow: Follow;
  http: Http;
  dns: Dns;
  served: ServedCertificate;
  legacyTls: LegacyTls;
  clock: Clock;
}

export interface Context extends Outside {
  settings: Settings;
  /** The generated tokens as TOKENS_FILE holds them now; none before step 2.1. */
  tokens: () => Readonly<Record<string, Secret>>;
  /** Reads of Google's API. */
  google: Google;
  /** Changes in Google Cloud. */
  gcloud: Gcloud;
  /** kubectl for a cluster's namespace; the same object each time, so that reads of one moment go out together. */
  kube: (target: Target) => Kubectl;
  helm: (target: Target) => Helm;
  /** The namespace of another part in the GKE cluster. */
  inGke: (namespace: string) => Kubectl;
  /** While planning and proving: releases fitted in memory, as an earlier step would keep them. */
  plannedFits?: Map<string, Promise<Fitted>>;
  /** Tells what the step does or waits for now. */
  note: (text: string) => void;
  /** Tells something that the journal keeps, too. */
  remark: (text: string) => void;
}

/** The real Outside for these settings. Adds TLS_CA_FILE to what this process trusts (docs/architecture.md rule 11). */
export function realOutside(settings: Settings): Outside {
  if (settings.tls.caFile)
    setDefaultCACertificates([...getCACertificates('default'), readFileSync(settings.tls.caFile, 'utf8')]);
  const dns = realDns(settings.dnsServer);
  const lookup = settings.dnsServer ? lookupBy(dns) : undefined;
  return {
    run: directReads(realRun({ ...settings.childEnvironment, [RUN_VARIABLE]: RUN_ID }), settings.childEnvironment),
    follow: realFollow(settings.childEnvironment),
    http: realHttp(lookup, settings.childEnvironment),
    dns,
    served: realServedCertificate(lookup, settings.childEnvironment),
    legacyTls: realLegacyTls(lookup, settings.childEnvironment),
    clock: systemClock,
  };
}

/** @param looking true when nothing may be changed */
export function makeContext(settings: Settings, outside: Outside, looking: boolean): Context {
  const run = looking ? readOnly(outside.run) : outside.run;
  return {
    ...outside,
    run,
    settings,
    tokens: () => readTokens(settings.tokensFile),
    gcloud: new Gcloud(run, settings.project, outside.clock),
    google: new Google(run, outside.http, settings, settings.childEnvironment, outside.clock),
    ...kubectls(run, settings, false),
    helm: (target) => new Helm(run, { context: target.context, namespace: target.namespace }),
    note: () => undefined,
    remark: () => undefined,
  };
}

/** The context for a look that is over in a moment: each object is read once, however many steps ask for it. */
export function withReadCache(ctx: Context): Context {
  return { ...ctx, ...kubectls(ctx.run, ctx.settings, true) };
}

function kubectls(run: Run, settings: Settings, cached: boolean): Pick<Context, 'kube' | 'inGke'> {
  const made = new Map<string, Kubectl>();
  const kube = ({ context, namespace }: Target): Kubectl => {
    const key = `${context}/${namespace}`;
    const known = made.get(key) ?? new Kubectl(run, { context, namespace }, cached);
    made.set(key, known);
    return known;
  };
  return { kube, inGke: (namespace) => kube({ context: settings.gke.context, namespace }) };
}
