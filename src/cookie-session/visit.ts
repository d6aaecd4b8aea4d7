import { tooLate } from '../core/refusals.js'
import { SealedSessions } from '../crypto/sealed-session.js'
import type { Encryption } from '../encrypt-option.js'
import { asError } from '../errors.js'
import type { HeaderEdit } from '../http/header-view.js'
import type { Holder, HoldReport } from '../http/holder.js'
import type { ResponseLike } from '../http/response-like.js'
import type { House } from './house.js'
import { linesOf, withoutKeys } from './lines.js'
import type { CookieSessionOptions } from './options.js'
import { isSecure, type Request } from './request.js'
import {
  cookieValueOf,
  encoded,
  Session,
  SessionContext,
  type SessionHost,
  sessionFrom,
} from './session.js'
import {
  type CookieForm,
  type CookieLine,
  formFrom,
  isRefused,
  lineOf,
  withLines,
} from './set-cookie.js'
import { checkSize, fitsAnew } from './size.js'

/** The options of requests, to tell them from those that a program puts in their place. */
const OWN = new WeakSet<object>()

/** One request and its session: read when it is asked for, sent when the headers leave. */
export class Visit implements Holder, SessionHost {
  readonly #house: House
  readonly #req: Request
  readonly #res: ResponseLike
  readonly #options: CookieSessionOptions
  /** undefined: nobody has asked. null: the program has ended it. */
  #session: Session | null | undefined
  #isRegenerated = false
  /** It came in another form than the one in which sessions are sent now. */
  #isToMove = false
  /** The value that was due with the headers; empty: a deletion. */
  #due: string | undefined
  /** Signatures to set where they could not be set at once. */
  readonly #waiting: CookieLine[] = []

