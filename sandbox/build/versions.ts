/** Versions of the parts that are named in more than one place. Those of Go modules are pinned in go/NAME/go.mod too. */

export const KUBERNETES = 'v1.35.4';
export const KIND = 'v0.33.0';
export const CERT_MANAGER = 'v1.21.2';
export const TRAEFIK = 'v3.7.15';
export const DEBIAN = 'bookworm';
export const COMPOSE = 'v2.40.3';
