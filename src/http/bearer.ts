/** Tokens that clients send in `Authorization`, as `bearer()` makes it for the option `transport`. */
export interface Bearer {
  readonly scheme: 'Bearer'
  /** The header of responses that hands a new token over; undefined: the handler does. */
  readonly header: string | undefined
}

/** What tokens of this transport are for: one that was made for a cookie opens nothing here. */
export const BEARER_AUDIENCE = 'bearer'

/** The scheme without regard to case, and one token (RFC 6750, section 2.1; RFC 9110, 11.1). */
const CREDENTIALS = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i

/**
 * The token of an Authorization header; `'malformed'`: it has the scheme and no token. Other schemes
 * are somebody else's.
 */
export function bearerToken(header: string | undefined): string | 'malformed' | undefined {
  if (header === undefined || !/^bearer\b/i.test(header)) return undefined
  return CREDENTIALS.exec(header.trim())?.[1] ?? 'malformed'
}
