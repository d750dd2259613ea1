/** The plan's table of contents: every step, in its order. */
import type { Settings } from '../lib/settings/settings.ts';
import type { Step } from '../lib/step.ts';
import { step as s10 } from './1.0-static-ip-and-dns.ts';
import { step as s11 } from './1.1-cert-manager.ts';
import { step as s12 } from './1.2-dns01-service-account.ts';
import { step as s13 } from './1.3-ingress-controller.ts';
import { step as s14 } from './1.4-cluster-issuers.ts';
import { step as s21 } from './2.1-tokens.ts';
import { step as s22 } from './2.2-images.ts';
import { step as s23 } from './2.3-secrets.ts';
import { step as s24 } from './2.4-values.ts';
import { step as s25 } from './2.5-release.ts';
import { step as s26 } from './2.6-tls-certificate.ts';
import { step as s27 } from './2.7-production-certificate.ts';
import { step as s28 } from './2.8-redis-network-policy.ts';
import { step as s31 } from './3.1-remote-values.ts';
import { step as s32 } from './3.2-remote-release.ts';
import { step as s40 } from './4.0-token-registration.ts';
import { step as s41 } from './4.1-api.ts';
import { step as s42 } from './4.2-cli.ts';
import { step as s43 } from './4.3-end-to-end.ts';
import { step as s50 } from './5.0-private-ca.ts';

export const STEPS: readonly Step[] = [
  s10,
  s11,
  s12,
  s13,
  s14,
  s21,
  s22,
  s23,
  s24,
  s25,
  s26,
  s27,
  s28,
  s31,
  s32,
  s40,
  s41,
  s42,
  s43,
];

/** Phase 5: what the plan leaves out for a staging environment. */
export const PRODUCTION_STEPS: readonly Step[] = [s50];

/** What a removal undoes: a deployment may have been a production one before. */
export const EVERY_STEP: readonly Step[] = [...STEPS, ...PRODUCTION_STEPS];

/** The steps of a deployment with these settings. */
export function stepsFor({ profile }: Pick<Settings, 'profile'>): readonly Step[] {
  switch (profile) {
    case 'staging':
      return STEPS;
    case 'production':
      return EVERY_STEP;
  }
}
