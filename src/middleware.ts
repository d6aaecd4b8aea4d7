import type { EventName, Listener } from './core/events.js'
import type { Capabilities } from './core/keeper.js'
import { closed } from './core/refusals.js'
import {
  answer,
  type Callback,
  type NoReservedNames,
  type Session,
  type SessionObject,
  type Storable,
} from './core/session.js'
import type { SessionData } from './core/session-data.js'
import type { Awaitable } from './core/store.js'
import { Visit } from './core/visit.js'
import { asError, OptionError } from './errors.js'
import type { CookieReason, Explanation } from './explanation.js'
import { holdResponse } from './http/hold-response.js'
import { isForUpgrade, isResponse, type ResponseLike } from './http/response-like.js'
import type { RequestLike } from './http/secure-request.js'
import type { CookieAttributes, ReceivedToken } from './http/session-cookie.js'
import {
  type ListedSession,
  Manager,
  type RevokeUserOptions,
  type SweepOptions,
  type UserName,
} from './manager.js'
import { openRequest } from './old-cookie.js'
import type { Closing, Leave } from './open-requests.js'
import { type Found, isPrefetch, NO_TOKENS, NOTHING_FOUND, tokensOf } from './open-tokens.js'
import { type SessionOptions, settingsFrom, type TokenSessionOptions } from './options.js'
import { Place } from './place.js'
import { RequestSession, type SessionInfo } from './request-session.js'

/** The middleware that `session()` makes, which is also the manager of its sessions. */
export interface SessionManager<Data extends object = SessionData> {
  /** Gives `req` its session: for Express, connect, and anything that calls `(req, res, next)`. */
  (req: RequestLike, res: HostResponse, next: (error?: unknown) => void): void
  /** Everything about a request's session that is not on `req.session`. */
  of(req: object): SessionInfo<Data>
  /** The session of a request without a response, such as an upgrade; null: it has none. */
  read(req: RequestLike, callback?: Callback<Session<Data> | null>): Promise<Session<Data> | null>
  /** Makes a session outside a request and gives its token: what the cookie would carry. */
  issue(data: Storable<Data>, callback?: Callback<string>): Promise<string>
  /** The live sessions of a user, last seen first. @throws `ERR_UNSUPPORTED` without an index */
  list(user: UserName, callback?: Callback<ListedSession<Data>[]>): Promise<ListedSession<Data>[]>
  /**
   * Ends one session by its handle. False: there was no such live session, or, where the clients have
   * them, it was ended before. @throws `ERR_UNSUPPORTED` there, without `revocations`
   */
  revoke(id: string, callback?: Callback<boolean>): Promise<boolean>
  /**
   * Ends every session a user has now, but the one with the handle `except`; their number, or 0 where
   * the clients have them and nobody can count. @throws `ERR_UNSUPPORTED` without an index there, or
   * without `revocations` here
   */
  revokeUser(user: UserName, callback: Callback<number>): Promise<number>
  revokeUser(
    user: UserName,
    options?: RevokeUserOptions,
    callback?: Callback<number>,
  ): Promise<number>
  /** Removes expired records, at most `limit`; gives their number. */
  sweep(callback: Callback<number>): Promise<number>
  sweep(options?: SweepOptions, callback?: Callback<number>): Promise<number>
  /**
   * Why this request's cookie is what it is. No ids, no secrets. undefined: it has not passed this
   * middleware, or is still on its way in.
   */
  explain(req: object): Explanation | undefined
  /** Waits for what no response waits for: touches, and commits of clients that have gone. */
  settled(callback?: Callback): Promise<void>
  /** Lets running requests commit, then ends. Close the server first, then this. */
  close(callback?: Callback): Promise<void>
  /** Listens to an event; gives the function that ends it. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void
  /** What the store can do: which calls of the manager work with it. */
  readonly capabilities: Capabilities
}

/** A response as hosts hand it over. Handshake shims bring less, and then less is done. */
export interface HostResponse extends ResponseLike, Closing {}

