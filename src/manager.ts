import { Background } from './core/background.js'
import { CallbackStore, classOf } from './core/callback-store.js'
import type { Clock } from './core/clock.js'
import type { EventName, Events, Listener } from './core/events.js'
import {
  type Capabilities,
  type Ended,
  type Held,
  type Keeper,
  namesOf,
  type Opened,
} from './core/keeper.js'
import { KeyQueue } from './core/key-queue.js'
import { absoluteEnd, endOf, lastSeen, touchIsDue } from './core/lifetime.js'
import { Notices } from './core/notices.js'
import { PairTakeover } from './core/pair-takeover.js'
import { decodeRecord } from './core/record.js'
import { closed, withoutServer } from './core/refusals.js'
import { can, type Store, type StoreReport } from './core/store.js'
import { Takeover } from './core/takeover.js'
import { nameOf } from './core/user.js'
import { Visit } from './core/visit.js'
import type { VisitTools } from './core/visit-tools.js'
import { asError, CoatcheckError, OptionError, type WarningCode } from './errors.js'
import { BEARER_AUDIENCE } from './http/bearer.js'
import { audienceOf, type CookieAttributes } from './http/session-cookie.js'
import { keeperFrom, storesOf } from './keeper-from.js'
import { type Closing, type Connected, type Leave, OpenRequests } from './open-requests.js'
import type { Settings } from './options.js'
import { MemoryStore } from './stores/memory.js'
import { SweepLoop } from './sweep-loop.js'

/** A live session as `list(user)` shows it. Nothing in it is a credential. Times in ms. */
export interface ListedSession<Data extends object = Record<string, unknown>> {
  /** The public handle, for `revoke`. */
  readonly id: string
  readonly createdAt: number
  readonly authenticatedAt: number | undefined
  readonly lastSeenAt: number
  readonly expiresAt: number
  readonly data: Partial<Data>
}

/** Misses that the store has told of and that no request has met. A few at a time. */
const MOST_REMEMBERED = 100

/**
 * What the requests of one `session()` share, and what happens outside a request: list, revoke,
 * sweep, close.
 */
export class Manager<Data extends object = Record<string, unknown>> {
  readonly settings: Settings
  readonly keeper: Keeper
  readonly tools: VisitTools
  /** What becomes of sessions of express-session. */
  readonly takeover: Takeover | undefined
  /** What becomes of those of cookie-session. */
  readonly pairs: PairTakeover | undefined
  readonly #notices: Notices
  readonly #clock: Clock
  readonly #background = new Background()
  readonly #touching = new Map<string, Promise<unknown>>()
  readonly #stopReports: (() => void)[] = []
  readonly #requests: OpenRequests
  readonly #sweeps: SweepLoop
  readonly #toldByStore = new Set<string>()
  #started = false
  #lookedAtStore = false
  #closing: Promise<void> | undefined
  /** No request is inside any more, and none comes in. */
  #isEmpty = false

