import type { Held } from './core/keeper.js'
import { endOf, lastSeen } from './core/lifetime.js'
import { noData } from './core/refusals.js'
import { answer, type Callback, type Session } from './core/session.js'
import type { Visit } from './core/visit.js'
import { asError } from './errors.js'
import type { CookieReason, Explanation } from './explanation.js'
import type { HeaderEdit } from './http/header-view.js'
import type { Holder, HoldReport } from './http/holder.js'
import { addVary, forbidCaching } from './http/response-headers.js'
import { inspectHop, type RequestLike } from './http/secure-request.js'
import type { CookieAttributes, OldCookie, ReceivedToken } from './http/session-cookie.js'
import type { Manager } from './manager.js'
import type { Leave } from './open-requests.js'
import { BearerCarrier } from './transport/bearer-carrier.js'
import type { Carrier } from './transport/carrier.js'
import { CookieCarrier } from './transport/cookie-carrier.js'

/**
 * Everything about a request's session that is not on `req.session`: `sessions.of(req)`. Times in
 * ms since the epoch; undefined while nothing is stored.
 */
export interface SessionInfo<Data extends object> {
  /** The session itself, typed by `session<Data>()`. */
  readonly session: Session<Data>
  readonly createdAt: number | undefined
  /** When its user last proved to be that user. */
  readonly authenticatedAt: number | undefined
  readonly lastSeenAt: number | undefined
  readonly expiresAt: number | undefined
  /** The store failed at load and `onStoreError` is `'anonymous'`: nothing will be stored. */
  readonly isReadOnly: boolean
  /** The same user has proved itself again: a new id, and both clocks start again. */
  authenticated(callback?: Callback): Promise<void>
  /** Stores the session and gives its token: what the cookie carries. A credential. */
  token(callback?: Callback<string>): Promise<string>
}

/** What a request carried, as the middleware found it. */
export interface Received {
  readonly tokens: readonly ReceivedToken[]
  readonly rejected: number
  /** Old cookies that a cookie of ours takes the place of. */
  readonly old: readonly OldCookie[]
}

/** What ties a session to its request. */
export interface Ties {
  readonly leave: Leave
  readonly isDeleted: () => boolean
  /** Why the request was answered by an error before its handler. */
  readonly refused?: CookieReason | undefined
}

/**
 * The session of one request between its three neighbours: the response that is held, the visit
 * that stores, and the cookie that carries the token.
 */
export class RequestSession<Data extends object> implements Holder, SessionInfo<Data> {
  readonly #visit: Visit
  readonly #manager: Manager<Data>
  readonly #req: RequestLike
  readonly #attributes: CookieAttributes
  readonly #received: Received
  readonly #found: Explanation['session']
  /** Whether the session was found under the cookie of secure requests. */
  readonly #cameSecure: boolean
  /** Why no cookie was sent; undefined: the headers have not left. */
  #reason: CookieReason | undefined
  readonly #leave: Leave
  readonly #isDeleted: () => boolean
  /** The handler has looked at the session, so the response depends on the cookie. */
  #read = false
  /** The handler has the token, and may send it in the body. */
  #handedOut = false

  constructor(
    manager: Manager<Data>,
    req: RequestLike,
    attributes: CookieAttributes,
    received: Received,
    cameSecure: boolean,
    visit: Visit,
    ties: Ties,
  ) {
    this.#manager = manager
    this.#req = req
    this.#attributes = attributes
    this.#received = received
    this.#cameSecure = cameSecure
    this.#visit = visit
    visit.commits.persistent = attributes.persistent
    visit.commits.check = (held) => void this.#carrier.set(held, this.#token(held))
    this.#leave = ties.leave
    this.#isDeleted = ties.isDeleted
    this.#reason = ties.refused
    const { stored } = visit.state
    this.#found =
      stored === 'live'
        ? 'loaded'
        : stored === 'none'
          ? 'new'
          : stored === 'unavailable'
            ? stored
            : 'gone'
  }

  /** What `req.session` reads. */
  get session(): Session<Data> {
    this.#read = true
    return this.#visit.state.session as unknown as Session<Data>
  }

  /** What `req.session = …` does: an object replaces the data, null and undefined end the session. */
  assign(value: unknown): void {
    if (value === null || value === undefined) this.#visit.state.renounce()
    else if (typeof value === 'object') this.#visit.state.replaceData(value)
    else throw noData(`a ${typeof value}`)
  }

