/** The annotations that the chosen ingress controller reads. */

export const NGINX_PREFIX = 'nginx.ingress.kubernetes.io/';

/**
 * What the kubernetesIngressNGINX provider of Traefik reads: the annotation tags in the program itself, v3.7.15,
 * `grep -aoE 'annotation:"nginx[^"]*' traefik`. To be read again when values/ pins another Traefik.
 */
export const HONOURED_BY_TRAEFIK: ReadonlySet<string> = new Set(
  `affinity affinity-canary-behavior allowlist-source-range app-root
   auth-method auth-realm auth-response-headers auth-secret auth-secret-type auth-signin auth-snippet
   auth-tls-pass-certificate-to-upstream auth-tls-secret auth-tls-verify-client auth-type auth-url
   backend-protocol canary canary-by-cookie canary-by-header canary-by-header-pattern canary-by-header-value
   canary-weight canary-weight-total client-body-buffer-size configuration-snippet
   cors-allow-credentials cors-allow-headers cors-allow-methods cors-allow-origin cors-expose-headers cors-max-age
   custom-headers custom-http-errors default-backend enable-access-log enable-cors enable-global-auth
   enable-modsecurity enable-owasp-core-rules force-ssl-redirect from-to-www-redirect
   limit-burst-multiplier limit-connections limit-rpm limit-rps modsecurity-snippet modsecurity-transaction-id
   permanent-redirect permanent-redirect-code proxy-body-size proxy-buffer-size proxy-buffering proxy-buffers-number
   proxy-connect-timeout proxy-http-version proxy-max-temp-file-size proxy-next-upstream proxy-next-upstream-timeout
   proxy-next-upstream-tries proxy-read-timeout proxy-request-buffering proxy-send-timeout
   proxy-ssl-name proxy-ssl-secret proxy-ssl-server-name proxy-ssl-verify rewrite-target server-alias server-snippet
   service-upstream session-cookie-domain session-cookie-expires session-cookie-max-age session-cookie-name
   session-cookie-path session-cookie-samesite session-cookie-secure ssl-passthrough ssl-redirect
   temporal-redirect temporal-redirect-code upstream-hash-by upstream-vhost use-regex whitelist-source-range
   x-forwarded-prefix`.split(/\s+/),
);
