import type { RequestLike } from '../http/secure-request.js'
import type { CookieSource } from './id-cookie.js'
import type { DOER, Doer, Session, SessionOwner } from './session.js'
import type { SessionData } from './session-data.js'

/** What of a request is read and set here. */
export interface Request extends RequestLike, SessionOwner, CookieSource {
  readonly headers: { readonly [name: string]: string | string[] | undefined } & {
    readonly cookie?: string | undefined
  }
  readonly url?: string
  /** Express and connect: what `url` was before a mount path was cut off. */
  readonly originalUrl?: string
  /** Set by cookie-parser. */
  readonly secret?: string
  session?: unknown
  [DOER]?: Doer
}

/** `req.session` as the middleware leaves it. */
export type RequestSession = Session & Partial<SessionData>

/** The last request that came by each connection, as far as somebody asks. */
const latest = new WeakMap<object, Request>()

export function noteLatest(req: Request): void {
  if (typeof req.socket === 'object' && req.socket !== null) latest.set(req.socket, req)
}

/** Whether no other request has come by the connection since this one was noted. */
export function isLatest(req: Request): boolean {
  const { socket } = req
  return typeof socket !== 'object' || socket === null || latest.get(socket) === req
}

/** Whether the request came over TLS, as far as the option `proxy` and Express believe it. */
export function isSecure(req: Request, proxy: boolean | undefined): boolean {
  const { encrypted } = (req.socket ?? {}) as { encrypted?: unknown }
  if (encrypted) return true
  if (proxy === false) return false
  if (proxy !== true) return req.secure === true
  const header = req.headers['x-forwarded-proto']
  const first = (Array.isArray(header) ? header[0] : header) ?? ''
  return first.split(',', 1)[0]!.trim().toLowerCase() === 'https'
}

/** The path that the client asked for, without what Express has mounted away. */
export function pathOf({ originalUrl, url }: Request): string {
  const target = originalUrl ?? url ?? ''
  if (target.startsWith('/')) {
    const end = target.search(/[?#]/)
    return end === -1 ? target : target.slice(0, end)
  }
  // A request to a proxy names the whole address (RFC 9112, section 3.2.2).
  try {
    return new URL(target).pathname
  } catch {
    return target === '' ? '/' : target
  }
}

/** Whether a browser would send a cookie of `path` with a request for `asked` (RFC 6265, 5.1.4). */
export function pathMatches(asked: string, path: string): boolean {
  if (!asked.startsWith(path)) return false
  return path.endsWith('/') || asked.length === path.length || asked[path.length] === '/'
}
