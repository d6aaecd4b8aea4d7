import type { Hop } from './http/secure-request.js'

/** Why the cookie of a response is what it is. */
export type CookieReason =
  /** The visitor has to have another one, or none. */
  | 'changed'
  /** The same, and proxies and settings do not fit together: `WARN_INSECURE_HOP`. */
  | 'insecure-hop'
  /** The visitor has the right one. */
  | 'clean'
  /** There is nothing to keep. */
  | 'no-data'
  /** What came names no live session; the browser may have a newer cookie by now. */
  | 'gone'
  /** What came names a session that was renewed a moment ago. */
  | 'superseded'
  /** It was needed only after the headers had left. */
  | 'headers-sent'
  | 'store-error'
  /** The function `cookie` failed, or the manager was closed: an error, and no handler. */
  | 'refused'
  /** The store failed at load, and `onStoreError` is `'anonymous'`. */
  | 'read-only'

/** What `sessions.explain(req)` tells. No ids, no secrets. */
export interface Explanation {
  readonly session: 'new' | 'loaded' | 'gone' | 'unavailable'
  /** Tokens: one in chunks counts once. */
  readonly received: { readonly count: number; readonly rejected: number }
  readonly cookie: {
    readonly action: 'set' | 'cleared' | 'none'
    readonly reason: CookieReason
    /** With `chunks`, a large session has this name with `.0` to `.3` behind it. */
    readonly name: string
    /** Those that decide whether a browser keeps the cookie, and sends it. */
    readonly attributes: {
      readonly secure: boolean
      readonly sameSite: 'lax' | 'strict' | 'none'
      readonly path: string
      readonly domain: string | undefined
      readonly partitioned: boolean
    }
  }
  readonly secure: Hop
}
