import type { Held } from '../core/keeper.js'
import { cookieLife } from '../core/lifetime.js'
import { cookieTooLarge } from '../core/refusals.js'
import { MOST_BYTES, sizeOf } from '../http/cookie-size.js'
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
  /** The cookie of express-session that the session came by. */
  readonly old: OldCookie | undefined
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

  set(held: Held, token: string, alone?: 'alone'): HeaderEdit {
    const line = this.#setLine(held, token)
    return appending(alone ? [line] : [line, ...this.#oldLines()])
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

  #setLine(held: Held, token: string): string {
    const { facts } = held
    const { lifetime, clock } = this.#manager.settings
    const form = this.#form()
    if (!this.#isSecure()) this.#warnInsecureHop(form.secure)
    const now = clock.now()
    const outlives = this.#attributes.persistent || facts.own !== undefined
    const life = outlives ? cookieLife(facts, lifetime, now) : undefined
    const line = setLine(this.#attributes, form, token, life, now)
    if (this.#manager.keeper.travels) this.#checkSize(line, held)
    return line
  }

  /** One line for each kind that came in, as each was set. */
  #clearLines(): string[] {
    const kinds = new Set(this.#brought.tokens.map(({ secure }) => secure))
    if (kinds.size === 0) kinds.add(this.#isSecure())
    const lines = [...kinds].map((secure) =>
      clearLine(this.#attributes, formOf(this.#attributes, secure)),
    )
    return [...new Set(lines)]
  }

  /** The old cookie has led here, and is not needed any more. */
  #oldLines(): string[] {
    const { old } = this.#brought
    return old === undefined || old.name === this.#form().name ? [] : [clearOldLine(old)]
  }

  /** A browser would drop it without a word, and with it the session. */
  #checkSize(line: string, { untouched }: Held): void {
    const size = sizeOf(line)
    if (size > MOST_BYTES) throw cookieTooLarge(size, MOST_BYTES, untouched)
    if (size > 0.8 * MOST_BYTES) {
      this.#manager.warn(
        'WARN_COOKIE_LARGE',
        `A session cookie has ${size} bytes of the ${MOST_BYTES} that browsers keep.`,
      )
    }
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