  begin(status: number): HeaderEdit | undefined | Promise<HeaderEdit | undefined> {
    const visit = this.#visit
    this.#noticeDeletion()
    if (visit.failure !== undefined) {
      // The handler knows, and is answering with an error page of its own: let it pass as it is.
      if (status < 400) throw visit.failure
      this.#close('store-error')
      return this.#edit()
    }
    const committing = visit.commit()
    if (committing === undefined) {
      this.#close(this.#unsentReason())
      return this.#edit()
    }
    return this.#manager.inBackground(committing).then(() => {
      // A call that nobody awaited has failed meanwhile.
      if (visit.failure !== undefined && status < 400) throw visit.failure
      this.#close(this.#unsentReason())
      return this.#edit()
    })
  }

  /** A response that only carries an upgrade or a handshake: nothing can be waited for. */
  beginNow(): HeaderEdit | undefined {
    this.#noticeDeletion()
    const { commits } = this.#visit
    this.#reason = this.#unsentReason()
    if (!commits.sendAgain()) return undefined
    const edit = this.#edit('alone')
    return (headers) => {
      // engine.io joins several by a comma, which no browser takes apart. The next response sends it.
      if (headers.get('Set-Cookie') === undefined) edit?.(headers)
      else commits.withdraw()
    }
  }

  finish(): undefined | Promise<void> {
    this.#noticeDeletion()
    if (this.#visit.failure !== undefined) return undefined
    const committing = this.#visit.commit()
    return committing === undefined ? undefined : this.#manager.inBackground(committing)
  }

  ended(): void {
    this.#visit.commits.cookieClosed ??= 'ERR_HEADERS_SENT'
    this.#visit.over()
    this.#leave('ended')
  }

  left(): void {
    this.#visit.commits.cookieClosed ??= 'ERR_HEADERS_SENT'
    this.#leave()
  }

  report(report: HoldReport): void {
    switch (report.type) {
      case 'held-bytes':
        this.#manager.warn(
          'WARN_HELD_BYTES',
          `${report.bytes} bytes of a response were written while its session was being stored; a producer ignored that write() returned false.`,
        )
        break
      case 'overflow':
        this.#fail(new Error('A response grew too large while its session was being stored.'))
        break
      case 'failed':
        this.#reason = 'store-error'
        this.#visit.commits.withdraw()
        this.#visit.commits.cookieClosed = 'ERR_HEADERS_SENT'
        this.#fail(report.error)
        break
      case 'late-error':
        this.#fail(report.error)
        break
    }
  }

  /** What the handler knows of the session may be in its response. */
  noteRead(): void {
    this.#read = true
  }

  get createdAt(): number | undefined {
    this.#read = true
    return this.#visit.state.held?.facts.created
  }

  get authenticatedAt(): number | undefined {
    this.#read = true
    return this.#visit.state.held?.facts.authenticated
  }

  get lastSeenAt(): number | undefined {
    this.#read = true
    const { held } = this.#visit.state
    return held === undefined ? undefined : lastSeen(held.facts, held.stored.expiresAt)
  }

  get expiresAt(): number | undefined {
    this.#read = true
    const { held } = this.#visit.state
    if (held === undefined) return undefined
    return endOf(held.facts, held.stored.expiresAt, this.#manager.settings.lifetime)
  }

  get isReadOnly(): boolean {
    this.#read = true
    return this.#visit.state.stored === 'unavailable'
  }

  authenticated(callback?: Callback): Promise<void> {
    return answer(this.#visit.authenticated(), callback)
  }

  token(callback?: Callback<string>): Promise<string> {
    return answer(
      this.#visit.save().then(() => {
        // Whoever gets it knows the id: a sign-in in this same response needs another one.
        this.#visit.state.spendFreshId()
        this.#read = true
        this.#handedOut = true
        return this.#token(this.#visit.state.held!)
      }),
      callback,
    )
  }

  explain(): Explanation {
    const { name, attributes, problem } = this.#carrier.form()
    const { action } = this.#visit.commits.cookie
    const hop = inspectHop(this.#req, this.#manager.settings.trustProxy)
    return {
      session: this.#found,
      received: {
        count: this.#received.tokens.length + (this.#received.old.length > 0 ? 1 : 0),
        rejected: this.#received.rejected,
      },
      cookie: {
        action: action === 'clear' ? 'cleared' : action,
        reason:
          action === 'none' ? this.#whyNone() : problem === undefined ? 'changed' : 'insecure-hop',
        name,
        attributes,
      },
      secure: hop,
    }
  }

  /** `delete req.session` takes the accessor away, which is how a program ends a session too. */
  #noticeDeletion(): void {
    if (this.#isDeleted()) this.#visit.state.renounce()
  }

  #close(reason: CookieReason): void {
    this.#visit.commits.cookieClosed ??= 'ERR_HEADERS_SENT'
    this.#reason = reason
    this.#visit.over()
  }

  #unsentReason(): CookieReason {
    if (this.#found === 'unavailable') return 'read-only'
    const { stored } = this.#visit.state
    if (stored === 'superseded') return 'superseded'
    if (stored === 'gone' || stored === 'ended') return 'gone'
    return stored === 'none' ? 'no-data' : 'clean'
  }

  #whyNone(): CookieReason {
    if (this.#visit.commits.wasTooLate) return 'headers-sent'
    return this.#reason ?? this.#unsentReason()
  }

  /** The headers of this response that come from its session; undefined: none. */
  #edit(alone?: 'alone'): HeaderEdit | undefined {
    const { cookie } = this.#visit.commits
    if (cookie.action === 'none' && !this.#read) return undefined
    const carrier = this.#carrier
    const told =
      cookie.action === 'set'
        ? carrier.set(cookie.held, this.#token(cookie.held), alone)
        : cookie.action === 'clear'
          ? carrier.clear()
          : undefined
    if (alone && told === undefined) this.#visit.commits.withdraw()
    return (headers) => {
      told?.(headers)
      if (told !== undefined || this.#handedOut) {
        if (forbidCaching(headers) === 'shared') this.#warnCacheable()
      }
      addVary(headers, carrier.vary)
    }
  }

  #token(held: Held): string {
    return this.#manager.keeper.token(held, this.#manager.audience(this.#attributes))
  }

  /** Made when it is needed: most responses say nothing of their session. */
  get #carrier(): Carrier {
    const manager = this.#manager
    if (manager.settings.bearer !== undefined) return new BearerCarrier(manager.settings.bearer)
    const { tokens, old } = this.#received
    return new CookieCarrier(manager, this.#req, this.#attributes, {
      tokens,
      old,
      secure: this.#cameSecure,
    })
  }

  #warnCacheable(): void {
    this.#manager.warn(
      'WARN_CACHEABLE',
      'A response that carries the session cookie allows shared caches to keep it (Cache-Control).',
    )
  }

  #fail(error: unknown): void {
    this.#manager.emit('error', {
      error: asError(error),
    })
  }
}
