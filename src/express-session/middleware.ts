import depd from 'depd'
import type { EventName, Listener } from '../core/events.js'
import type { Loaded } from '../core/legacy-keeper.js'
import { closed } from '../core/refusals.js'
import { answer, type Callback as Told } from '../core/session.js'
import type { Awaitable } from '../core/store.js'
import { keyOf } from '../crypto/session-id.js'
import { keepRequestCheap, keepResponseCheap } from '../http/dictionary.js'
import { holdResponse } from '../http/hold-response.js'
import { type Call, isForUpgrade, isResponse, type ResponseLike } from '../http/response-like.js'
import type { Closing } from '../open-requests.js'
import type { Anything } from './anything.js'
import type { ListedSession } from './by-user.js'
import { Cookie, type CookieOptions } from './cookie.js'
import { explained, type SessionExplanation } from './explained.js'
import type { RequestStore, RequestWithSession } from './express-request.js'
import { House } from './house.js'
import { IdCookie } from './id-cookie.js'
import { LegacyStore, type LegacyStoreOptions, type StoreCallback } from './legacy-store.js'
import { MemoryStore } from './memory-store.js'
import { type SessionOptions, type Settings, settingsFrom } from './options.js'
import { noteLatest, pathMatches, pathOf, type Request, type RequestSession } from './request.js'
import { cookieFor } from './sent-cookie.js'
import { type Callback, DOER, Session } from './session.js'
import type { SessionData } from './session-data.js'
import { Store } from './store.js'
import { Visit } from './visit.js'

/** One for each message: depd tells once what comes from one line of code, whatever it says. */
const deprecations = new Map<string, depd.Deprecate>()

function deprecate(message: string): void {
  const known = deprecations.get(message) ?? depd('express-session')
  deprecations.set(message, known)
  known(message)
}

type Next = (error?: unknown) => void
/** How long the taker of an error has to begin its page, in ms. */
const MOST_PATIENCE = 2_000

type UserName = string | number | bigint

/** What `session()` gives: the middleware, and what an operator asks of it. */
export interface SessionMiddleware {
  (req: Anything, res: Anything, next: (error?: Anything) => void): void
  /** Listens to an event; gives the function that ends it. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void
  /** Why this request's cookie is what it is; undefined: it has not passed this middleware. */
  explain(req: object): SessionExplanation | undefined
  /** The live sessions of a user. Needs the options `user` and `hashIds`. */
  list(user: UserName, callback?: Told<ListedSession[]>): Promise<ListedSession[]>
  /** Ends one session by the hash of its id, as events and `list` give it. Needs `hashIds`. */
  revoke(id: string, callback?: Told<boolean>): Promise<boolean>
  /** Ends every session of a user but `except`, an id or its hash; gives their number. */
  revokeUser(
    user: UserName,
    options?: { except?: string | undefined },
    callback?: Told<number>,
  ): Promise<number>
  /** Waits for what no response waits for: touches, and commits of clients that have gone. */
  settled(callback?: (error: unknown) => void): Promise<void>
  /** Lets running requests commit, then ends. Close the server first, then this. */
  close(callback?: (error: unknown) => void): Promise<void>
}

/** Sessions with the options, the cookies and the records of express-session. */
function session(options?: SessionOptions): SessionMiddleware {
  const settings = settingsFrom(options ?? {})
  for (const message of settings.deprecated) deprecate(message)
  const house = new House(settings)
  const { store } = settings
  store.generate = (req) => generate(house, req as Request)
  let isReady = true
  // Stores by hand are not always emitters.
  store.on?.('disconnect', () => {
    isReady = false
  })
  store.on?.('connect', () => {
    isReady = true
  })
  // Whoever looks for the layer of it in a router goes by the name.
  const middleware = function session(req: Request, res: ResponseLike & Closing, next: Next): void {
    if (req.session) return next()
    if (!isReady) return next()
    const { cookie } = settings
    const attributes = typeof cookie === 'function' ? cookie(req) : cookie
    if (!pathMatches(pathOf(req), attributes.path || '/')) return next()
    const idCookie = settings.idCookie ?? cookieOf(req, settings.name)
    if (idCookie === undefined) return next(new Error('secret option required for sessions'))
    if (house.closed) return next(closed())
    enter(house, req, res, next, attributes, idCookie)
  }
  return Object.assign(middleware, {
    on: <Name extends EventName>(name: Name, listener: Listener<Name>) => house.on(name, listener),
    explain: (req: object) => explain(settings, req as Request),
    list: (user: UserName, callback?: Told<ListedSession[]>) =>
      answer(house.users.list(user), callback),
    revoke: (id: string, callback?: Told<boolean>) => answer(house.users.revoke(id), callback),
    revokeUser: (
      user: UserName,
      options?: { except?: string | undefined },
      callback?: Told<number>,
    ) => answer(house.users.revokeUser(user, options?.except), callback),
    settled: (callback?: (error: unknown) => void) => answer(house.settled(), callback),
    close: (callback?: (error: unknown) => void) => answer(house.close(), callback),
  })
}

Object.assign(session, {
  Store,
  Cookie,
  Session,
  MemoryStore,
  LegacyStore,
  session,
  default: session,
})

// What a program finds on the function, which is all that `require` gives.
declare namespace session {
  export {
    type Callback,
    Cookie,
    type CookieOptions,
    LegacyStore,
    type LegacyStoreOptions,
    MemoryStore,
    type RequestSession,
    type RequestStore,
    type RequestWithSession,
    Session,
    type SessionData,
    type SessionMiddleware,
    type SessionOptions,
    Store,
    type StoreCallback,
    session,
  }
}

