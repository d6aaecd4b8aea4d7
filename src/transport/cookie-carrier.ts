import type { Held } from '../core/keeper.js'
import { cookieLife } from '../core/lifetime.js'
import { cookieTooLarge } from '../core/refusals.js'
import { allNames, bytesIn, linesFor, namesIn } from '../http/cookie-chunks.js'
import { MOST_BYTES } from '../http/cookie-size.js'
import { roomForCookies, SPARE } from '../http/header-room.js'
import type { HeaderEdit } from '../http/header-view.js'
import {
  hopProblem,
  hopWarning,
  inspectHop,
  isSecure,
  type RequestLike,
} from '../http/secure-request.js'
import {
  type CookieAttributes,
  type CookieForm,
  clearLine,
  clearOldLine,
  cookieHeader,
  formOf,
  type OldCookie,
  type ReceivedToken,
  setLine,
} from '../http/session-cookie.js'
import type { Manager } from '../manager.js'
import type { Carrier } from './carrier.js'

/** The cookies that a request brought. */
export interface Brought {
  readonly tokens: readonly ReceivedToken[]
  /** Old cookies that a cookie of ours takes the place of. */
  readonly old: readonly OldCookie[]
  /** The session was found under the cookie of secure requests. */
  readonly secure: boolean
}

/** Tokens in a cookie. */
export class CookieCarrier<Data extends object> implements Carrier {
  readonly vary = 'Cookie'
  readonly #manager: Manager<Data>
  readonly #req: RequestLike
  readonly #attributes: CookieAttributes
  readonly #brought: Brought

  constructor(
    manager: Manager<Data>,
    req: RequestLike,
    attributes: CookieAttributes,
    brought: Brought,
  ) {
    this.#manager = manager
    this.#req = req
    this.#attributes = attributes
    this.#brought = brought
  }

