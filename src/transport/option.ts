import { OptionError } from '../errors.js'
import type { Bearer } from '../http/bearer.js'
import { kind } from '../kind.js'

/** Options of {@link bearer}. */
export interface BearerOptions {
  /**
   * The header of responses in which a new token is handed over, whenever the session has one: after
   * the first data, a sign-in, a change of a session that travels in its token.
   * @default none: the handler hands it out by `await sessions.of(req).token()`
   */
  header?: string
}

/** A header name (RFC 9110, section 5.1). */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/**
 * For clients that keep the token themselves, such as apps: it is read from
 * `Authorization: Bearer …`, and never from or into a cookie.
 *
 * ```ts
 * const sessions = session({ secret, transport: bearer({ header: 'Session-Token' }) })
 * ```
 *
 * @throws OptionError if `header` is no name of a header
 */
export function bearer({ header }: BearerOptions = {}): Bearer {
  if (header !== undefined && (typeof header !== 'string' || !NAME.test(header))) {
    throw new OptionError(`bearer: header is ${kind(header)}; it takes the name of a header.`)
  }
  return { scheme: 'Bearer', header }
}

/** The option `transport`, checked. @throws OptionError */
export function transportFrom(given: unknown): Bearer | undefined {
  if (given === undefined) return undefined
  const { scheme } = (given ?? {}) as { scheme?: unknown }
  if (scheme === 'Bearer') return given as Bearer
  throw new OptionError(`The option transport is ${kind(given)}; it takes bearer().`)
}
