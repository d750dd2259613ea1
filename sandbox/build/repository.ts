/** Image names as a registry sees them. */

/** Splits `registry/repository:tag` as the nodes' mirrors do: Docker Hub's short names get `library/`. */
export function repository(name: string): { path: string; tag: string } {
  const colon = name.lastIndexOf(':');
  const [whole, tag] = [name.slice(0, colon), name.slice(colon + 1)];
  const parts = whole.split('/');
  const hasHost = parts.length > 1 && /[.:]/.test(parts[0] ?? '');
  const path = (hasHost ? parts.slice(1) : parts).join('/');
  return { path: path.includes('/') || hasHost ? path : `library/${path}`, tag };
}
