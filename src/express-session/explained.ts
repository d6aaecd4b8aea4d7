import type { CookieReason, Explanation } from '../explanation.js'
import { inspectHop } from '../http/secure-request.js'
import type { CookieOptions } from './cookie.js'
import type { Received } from './id-cookie.js'
import { isSecure, type Request } from './request.js'

/** What `explain(req)` tells. No ids, no secrets. */
export interface SessionExplanation extends Omit<Explanation, 'cookie'> {
  readonly cookie: {
    readonly action: 'set' | 'cleared' | 'none'
    /** `'path'`: the request is outside the path of the cookie, so it has no session. */
    readonly reason: CookieReason | 'path'
    readonly name: string
    readonly attributes: Pick<
      CookieOptions,
      'secure' | 'sameSite' | 'path' | 'domain' | 'partitioned'
    >
  }
}

/** What a request has become, in the words of `explain`. */
export interface Facts {
  readonly req: Request
  readonly name: string
  /** Of the session's own cookie, or the options. */
  readonly attributes: CookieOptions
  readonly proxy: boolean | undefined
  readonly found: Explanation['session']
  readonly received: Received
  readonly action: 'set' | 'cleared' | 'none'
  readonly reason: SessionExplanation['cookie']['reason']
}

export function explained({
  req,
  name,
  attributes,
  proxy,
  found,
  received,
  action,
  reason,
}: Facts): SessionExplanation {
  const { secure, sameSite, path = '/', domain, partitioned } = attributes
  return {
    session: found,
    received: { count: received.ids.length + received.rejected, rejected: received.rejected },
    cookie: { action, reason, name, attributes: { secure, sameSite, path, domain, partitioned } },
    secure: { ...inspectHop(req, proxy === true), decided: isSecure(req, proxy) },
  }
}
