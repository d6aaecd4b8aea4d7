import type { CookieReason } from '../explanation.js'
import type { HeaderEdit } from '../http/header-view.js'
import type { Leave } from '../open-requests.js'
import { Cookie, type CookieOptions } from './cookie.js'
import { explained, type SessionExplanation } from './explained.js'
import type { House } from './house.js'
import type { IdCookie, Received } from './id-cookie.js'
import { isSecure, type Request } from './request.js'
import type { Session } from './session.js'

/** What ties a visit to its response. */
export interface Ties {
  readonly idCookie: IdCookie
  readonly attributes: CookieOptions
  readonly received: Received
  readonly next: (error?: unknown) => void
  readonly leave: Leave
  /** The response is too small to be held, as that of an upgrade is. */
  readonly isMinimal: boolean
}

/** The session cookie of one response. */
export class SentCookie {
  readonly #house: House
  readonly #req: Request
  readonly #ties: Ties
  readonly #failed: (error: unknown) => void
  /** Why it is what it is; undefined: the headers have not left. */
  #reason: CookieReason | undefined
  /** What the client is to be told, as far as is decided. */
  order: 'none' | 'set' | 'clear' = 'none'
  /** The cookie of the last session, for data that was assigned without one. */
  last: Cookie | undefined

  constructor(house: House, req: Request, ties: Ties, failed: (error: unknown) => void) {
    this.#house = house
    this.#req = req
    this.#ties = ties
    this.#failed = failed
  }

  /** The cookie of a new session: as the options say, and as the connection is. */
  make(): Cookie {
    return cookieFor(this.#req, this.#ties.attributes, this.#house.settings.proxy)
  }

  /** @param unsent why none is sent, if none is */
  edit(session: Session | undefined, unsent: CookieReason): HeaderEdit | undefined {
    this.#reason = this.order === 'none' ? unsent : 'changed'
    const line =
      this.order === 'set'
        ? session && this.#setLine(session)
        : this.order === 'clear'
          ? this.#clearLine()
          : undefined
    return line === undefined ? undefined : (headers) => headers.append('Set-Cookie', line)
  }

  #setLine({ cookie }: Session): string | undefined {
    const req = this.#req
    if (cookie.secure && !isSecure(req, this.#house.settings.proxy)) {
      this.order = 'none'
      this.#reason = 'insecure-hop'
      this.#house.warnInsecure()
      return undefined
    }
    const { idCookie } = this.#ties
    try {
      return cookie.serialize(idCookie.name, idCookie.valueOf(req.sessionID))
    } catch (error) {
      this.order = 'none'
      this.#failed(error)
      return undefined
    }
  }

  /** Same name, domain, path and flags, which are those of the record: the options may be newer. */
  #clearLine(): string {
    const cookie = this.last === undefined ? this.make() : new Cookie(this.last.data)
    cookie.expires = new Date(0)
    return cookie.serialize(this.#ties.idCookie.name, '')
  }

  explain(found: SessionExplanation['session'], unsent: () => CookieReason): SessionExplanation {
    const { idCookie, received, attributes } = this.#ties
    const isOpen = this.#reason === undefined
    return explained({
      req: this.#req,
      name: idCookie.name,
      attributes: this.last ?? attributes,
      proxy: this.#house.settings.proxy,
      found,
      received,
      action: isOpen ? 'none' : this.order === 'clear' ? 'cleared' : this.order,
      reason: this.#reason ?? unsent(),
    })
  }
}

/** The cookie that the options make, with `'auto'` decided. */
export function cookieFor(
  req: Request,
  options: CookieOptions,
  proxy: boolean | undefined,
): Cookie {
  const cookie = new Cookie(options)
  const secure = isSecure(req, proxy)
  if (options.secure === 'auto') cookie.secure = secure
  if (options.sameSite === 'auto') cookie.sameSite = secure ? 'none' : 'lax'
  return cookie
}