/**
 * Sessions for Node and Express.
 *
 * ```ts
 * const secret = process.env.SESSION_SECRET ?? ''
 * app.use(session({ secret, store: new FileStore({ path: 'data' }) }))
 * ```
 *
 * @throws OptionError (`ERR_OPTION`) at once, if an option is wrong
 */
export function session<
  Data extends object & NoReservedNames = SessionData,
  Name extends string = string,
>(options: SessionOptions<Data, Name> | TokenSessionOptions<Data, Name>): SessionManager<Data> {
  const manager = new Manager<Data>(settingsFrom(options))
  const place = new Place(manager)
  const middleware = (
    req: RequestLike,
    res: HostResponse,
    next: (error?: unknown) => void,
  ): void => {
    if (place.has(req)) return place.whenReady(req, next)
    if (manager.closed) return place.refuse(req, next, closed())
    if (Reflect.get(req, manager.settings.property) !== undefined && !place.readmit(req)) {
      const { property } = manager.settings
      return next(
        new OptionError(
          `req.${property} is taken by another middleware; give this one another option property.`,
        ),
      )
    }
    new Entry(manager, place, req, res, next).start()
  }
  const call = <T>(work: Promise<T>, callback: Callback<T> | undefined) =>
    answer(manager.told(work), callback)
  const counted = <T>(work: Promise<T>, callback: Callback<T> | undefined) =>
    call(manager.inBackground(work), callback)
  return Object.defineProperty(
    Object.assign(middleware, {
      of: (req: object): SessionInfo<Data> => place.get(req),
      read: (req: RequestLike, callback?: Callback<Session<Data> | null>) =>
        call(readOnly(manager, place, req), callback),
      issue: (data: Storable<Data>, callback?: Callback<string>) =>
        counted(issue(manager, data), callback),
      list: (user: UserName, callback?: Callback<ListedSession<Data>[]>) =>
        counted(manager.list(user), callback),
      revoke: (id: string, callback?: Callback<boolean>) => counted(manager.revoke(id), callback),
      revokeUser: (
        user: UserName,
        how?: RevokeUserOptions | Callback<number>,
        callback?: Callback<number>,
      ) =>
        typeof how === 'function'
          ? counted(manager.revokeUser(user), how)
          : counted(manager.revokeUser(user, how), callback),
      sweep: (how?: SweepOptions | Callback<number>, callback?: Callback<number>) =>
        typeof how === 'function' ? call(manager.sweep(), how) : call(manager.sweep(how), callback),
      explain: (req: object) => place.find(req)?.explain(),
      settled: (callback?: Callback) => call(manager.settled(), callback),
      close: (callback?: Callback) => call(manager.close(), callback),
      on: <Name extends EventName>(name: Name, listener: Listener<Name>) =>
        manager.on(name, listener),
    }),
    'capabilities',
    { get: () => manager.capabilities, enumerable: true },
  ) as SessionManager<Data>
}

/** A request on its way in: tokens are read and opened, then the handler gets its session. */
class Entry<Data extends object> {
  readonly #manager: Manager<Data>
  readonly #place: Place<Data>
  readonly #req: RequestLike
  readonly #res: HostResponse
  readonly #next: (error?: unknown) => void
  readonly #leave: Leave

  constructor(
    manager: Manager<Data>,
    place: Place<Data>,
    req: RequestLike,
    res: HostResponse,
    next: (error?: unknown) => void,
  ) {
    this.#manager = manager
    this.#place = place
    this.#req = req
    this.#res = res
    this.#next = next
    // A handshake or an upgrade has no end that could be waited for.
    this.#leave = isResponse(res) && !isForUpgrade(req, res) ? manager.enter(res, req) : () => {}
  }

  start(): void {
    const { cookie } = this.#manager.settings
    if (typeof cookie !== 'function') return this.#open(cookie)
    this.#place.reserve(this.#req)
    cookie(this.#req).then(
      (attributes) => this.#open(attributes),
      (error: unknown) => this.#refuse(error),
    )
  }

