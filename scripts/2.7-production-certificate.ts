/** Plan step 2.7: once staging works, the certificate comes from the production issuer. */
import { absent, differs, done, type ChangeStep } from '../lib/step.ts';
import { issue, liveCertificate, servedAsIssued } from '../lib/deployment/certificates/certificate.ts';
import { ISSUER_NAMES } from '../lib/deployment/cluster/infrastructure.ts';
import { TLS_SECRET } from '../lib/chart/secret-names.ts';
import { runAlone } from './entry.ts';

export const step: ChangeStep = {
  id: '2.7',
  kind: 'change',
  title: 'Production certificate',
  needs: ['2.6'],

  async check(ctx) {
    if (ctx.settings.tls.own) return done('not used: TLS_CERT_FILE is your own certificate');
    if (ctx.settings.tls.issuer === 'staging') return done('TLS_ISSUER=staging: the certificate stays with staging');
    const live = await liveCertificate(ctx);
    if (!live.object) return absent(`no Certificate ${TLS_SECRET}`);
    if (live.issuer !== 'production') return differs(`issuer is ${live.issuer ?? 'another'}, wanted production`);
    return live.ready ? done(`issued by ${ISSUER_NAMES.production}`) : differs('not issued yet');
  },

  async apply(ctx) {
    await issue(ctx, 'production');
  },

  verify: servedAsIssued,

  owns: () => ({}),

  undo: { none: 'the Certificate goes with 2.6' },
};

void runAlone(import.meta);