export { session }

function explain(settings: Settings, req: Request): SessionExplanation | undefined {
  const visit = req[DOER]
  if (visit instanceof Visit) return visit.explain()
  const { cookie, name, proxy } = settings
  const attributes = typeof cookie === 'function' ? cookie(req) : cookie
  if (pathMatches(pathOf(req), attributes.path || '/')) return undefined
  const received = { ids: [], rejected: 0 }
  const nothing = { found: 'new', action: 'none', reason: 'path', received } as const
  return explained({ req, name, attributes, proxy, ...nothing })
}

/**
 * Looks at each `end` that reaches Node. Programs that answer in two branches have relied on a second
 * one being ignored: to plain Node it is an error, which ends the process if nobody listens. And a
 * handler goes on when its client has left, so what it has done is stored when it is done.
 */
function watchEnd(res: ResponseLike & { readonly writableEnded?: boolean }, visit: Visit): void {
  keepResponseCheap(res)
  const end = res.end as Call
  // Under the hold, which gives a failed response back as it found it.
  res.end = (...given: unknown[]) => {
    if (res.writableEnded === true) return false
    visit.endedLate()
    return end.apply(res, given)
  }
}

/** With cookie-parser's secret, as long as it stays the same. */
function cookieOf({ secret }: Request, name: string): IdCookie | undefined {
  return secret ? new IdCookie(name, [secret]) : undefined
}

function enter(
  house: House,
  req: Request,
  res: ResponseLike & Closing,
  next: Next,
  attributes: CookieOptions,
  idCookie: IdCookie,
): void {
  house.start()
  if (house.touches > 0) noteLatest(req)
  keepRequestCheap(req)
  const received = idCookie.read(req)
  const isMinimal = !isResponse(res)
  const leave = isMinimal || isForUpgrade(req, res) ? () => {} : house.requests.enter(res, req)
  const visit = new Visit(house, req, { idCookie, attributes, received, next, leave, isMinimal })
  req.sessionStore = house.settings.store
  ;(req as { sessionID?: string | undefined }).sessionID = received.ids[0]
  Object.defineProperty(req, DOER, { value: visit, configurable: true, writable: true })
  for (let count = 0; count < received.rejected; count++) {
    house.emit('reject', { reason: 'signature' })
  }
  const go = () => {
    const { clock, storeTimeout } = house.settings
    if (!isMinimal) watchEnd(res, visit)
    const patience = Math.min(storeTimeout, MOST_PATIENCE)
    holdResponse(res, visit, next, { maxHeldBytes: 65_536, patience, clock })
    next()
  }
  const refuse = (error: unknown) => {
    leave('ended')
    next(error)
  }
  const begin = () => {
    let made: void | Promise<void>
    try {
      made = visit.generate()
    } catch (error) {
      return refuse(error)
    }
    if (made === undefined) return go()
    made.then(go, refuse)
  }
  if (received.ids.length === 0) return begin()
  let found: Awaitable<boolean>
  try {
    found = load(house, req, visit, received.ids, 0)
  } catch (error) {
    return refuse(error)
  }
  if (typeof found !== 'boolean') {
    found.then((isFound) => (isFound ? go() : begin()), refuse)
  } else if (found) go()
  else begin()
}

/** Takes in the first session that one of the ids names. Answers at once where the store does. */
function load(
  house: House,
  req: Request,
  visit: Visit,
  ids: readonly string[],
  index: number,
): Awaitable<boolean> {
  const id = ids[index]
  if (id === undefined) return false
  const loaded = visit.load(id)
  const take = (found: Loaded): Awaitable<boolean> => {
    if (typeof found === 'object' && isRecord(found)) {
      const ended = house.settings.clocks?.endedBy(found)
      if (ended !== undefined) {
        house.expire(id, ended)
        return load(house, req, visit, ids, index + 1)
      }
      req.sessionID = id
      visit.takeIn(found)
      return true
    }
    if (found === undefined) house.emit('reject', { id: keyOf(id), reason: 'unknown' })
    else house.emit('corrupt', { id: keyOf(id), reason: found === 'unreadable' ? found : 'shape' })
    return load(house, req, visit, ids, index + 1)
  }
  return isPending(loaded) ? loaded.then(take) : take(loaded)
}

function isPending(loaded: Awaitable<Loaded>): loaded is PromiseLike<Loaded> {
  return typeof (loaded as { then?: unknown } | undefined)?.then === 'function'
}

/** What express-session writes has a cookie in it; of anything else nobody knows what it means. */
function isRecord(found: object): boolean {
  const { cookie } = found as { cookie?: unknown }
  return typeof cookie === 'object' && cookie !== null && !Array.isArray(found)
}

/** `store.generate(req)`, for whoever calls it: a new id and an empty session, at once if `genid` is. */
function generate(house: House, req: Request): void | Promise<void> {
  const visit = req[DOER]
  if (visit instanceof Visit) return visit.generate()
  const begin = (made: string) => {
    req.sessionID = made
    const { cookie, proxy } = house.settings
    const session = new Session(req)
    session.cookie = cookieFor(req, typeof cookie === 'function' ? cookie(req) : cookie, proxy)
    req.session = session
  }
  const id = house.newId(req)
  if (typeof id !== 'string') return Promise.resolve(id).then(begin)
  begin(id)
}
