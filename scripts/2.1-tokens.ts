/** Plan step 2.1: every token is generated once, kept in TOKENS_FILE, and restored from the cluster while a copy lives. */
import { existsSync } from 'node:fs';
import { absent, conflict, differs, done, unknownBefore, type ChangeStep } from '../lib/step.ts';
import { isKept, tokensInClusters } from '../lib/deployment/kubently/live-tokens.ts';
import { changeTokens, generateToken, readIngressIp, tokenNames } from '../lib/settings/tokens-file.ts';
import { deploymentOf } from '../lib/settings/secret-files.ts';
import { isToken } from '../lib/base/outside-names.ts';
import { runAlone } from './entry.ts';

export const step: ChangeStep = {
  id: '2.1',
  kind: 'change',
  title: 'Tokens generated, kept in TOKENS_FILE',
  needs: ['1.0'],

  async check(ctx) {
    const { settings } = ctx;
    const [live, address] = await Promise.all([tokensInClusters(ctx), ctx.google.address(settings.staticIpName)]);
    const kept = ctx.tokens();
    const names = tokenNames(settings);
    const other = names.filter((n) => kept[n] && live[n] && !isKept(live[n], n, kept));
    if (other.length > 0)
      return conflict(
        `${other.join(', ')} in ${settings.tokensFile} is not what the clusters have`,
        `move the file away to take the clusters' own, or delete the Secrets to set them anew from the file (./runbook 2.3)`,
      );
    const missing = names.filter((n) => !kept[n]);
    const restorable = missing.filter((n) => live[n]);
    const odd = restorable.filter((n) => !isToken(live[n]?.reveal() ?? ''));
    if (odd.length > 0)
      return conflict(
        `what the clusters hold as ${odd.join(', ')} is no token (16 or more of A-Z a-z 0-9 . _ ~ + / = -)`,
        `write it into ${settings.tokensFile} yourself if it is yours, or delete the Secret: a new one is made then`,
      );
    if (restorable.length > 0)
      return differs(`${settings.tokensFile} lacks ${restorable.join(', ')}, which the clusters still have`);
    if (missing.length > 0) return absent(`${settings.tokensFile} lacks ${missing.join(', ')}`);
    if (!address) return unknownBefore('1.0', 'INGRESS_IP of the file is known after 1.0');
    if (readIngressIp(settings.tokensFile) !== address.address)
      return differs('INGRESS_IP in the file is not the reserved address');
    if (deploymentOf(settings.tokensFile) !== settings.host)
      return differs(`${settings.tokensFile} does not say yet that its tokens are those of ${settings.host}`);
    return done(`${settings.tokensFile} holds all ${names.length} tokens`);
  },

  async apply(ctx) {
    const { settings } = ctx;
    const [live, address] = await Promise.all([tokensInClusters(ctx), ctx.google.address(settings.staticIpName)]);
    // Tokens of clusters that are no longer listed stay: they may still be deployed.
    await changeTokens(
      settings,
      (kept) => ({
        ...kept,
        ...Object.fromEntries(tokenNames(settings).map((n) => [n, kept[n] ?? live[n] ?? generateToken()])),
      }),
      address?.address ?? '',
    );
  },

  verify({ settings, tokens }) {
    const kept = tokens();
    const missing = tokenNames(settings).filter((n) => !kept[n]);
    return missing.length === 0
      ? Promise.resolve(`${settings.tokensFile} holds ${Object.keys(kept).length} tokens, readable by its owner only`)
      : Promise.reject(new Error(`the file lacks ${missing.join(', ')}`));
  },

  owns: ({ settings: { tokensFile } }) => ({
    elsewhere: () =>
      Promise.resolve(
        existsSync(tokensFile)
          ? [
              {
                where: 'this machine',
                kind: 'File',
                name: tokensFile,
                kept: 'the tokens are yours: the next deploy uses them again, or remove the file',
              },
            ]
          : [],
      ),
  }),

  undo: { none: "TOKENS_FILE is the operator's" },
};

void runAlone(import.meta);
