/** Plan step 2.6: the certificate is issued by DNS-01 and served at the public name. */
import { absent, differs, done, type ChangeStep } from '../lib/step.ts';
import { applyOwn, checkOwn } from '../lib/deployment/certificates/own-certificate.ts';
import {
  certificateObject,
  issue,
  liveCertificate,
  servedAsIssued,
  wantedIssuer,
} from '../lib/deployment/certificates/certificate.ts';
import { saying, condition } from '../lib/clients/conditions.ts';
import { redirectsToHttps } from '../lib/deployment/certificates/edge.ts';
import { noChallenges } from '../lib/deployment/certificates/challenges.ts';
import { drift } from '../lib/clients/drift.ts';
import { differenceLines } from '../lib/clients/field-differences.ts';
import { Failure } from '../lib/base/failure.ts';
import { ISSUER_NAMES } from '../lib/deployment/cluster/infrastructure.ts';
import { TLS_SECRET } from '../lib/chart/secret-names.ts';
import { runAlone } from './entry.ts';

export const step: ChangeStep = {
  id: '2.6',
  kind: 'change',
  title: 'TLS certificate issued and served',
  // Issuing needs neither ingress nor release, so it goes on beside the image builds.
  needs: ['1.4', '2.3'],
  needsToVerify: ['1.3', '2.5'],

  async check(ctx) {
    if (ctx.settings.tls.own) return checkOwn(ctx, ctx.settings.tls.own);
    const live = await liveCertificate(ctx);
    if (!live.object) return absent(`no Certificate ${TLS_SECRET}`);
    const wanted = wantedIssuer(ctx.settings, live);
    if (live.issuer !== wanted) return differs(`issuer is ${live.issuer ?? 'another'}, wanted ${wanted}`);
    if (!live.ready) return differs(`not issued yet: ${saying(condition(live.object, 'Ready'))}`);
    const { changed } = await drift(ctx.kube(ctx.settings.gke), [certificateObject(ctx.settings, wanted)]);
    return changed[0]
      ? differs(`${changed[0].path} does not match the configuration`, differenceLines(changed))
      : done(`issued by ${ISSUER_NAMES[wanted]}`);
  },

  async apply(ctx) {
    if (ctx.settings.tls.own) return applyOwn(ctx, ctx.settings.tls.own);
    await issue(ctx, wantedIssuer(ctx.settings, await liveCertificate(ctx)));
  },

  async verify(ctx) {
    const evidence = await servedAsIssued(ctx);
    const redirect = await ctx.http({ url: `http://${ctx.settings.host}/health` });
    if (!redirectsToHttps(redirect)) {
      throw new Failure({
        what: 'plain http is not redirected to https',
        found: `HTTP ${redirect.status}`,
        next: 'look at the Ingress annotation force-ssl-redirect',
      });
    }
    return `${evidence}; http answers ${redirect.status} to https`;
  },

  owns: ({ settings }) => ({
    objects: [{ target: settings.gke, named: { [`Secret/${TLS_SECRET}`]: ['certificates'] } }],
  }),

  async undo(ctx, { retained }) {
    const kube = ctx.kube(ctx.settings.gke);
    await kube.delete('Certificate.cert-manager.io', TLS_SECRET);
    await noChallenges(ctx);
    if (!retained.has('certificates')) await kube.delete('Secret', TLS_SECRET);
  },
};

void runAlone(import.meta);