  constructor(settings: Settings) {
    const { lifetime, storeTimeout, clock } = settings
    this.settings = settings
    this.#clock = clock
    this.#notices = new Notices(clock)
    this.keeper = keeperFrom(settings, {
      inBackground: (work) => void this.inBackground(work),
      onError: (error) => this.emit('error', { error }),
      endOthers: async (identity) => this.takeover?.endLeft(identity),
    })
    this.tools = {
      keeper: this.keeper,
      clock,
      lifetime,
      storeTimeout,
      userOf: settings.userOf,
      concurrency: settings.concurrency,
      contended: new KeyQueue(),
      renewing: new Map(),
      emit: (name, event) => this.emit(name, event),
      warn: (code, message) => this.warn(code, message),
    }
    const { from, userOf } = settings
    const takes = { keeper: this.keeper, clock, lifetime, userOf, limit: storeTimeout }
    const { records } = from?.expressSession ?? {}
    this.takeover = records && new Takeover({ ...takes, records })
    this.pairs = from?.cookieSession && new PairTakeover(takes)
    this.#requests = new OpenRequests(clock, storeTimeout)
    this.#sweeps = new SweepLoop({
      clock,
      sweep: (limit) => this.keeper.sweep(limit),
      onError: (error) => this.emit('error', { error }),
    })
    for (const [store, hasSessions] of storesOf(settings)) {
      if (!can(store, 'onReport')) continue
      const hear = (report: StoreReport) => {
        if (store === settings.revocations) this.#onEvicted(report, store)
        if (hasSessions || report.type === 'error') this.#onReport(report, store)
      }
      this.#stopReports.push(store.onReport(hear))
    }
  }

  get capabilities(): Capabilities {
    return this.keeper.capabilities
  }

  /** Listens to an event; gives the function that ends it. No listener delays a response. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    return this.#notices.on(name, listener)
  }

  emit<Name extends EventName>(name: Name, event: Omit<Events[Name], 'at'>): void {
    this.#notices.emit(name, event)
  }

  /** Once per code: to the log of the process, and as an event. */
  warn(code: WarningCode, message: string): void {
    this.#notices.warn(code, message)
  }

  /** What the tokens of a cookie are for, or those of a header. */
  audience(attributes: CookieAttributes): string {
    return this.settings.bearer === undefined ? audienceOf(attributes) : BEARER_AUDIENCE
  }

  /** Whether a request comes too late. */
  get closed(): boolean {
    return this.#closing !== undefined
  }

  /**
   * Serves a call from outside a request. Perhaps nobody awaits it, so that a failure is also an
   * event.
   */
  told<T>(work: Promise<T>): Promise<T> {
    work.catch((error: unknown) => this.emit('error', { error: asError(error) }))
    return work
  }

  /**
   * While `close()` lets running requests finish, their handlers may still call what they need.
   * @throws CoatcheckError `ERR_CLOSED`
   */
  refuseLate(): void {
    if (this.#isEmpty) throw closed()
    if (!this.#lookedAtStore) this.#lookAtStore()
  }

  /** Makes a session outside a request and gives its token: what the cookie would carry. */
  async issue(data: object, audience: string): Promise<string> {
    this.refuseLate()
    if (typeof data !== 'object' || data === null) {
      throw new OptionError('issue: the data of a session is an object.')
    }
    const visit = new Visit(this.tools, { state: 'none' })
    visit.state.replaceData(data)
    await this.inBackground(visit.save())
    return this.keeper.token(visit.state.held!, audience)
  }

  /** The live sessions of a user, last seen first. */
  async list(user: UserName): Promise<ListedSession<Data>[]> {
    this.refuseLate()
    const { lifetime } = this.settings
    const held = await this.keeper.list(userName(user))
    return held
      .map(({ identity, facts, stored, loaded }) => ({
        id: identity.handle,
        createdAt: facts.created,
        authenticatedAt: facts.authenticated,
        lastSeenAt: lastSeen(facts, stored.expiresAt),
        expiresAt: endOf(facts, stored.expiresAt, lifetime),
        data: loaded as Partial<Data>,
      }))
      .sort((a, b) => b.lastSeenAt - a.lastSeenAt)
  }

  /** Ends one session by its handle. False: there was no such live session. */
  async revoke(id: string): Promise<boolean> {
    this.refuseLate()
    if (!this.keeper.capabilities.revoke) throw withoutServer('revoke')
    const ended = await this.keeper.revoke(id)
    if (ended !== undefined) this.emit('destroy', { ...ended, reason: 'revoked' })
    return ended !== undefined
  }

  /** Ends every session a user has now, on every node, but `except` (a handle); their number. */
  async revokeUser(user: UserName, options?: RevokeUserOptions): Promise<number> {
    this.refuseLate()
    const name = userName(user)
    const { except } = options ?? {}
    if (except !== undefined && typeof except !== 'string') {
      throw new OptionError('revokeUser: except takes the id of a session, such as req.session.id.')
    }
    // Right after regenerate() the session that stays is still stored under its old id.
    const stored = except === undefined ? undefined : this.tools.renewing.get(except)
    const stay = [except, stored].filter((handle) => handle !== undefined)
    return this.keeper.revokeUser(name, {
      except: stay,
      renewing: this.tools.renewing,
      onEnded: (held) => this.emit('destroy', { ...namesOf(held), reason: 'revoked' }),
    })
  }

  /** Removes expired records, at most `limit`; gives their number. For cron and serverless. */
  async sweep(options?: SweepOptions): Promise<number> {
    this.refuseLate()
    if (typeof options === 'number') throw new OptionError('sweep: the limit is an option.')
    const { limit } = options ?? {}
    if (limit !== undefined && !(typeof limit === 'number' && limit > 0)) {
      throw new OptionError('sweep: limit takes a number above 0.')
    }
    return this.#sweeps.run(limit)
  }

  /** Waits for what is still in flight: commits and touches that no response waits for. */
  settled(): Promise<void> {
    return this.#background.settled()
  }

  /**
   * Stops the sweep, lets requests that have entered finish and commit, waits for touches, and
   * closes what this package opened itself. Later requests and calls get `ERR_CLOSED`.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const swept = this.#sweeps.stop(this.settings.storeTimeout)
    await this.#requests.allDone()
    this.#isEmpty = true
    await this.settled()
    await swept
    for (const stop of this.#stopReports) stop()
    await this.keeper.close()
  }

  /** Remembers work that nobody may be waiting for. Gives it back. */
  inBackground<T>(work: Promise<T>): Promise<T> {
    return this.#background.add(work)
  }

  /** A request has come in, and `close()` waits for it. */
  enter(res: Closing, req: Connected): Leave {
    if (!this.#started) this.#start()
    return this.#requests.enter(res, req)
  }

  /** With the first request, so that a listener of warnings is there. */
  #start(): void {
    this.#started = true
    if (this.keeper.capabilities.sweep) this.#sweeps.start()
    if (!this.#lookedAtStore) this.#lookAtStore()
  }

  #lookAtStore(): void {
    this.#lookedAtStore = true
    const { store } = this.settings
    if (store instanceof CallbackStore) {
      this.warn(
        'WARN_LEGACY_STORE',
        `${store.name} is a store made for express-session, which can only read and overwrite: if two processes write one session at the same moment, one may undo what the other did. See docs/stores/old-stores.md.`,
      )
    }
    if (process.env.NODE_ENV !== 'production') return
    for (const [one, hasSessions] of storesOf(this.settings)) {
      if (!(one instanceof MemoryStore)) continue
      const lost = hasSessions ? 'signs everybody out' : 'revives what was revoked'
      this.warn(
        'WARN_MEMORY_STORE',
        `Sessions are kept in memory: a restart ${lost}. Pass a store that keeps them.`,
      )
    }
  }

  /** Tells the store of the activity if it has not heard of any for a while. Never waited for. */
  noteActivity(held: Held): void {
    const { facts, stored, identity } = held
    if (!touchIsDue(facts, stored.expiresAt, this.settings.lifetime, this.#clock.now())) return
    const { handle } = identity
    if (this.#touching.has(handle)) return
    const touching = this.inBackground(this.keeper.touch(held)).then(
      () => void this.#touching.delete(handle),
      (error: Error) => {
        this.#touching.delete(handle)
        this.emit('error', { id: handle, error })
      },
    )
    this.#touching.set(handle, touching)
  }

  emitTaken(held: Held, takenFrom: NonNullable<Events['create']['takenFrom']>): void {
    this.emit('create', { ...namesOf(held), takenFrom })
  }

  /** Events for a token that led to nothing. */
  emitNotLive(opened: Exclude<Opened, { state: 'live' }>): void {
    switch (opened.state) {
      case 'rejected':
        return this.emit('reject', { reason: opened.reason })
      case 'corrupt':
        return this.emit('corrupt', { id: opened.handle, reason: opened.reason })
      case 'gone': {
        const { handle: id, ended } = opened
        if (ended !== undefined) return this.#expire(id, ended)
        // The store itself has just told of it.
        if (this.#toldByStore.delete(id)) return
        return this.emit('reject', { id, reason: 'unknown' })
      }
    }
  }

  /** The store still has it. Whoever removes it tells, so that it is told once. */
  #expire(id: string, { stored, ...ended }: Ended): void {
    this.inBackground(this.keeper.forget(id, stored)).then(
      (removed) => {
        if (removed) this.emit('expire', { id, ...ended })
      },
      (error: Error) => this.emit('error', { id, error }),
    )
  }

  /** A store that is full has put out what says that a session was revoked. */
  #onEvicted({ type, ...report }: StoreReport, store: Store): void {
    const text = 'text' in report ? report.text : undefined
    if (type !== 'evicted' || text === undefined || decodeRecord(text).kind === 'record') return
    const details = { op: 'evict', store: classOf(store) }
    const message = `${details.store} was full, and has dropped a revocation before its time.`
    this.emit('error', { error: new CoatcheckError('ERR_STORE', message, details) })
  }

  #onReport(report: StoreReport, store: Store): void {
    if (report.type === 'error') {
      const { op, error: cause } = report
      const details = { op, cause, store: classOf(store) }
      this.emit('error', { error: new CoatcheckError('ERR_STORE', `${op} failed.`, details) })
      return
    }
    if (report.type === 'unreadable') {
      this.emit('corrupt', { id: report.key, reason: 'unreadable' })
      return this.#hasTold(report.key)
    }
    const decoded = report.text === undefined ? undefined : decodeRecord(report.text)
    if (decoded !== undefined && decoded.kind !== 'record') return
    const facts = decoded?.record.facts
    const event = { id: report.key, ...(facts?.user === undefined ? {} : { user: facts.user }) }
    if (report.type === 'evicted') return this.emit('destroy', { ...event, reason: 'evicted' })
    const end = facts === undefined ? undefined : absoluteEnd(facts, this.settings.lifetime)
    const reason = end !== undefined && this.#clock.now() >= end ? 'absolute' : 'idle'
    this.emit('expire', { ...event, reason })
    this.#hasTold(report.key)
  }

  /** The request that meets this miss of the store is not told of it once more. */
  #hasTold(key: string): void {
    if (this.#toldByStore.size >= MOST_REMEMBERED) this.#toldByStore.clear()
    this.#toldByStore.add(key)
  }
}

/** How a caller may name a user: strings and numbers that look alike are the same user. */
export type UserName = string | number | bigint

/** What `revokeUser` spares. */
export interface RevokeUserOptions {
  /** The handle of a session that stays, such as `req.session.id`. */
  except?: string
}

/** How far `sweep` goes. */
export interface SweepOptions {
  /** Records removed at most. @default all that have expired */
  limit?: number
}

function userName(user: UserName): string {
  const name = nameOf(user)
  if (name !== undefined) return name
  throw new OptionError('A user is named by a string that is not empty, or by a number.')
}
