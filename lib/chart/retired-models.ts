/** LLM models that their providers no longer serve: a request to one fails. */

/** Anthropic's model deprecations page, as of November 2026. */
const RETIRED = [
  /^claude-(1|2|instant)/,
  /^claude-3-(opus|sonnet)-/,
  /^claude-3-[57]-sonnet-/,
  /^claude-3-5-haiku-/,
  /^claude-(sonnet|opus)-4-(0|20250514)$/,
];

/** True for a model that is known to be retired. */
export function isRetired(model: string): boolean {
  return RETIRED.some((pattern) => pattern.test(model));
}
