/** What a program says when it is refused: what of it may be shown, and which next step fits. */
import { scrub } from './secret.ts';

const WITHHELD = '[withheld]';
const PEM = /-----BEGIN [A-Z ]+-----[^]*?(-----END [A-Z ]+-----|$)/g;
/** Access tokens and JWTs. */
const TOKEN = /\bya29\.[\w.-]+|\beyJ[\w.-]{10,}/g;
const LONG_WORD = /[\w+/-]{32,}={0,2}/g;

/** True for a word that mixes cases and digits as keys do. */
function isOpaque(word: string): boolean {
  return /[a-z]/.test(word) && /[A-Z]/.test(word) && /\d/.test(word);
}

/** Words of a command whose output may hold a secret: known ones are scrubbed, what could be an unknown one is withheld. */
export function withoutSecrets(text: string): string {
  return scrub(text)
    .replace(PEM, WITHHELD)
    .replace(TOKEN, WITHHELD)
    .replace(LONG_WORD, (word) => (isOpaque(word) ? WITHHELD : word));
}

/** Who refuses, by the words of kubectl or gcloud, and the way out; the first that fits. */
const WAYS_OUT: readonly (readonly [said: readonly RegExp[], way: string])[] = [
  [
    [/failed quota:/i, /must specify/i],
    "the namespace's ResourceQuota demands what it lists: give a LimitRange with defaults for it, or take it out of the quota",
  ],
  [
    [/exceeded quota:/i],
    'raise the ResourceQuota that is named, or free what it counts: kubectl describe resourcequota',
  ],
  [
    [/admission webhook |ValidatingAdmissionPolicy|violates PodSecurity|denied by/i, /denied|violates|forbidden/i],
    'meet the policy that is named, or let its owner except this namespace; then rerun the same command to resume',
  ],
  [
    [/\(Forbidden\)/],
    'get the right that is named; an API server that has just been restarted says so too: then rerun the same command to resume',
  ],
  [
    [/Token must be a short-lived token|certificate has expired or is not yet valid/i],
    "look at this machine's clock (timedatectl); where it is right, renew what has expired",
  ],
  [[/Reauthentication|invalid_grant|gcloud auth login|do not currently have an active account/i], 'gcloud auth login'],
];

/** The next step for a refusal in these words, of kubectl, gcloud or an event; undefined where none is known. */
export function wayOut(stderr: string): string | undefined {
  return WAYS_OUT.find(([said]) => said.every((words) => words.test(stderr)))?.[1];
}