  constructor(house: House, req: Request, res: ResponseLike) {
    this.#house = house
    this.#req = req
    this.#res = res
    this.#options = Object.create(house.settings.base)
    OWN.add(this.#options)
    req.sessionOptions = this.#options
  }

  // What a handler does

  get session(): Session | null {
    if (this.#session !== undefined) return this.#session
    const value = this.#received()
    this.#session = (value ? sessionFrom(this, value) : undefined) ?? this.#made()
    return this.#session
  }

  set session(value: unknown) {
    if (value === undefined || value === null) this.#session = null
    else if (typeof value === 'object') this.#session = this.#made(value)
    else throw new Error('req.session can only be set as null or an object.')
  }

  save(session: Session): void {
    const value = this.#valueOf(session)
    if (value === undefined) return
    this.#lines(value, session)
    // It would have to be in the headers.
    if (this.#res.headersSent && this.#due !== value) throw tooLate('ERR_HEADERS_SENT')
  }

  regenerate(): void {
    if (this.#res.headersSent) throw tooLate('ERR_HEADERS_SENT')
    this.#session = this.#made()
    this.#isRegenerated = true
  }

  #made(data?: object): Session {
    return new Session(new SessionContext(this), data)
  }

  // What came

  /** What the cookie holds, once it is known to be ours: never is anything else tried with it. */
  #received(): string | undefined {
    const { encryption, value: cookie } = this.#house
    const header = this.#req.headers.cookie
    const value = header === undefined ? undefined : cookie.find(header)
    if (value === undefined) return undefined
    if (encryption === undefined) return this.#authentic(value)
    if (SealedSessions.isOne(value)) return this.#opened(value, encryption)
    if (this.#house.signer === undefined || this.#house.now() >= encryption.signedUntil) {
      if (value !== '') this.#house.emit('reject', { reason: 'format' })
      return undefined
    }
    this.#isToMove = encryption.sends
    return this.#authentic(value)
  }

  #opened(value: string, { sessions, sends }: Encryption): string | undefined {
    const { name } = this.#house
    const opened = sessions.open(value, { audience: name, now: this.#house.now() })
    if ('rejected' in opened) {
      this.#house.emit('reject', { reason: opened.rejected })
      return undefined
    }
    this.#isToMove = !sends || opened.by > 0
    return cookieValueOf(opened.text)
  }

  /** The value of the cookie, if its signature is good or nobody asks for one. */
  #authentic(value: string): string | undefined {
    const { name, signer, signature: signatureCookie } = this.#house
    if (!this.#isSigned()) return value
    const given = signatureCookie.find(this.#req.headers.cookie ?? '')
    if (!given) return undefined
    if (signer === undefined) throw withoutKeys()
    const data = `${name}=${value}`
    const index = signer.index(data, given)
    if (index === 0) return value
    const isForged = !(index > 0)
    // The signature goes with the move.
    if (!isForged && this.#isToMove) return value
    // With no attribute of the options: old processes do it so, and both are one to a browser.
    const form = formFrom({}, name, isSecure(this.#req), isForged)
    this.#setNow(lineOf(form, isForged ? '' : signer.sign(data), '.sig'))
    if (!isForged) return value
    this.#house.emit('reject', { reason: 'signature' })
    return undefined
  }

  /** In front of the cookies that the handler sets from now on, where it always was. */
  #setNow(line: CookieLine): void {
    const { headersSent, getHeader, setHeader } = this.#res
    if (headersSent) return
    if (typeof getHeader !== 'function' || typeof setHeader !== 'function') {
      this.#waiting.push(line)
      return
    }
    const present = (this.#res as Headed).getHeader('Set-Cookie')
    const lines = withLines(present, [line])
    ;(this.#res as Headed).setHeader('Set-Cookie', lines)
  }

  // What leaves

  begin(): HeaderEdit | undefined {
    const lines = [...this.#waiting, ...this.#linesDue()]
    if (lines.length === 0) return undefined
    return (headers) => headers.set('Set-Cookie', withLines(headers.get('Set-Cookie'), lines))
  }

  beginNow(): HeaderEdit | undefined {
    return this.begin()
  }

  finish(): undefined {
    if (this.#isLate()) {
      this.#house.warn(
        'WARN_TOO_LATE',
        'A session changed after the headers had left, and with them its cookie; the change is lost.',
      )
    }
    return undefined
  }

  ended(): void {}

  report(report: HoldReport): void {
    if (report.type !== 'failed' && report.type !== 'late-error') return
    this.#house.emit('error', { error: asError(report.error) })
  }

  #linesDue(): readonly CookieLine[] {
    const session = this.#session
    if (session === undefined) return []
    const value = this.#valueOf(session)
    const lines = value === undefined ? this.#moved(session) : this.#lines(value, session)
    this.#due = value
    if (lines.length === 0) return lines
    if (!isRefused(this.#currentOptions(), isSecure(this.#req))) return lines
    this.#house.warnInsecure()
    return []
  }

  /** What the cookie is to hold; empty: it is to be deleted; undefined: it stays as it is. */
  #valueOf(session: Session | null): string | undefined {
    if (session === null) return ''
    if (session.isNew && !session.isPopulated) {
      // The session that was there before ends with the new one's beginning.
      return this.#isRegenerated && this.#hasCookie() ? '' : undefined
    }
    const value = encoded(session)
    return session.isNew || value !== session._ctx._val ? value : undefined
  }

  /** The cookie, and what goes with it. */
  #lines(value: string, session: Session | null): CookieLine[] {
    const lines = this.#formed(value)
    if (session !== null) checkSize(this.#house, lines[0]!.text, session)
    return lines
  }

  /** A session that is as it was, in the form in which sessions are sent now. */
  #moved(session: Session | null): CookieLine[] {
    const value = session?._ctx._val
    if (!this.#isToMove || value === undefined) return []
    const lines = this.#formed(value)
    return fitsAnew(this.#house, lines[0]!.text) ? lines : []
  }

  #formed(value: string): [CookieLine, ...CookieLine[]] {
    const { name, signature } = this.#house
    const form = this.#form(name, value === '')
    const isThere = signature.find(this.#req.headers.cookie ?? '') !== undefined
    const unsigned = isThere ? this.#form(name, true) : undefined
    return linesOf(this.#house, value, { form, isSigned: this.#isSigned(), unsigned })
  }

  #form(name: string, deletes: boolean): CookieForm {
    return formFrom(this.#currentOptions(), name, isSecure(this.#req), deletes)
  }

  #hasCookie(): boolean {
    const { cookie } = this.#req.headers
    return cookie !== undefined && this.#house.value.find(cookie) !== undefined
  }

  /**
   * Those of the request, which its handlers may change or replace. Another cookie-session on the
   * same request puts its own there: they are not for this cookie.
   */
  #currentOptions(): CookieSessionOptions {
    const found: unknown = this.#req.sessionOptions
    if (typeof found !== 'object' || found === null || OWN.has(found)) return this.#options
    return found
  }

  #isSigned(): boolean {
    // Else a handler could open the door to cookies that anybody can write.
    if (this.#house.encryption !== undefined) return true
    const { signed } = this.#currentOptions()
    return signed === undefined ? this.#house.signer !== undefined : Boolean(signed)
  }

  /** Whether the session is another one than what left with the headers, or came with the request. */
  #isLate(): boolean {
    const session = this.#session
    if (session === undefined) return false
    if (session === null) return this.#due !== ''
    try {
      const value = this.#valueOf(session)
      return value === undefined ? this.#due !== undefined : value !== this.#due
    } catch {
      return true
    }
  }
}

interface Headed {
  getHeader(name: string): string | string[] | undefined
  setHeader(name: string, value: string[]): void
}