  #open(attributes: CookieAttributes): void {
    const { headers } = this.#req
    const isEmpty = headers.cookie === undefined && headers.authorization === undefined
    const tokens = isEmpty ? NO_TOKENS : tokensOf(this.#manager, this.#req, attributes)
    let found: Awaitable<Found>
    try {
      found = openRequest(this.#manager, this.#req, tokens, attributes)
    } catch (error) {
      return this.#failed(error, attributes, tokens)
    }
    // Two arguments, not a catch: what the handler throws inside next() is not a failed load.
    if ('then' in found) {
      this.#place.reserve(this.#req)
      found.then(
        (answer) => this.#enter(attributes, tokens, answer),
        (error: unknown) => this.#failed(error, attributes, tokens),
      )
    } else this.#enter(attributes, tokens, found)
  }

  #failed(error: unknown, attributes: CookieAttributes, tokens: readonly ReceivedToken[]): void {
    this.#manager.emit('error', { error: asError(error) })
    const found: Found = { ...NOTHING_FOUND, start: { state: 'unavailable' } }
    if (this.#manager.settings.onStoreError !== 'fail') {
      return this.#enter(attributes, tokens, found)
    }
    this.#refuse(error, this.#made(attributes, tokens, found, 'store-error'))
  }

  #refuse(error: unknown, held?: RequestSession<Data>): void {
    this.#leave('ended')
    this.#place.refuse(this.#req, this.#next, error, held)
  }

  #made(
    attributes: CookieAttributes,
    tokens: readonly ReceivedToken[],
    { start, others, rejected, secure, old }: Found,
    refused?: CookieReason,
  ): RequestSession<Data> {
    const manager = this.#manager
    const visit = new Visit(manager.tools, start, others)
    const received = { tokens, rejected, old }
    // engine.io upgrades at once, before a store could answer.
    if (!isResponse(this.#res)) visit.commits.cookieClosed = 'ERR_NO_RESPONSE'
    else if (this.#res.headersSent) visit.commits.cookieClosed = 'ERR_HEADERS_SENT'
    return new RequestSession<Data>(manager, this.#req, attributes, received, secure, visit, {
      leave: this.#leave,
      isDeleted: () => this.#place.isDeleted(this.#req),
      refused,
    })
  }

  #enter(attributes: CookieAttributes, tokens: readonly ReceivedToken[], found: Found): void {
    const manager = this.#manager
    const { start } = found
    if (start.state === 'live' && !isPrefetch(this.#req)) manager.noteActivity(start.held)
    const held = this.#made(attributes, tokens, found)
    this.#place.put(this.#req, held)
    holdResponse(this.#res, held, this.#next, {
      maxHeldBytes: manager.settings.maxHeldBytes,
      patience: manager.settings.storeTimeout,
      clock: manager.settings.clock,
    })
    const others = this.#place.release(this.#req)
    this.#next()
    for (const next of others) next()
  }
}

async function readOnly<Data extends object>(
  manager: Manager<Data>,
  place: Place<Data>,
  req: RequestLike,
): Promise<Session<Data> | null> {
  manager.refuseLate()
  // Its response, if it has one, depends on the cookie from here on.
  place.find(req)?.noteRead()
  const { cookie } = manager.settings
  const attributes = typeof cookie === 'function' ? await cookie(req) : cookie
  const tokens = tokensOf(manager, req, attributes)
  const { start, others } = await openRequest(manager, req, tokens, attributes)
  if (start.state !== 'live') return null
  const visit = new Visit(manager.tools, start, others)
  visit.commits.cookieClosed = 'ERR_NO_RESPONSE'
  return visit.state.session as SessionObject as unknown as Session<Data>
}

async function issue<Data extends object>(
  manager: Manager<Data>,
  data: Storable<Data>,
): Promise<string> {
  const { cookie } = manager.settings
  if (typeof cookie === 'function') {
    throw new OptionError('issue() needs a cookie option that is an object: it has no request.')
  }
  return manager.issue(data, manager.audience(cookie))
}
