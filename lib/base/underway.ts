/** Who asks while the same question is on its way gets its answer; who asks later asks anew, so that truth stays live. */

/** The answer of `ask`, or that of the same key's question that is still on its way. */
export function underway<K, V>(asked: Map<K, Promise<V>>, key: K, ask: () => Promise<V>): Promise<V> {
  const known = asked.get(key);
  if (known) return known;
  const answer = ask().finally(() => asked.delete(key));
  asked.set(key, answer);
  return answer;
}
