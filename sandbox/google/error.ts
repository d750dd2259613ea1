/** Errors in the shapes of Google's APIs. */

/** Canonical status and v1 reason of each HTTP code, as google.rpc.Code and the older JSON APIs name them. */
const NAMES: Record<number, { status: string; reason: string }> = {
  400: { status: 'INVALID_ARGUMENT', reason: 'invalid' },
  401: { status: 'UNAUTHENTICATED', reason: 'authError' },
  403: { status: 'PERMISSION_DENIED', reason: 'forbidden' },
  404: { status: 'NOT_FOUND', reason: 'notFound' },
  409: { status: 'ALREADY_EXISTS', reason: 'alreadyExists' },
  412: { status: 'FAILED_PRECONDITION', reason: 'conditionNotMet' },
  429: { status: 'RESOURCE_EXHAUSTED', reason: 'rateLimitExceeded' },
  500: { status: 'INTERNAL', reason: 'backendError' },
  501: { status: 'UNIMPLEMENTED', reason: 'notImplemented' },
  503: { status: 'UNAVAILABLE', reason: 'backendError' },
};

/** An answer of the API that is not 2xx. */
export class GoogleError extends Error {
  readonly code: number;
  readonly status: string;
  readonly reason: string;

  constructor(code: number, message: string, names: { status?: string; reason?: string } = {}) {
    super(message);
    this.code = code;
    this.status = names.status ?? NAMES[code]?.status ?? 'UNKNOWN';
    this.reason = names.reason ?? NAMES[code]?.reason ?? 'unknown';
  }

  /** The JSON body, with both the old list of errors and the canonical status. */
  body(): object {
    const { code, message, status, reason } = this;
    return { error: { code, message, errors: [{ message, domain: 'global', reason }], status } };
  }
}

/** The token endpoint's errors have OAuth's shape (RFC 6749, 5.2), always with status 400. */
export class OAuthError extends Error {
  readonly code = 400;
  readonly error: string;

  constructor(error: string, description: string) {
    super(description);
    this.error = error;
  }

  /** The JSON body. */
  body(): object {
    return { error: this.error, error_description: this.message };
  }
}