  set(held: Held, token: string, alone?: 'alone'): HeaderEdit | undefined {
    const form = this.#form()
    const lines = this.#setLines(held, token, form)
    if (alone) return this.#mayStandAlone(held, lines) ? appending([...lines.values()]) : undefined
    if (lines.size > 1) this.#checkRoom(token.length, form, held)
    const stale = this.#staleLines(form, lines, token.length)
    return appending([...lines.values(), ...stale, ...this.#oldLines()])
  }

  clear(): HeaderEdit {
    return appending([...this.#clearLines(), ...this.#oldLines()])
  }

  form(): ReturnType<Carrier['form']> {
    const { name, ...form } = this.#form()
    const { path, domain, secure } = this.#attributes
    const hop = inspectHop(this.#req, this.#manager.settings.trustProxy)
    return {
      name,
      attributes: { ...form, path, domain },
      problem: hopProblem(hop, form.secure, secure),
    }
  }

  /**
   * Half of a token is none. And a session that travels ends with its cookie: an old one that stays
   * beside it would bring back what was signed out. The old record of one in a store has ended.
   */
  #mayStandAlone(held: Held, lines: ReadonlyMap<string, string>): boolean {
    const clearsNothing = !this.#manager.keeper.travels(held) || this.#brought.old.length === 0
    return lines.size === 1 && clearsNothing
  }

  /** Each under the name of its cookie. */
  #setLines(held: Held, token: string, form: CookieForm): ReadonlyMap<string, string> {
    const { facts } = held
    const { lifetime, clock, chunks } = this.#manager.settings
    if (!this.#isSecure()) this.#warnInsecureHop(form.secure)
    const now = clock.now()
    const outlives = this.#attributes.persistent || facts.own !== undefined
    const life = outlives ? cookieLife(facts, lifetime, now) : undefined
    const lineOf = (name: string, value: string) =>
      setLine(this.#attributes, { ...form, name }, value, life, now)
    const { lines, size } = linesFor(form.name, token, chunks, lineOf)
    if (this.#manager.keeper.travels(held)) this.#checkSize(size, held)
    return lines
  }

  /** Chunks of what the session was before, or its whole cookie. Only those that came in. */
  #staleLines(form: CookieForm, set: ReadonlyMap<string, string>, size: number): string[] {
    if (this.#manager.settings.chunks === 1) return []
    const stale = namesIn(cookieHeader(this.#req) ?? '', form.name)
    if (stale.length > 0) stale.push(...this.#crowding(form, set, size))
    return [...new Set(stale)]
      .filter((name) => !set.has(name))
      .map((name) => clearLine(this.#attributes, { ...form, name }))
  }

  /**
   * What the response of a parallel request may have left by then in the other shape, where the
   * server would turn both together away: nothing could be deleted any more.
   */
  #crowding({ name }: CookieForm, set: ReadonlyMap<string, string>, size: number): string[] {
    const own = bytesIn(cookieHeader(this.#req) ?? '', name)
    const room = roomForCookies(this.#req, own) ?? Number.POSITIVE_INFINITY
    const { chunks } = this.#manager.settings
    const isWhole = set.has(name)
    const others = isWhole ? Math.min(chunks * MOST_BYTES, room) : MOST_BYTES
    if (size + others <= room + SPARE) return []
    return isWhole ? allNames(name) : [name]
  }

  /**
   * Of each kind that came in, as it was set. Also chunks that did not come: a parallel request may
   * have made the session grow, and its response arrive first.
   */
  #clearLines(): string[] {
    const kinds = new Set(this.#brought.tokens.map(({ secure }) => secure))
    if (kinds.size === 0) kinds.add(this.#isSecure())
    const isChunked = this.#manager.settings.chunks > 1
    const lines = [...kinds].flatMap((secure) => {
      const form = formOf(this.#attributes, secure)
      const names = isChunked ? allNames(form.name) : [form.name]
      return names.map((name) => clearLine(this.#attributes, { ...form, name }))
    })
    return [...new Set(lines)]
  }

  /** They have led here, or would bring back what has ended. */
  #oldLines(): string[] {
    const { name } = this.#form()
    return this.#brought.old.filter((old) => old.name !== name).map(clearOldLine)
  }

  /** A browser would drop it without a word, and with it the session. */
  #checkSize(size: number, { untouched }: Held): void {
    const { chunks } = this.#manager.settings
    const most = chunks * MOST_BYTES
    const many = chunks === 1 ? '' : ` in ${chunks} cookies`
    if (size > most) throw cookieTooLarge(size, `browsers keep ${most}${many}`, untouched)
    if (size > 0.8 * most) {
      this.#manager.warn(
        'WARN_COOKIE_LARGE',
        `A session cookie has ${size} bytes of the ${most} that browsers keep${many}.`,
      )
    }
  }

  /** The browser would keep it, and be turned away with it ever after. What came in has passed. */
  #checkRoom(size: number, { name }: CookieForm, { untouched }: Held): void {
    const own = bytesIn(cookieHeader(this.#req) ?? '', name)
    const room = roomForCookies(this.#req, own)
    if (size <= own || room === undefined || size <= room) return
    const because = `this server has room for ${room} in a request (maxHeaderSize)`
    throw cookieTooLarge(size, because, untouched)
  }

  #form(): CookieForm {
    return formOf(this.#attributes, this.#brought.secure || this.#isSecure())
  }

  #isSecure(): boolean {
    return isSecure(this.#req, this.#manager.settings.trustProxy)
  }

  /** Nothing is dropped in silence where the proxies and the settings do not fit together. */
  #warnInsecureHop(sentSecure: boolean): void {
    const hop = inspectHop(this.#req, this.#manager.settings.trustProxy)
    const problem = hopProblem(hop, sentSecure, this.#attributes.secure)
    if (problem !== undefined) this.#manager.warn('WARN_INSECURE_HOP', hopWarning(problem, hop))
  }
}

function appending(lines: readonly string[]): HeaderEdit {
  return (headers) => {
    for (const line of lines) headers.append('Set-Cookie', line)
  }
}
