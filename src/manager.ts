import type { Clock } from './core/clock.js'
import { Emitter, type EventName, type Events, type Listener } from './core/events.js'
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
import { decodeRecord } from './core/record.js'
import { can, type StoreReport } from './core/store.js'
import { StoreKeeper } from './core/store-keeper.js'
import { waitAtMost } from './core/time-limit.js'
import { nameOf } from './core/user.js'
import { Visit } from './core/visit.js'
import type { VisitTools } from './core/visit-tools.js'
import { CoatcheckError, OptionError, type WarningCode } from './errors.js'
import type { Settings } from './options.js'
import { MemoryStore } from './stores/memory.js'

/** What of a response tells that its client is gone. */
export interface Closing {
  readonly destroyed?: boolean
  on?: (event: 'close', listener: () => void) => unknown
}

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

const SWEEP_INTERVAL = 15 * 60 * 1000
/** Records one step of the loop removes at most; the next step follows at once if that many were. */
const SWEEP_STEP = 1000

/** Ends that the store has told of and that no request has met. A few at a time. */
const MOST_REMEMBERED = 100

/**
 * What the requests of one `session()` share, and what happens outside a request: list, revoke,
 * sweep, close.
 */
export class Manager<Data extends object = Record<string, unknown>> {
  readonly settings: Settings
  readonly keeper: Keeper
  readonly tools: VisitTools
  readonly #emitter = new Emitter()
  readonly #clock: Clock
  readonly #warned = new Set<WarningCode>()
  readonly #background = new Set<Promise<unknown>>()
  readonly #touching = new Map<string, Promise<unknown>>()
  readonly #stopReports: () => void
  #sweepTimer: unknown
  #sweeping: Promise<void> = Promise.resolve()
  readonly #expiredByStore = new Set<string>()
  #active = 0
  #started = false
  #lastLeft = () => {}
  #closing: Promise<void> | undefined

  constructor(settings: Settings) {
    const { store, secrets, lifetime, storeTimeout, clock } = settings
    this.settings = settings
    this.#clock = clock
    this.keeper = new StoreKeeper({
      store,
      secrets,
      lifetime,
      storeTimeout,
      clock,
      inBackground: (work) => void this.inBackground(work),
      onError: (error) => this.emit('error', { error }),
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
    this.#stopReports = can(store, 'onReport')
      ? store.onReport((report) => this.#onReport(report))
      : () => {}
  }

  get capabilities(): Capabilities {
    return this.keeper.capabilities
  }

  /** Listens to an event; gives the function that ends it. No listener delays a response. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    return this.#emitter.on(name, listener)
  }

  emit<Name extends EventName>(name: Name, event: Omit<Events[Name], 'at'>): void {
    this.#emitter.emit(name, { ...event, at: this.#clock.now() } as Events[Name])
  }

  /** Once per code: to the log of the process, and as an event. */
  warn(code: WarningCode, message: string): void {
    if (this.#warned.has(code)) return
    this.#warned.add(code)
    process.emitWarning(message, { type: 'CoatcheckWarning', code })
    this.emit('warning', { code, message })
  }

  /** @throws CoatcheckError `ERR_CLOSED` */
  refuseClosed(): void {
    if (this.#closing !== undefined) {
      throw new CoatcheckError('ERR_CLOSED', 'This session manager has been closed.')
    }
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** Makes a session outside a request and gives its token: what the cookie would carry. */
  async issue(data: Partial<Data>, audience: string): Promise<string> {
    this.refuseClosed()
    const visit = new Visit(this.tools, { state: 'none' })
    visit.state.replaceData(data)
    await this.inBackground(visit.save())
    return this.keeper.token(visit.identity(), audience)
  }

  /** The live sessions of a user, last seen first. */
  async list(user: UserName): Promise<ListedSession<Data>[]> {
    this.refuseClosed()
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
    this.refuseClosed()
    const opened = await this.keeper.look(id)
    if (opened.state !== 'live') return false
    const ended = await this.inBackground(this.keeper.destroy(opened.held))
    if (ended !== undefined) this.emit('destroy', { ...namesOf(ended), reason: 'revoked' })
    return ended !== undefined
  }

  /** Ends every session a user has now, on every node, but `except` (a handle); their number. */
  async revokeUser(user: UserName, options: { except?: string } = {}): Promise<number> {
    this.refuseClosed()
    const name = userName(user)
    const { except } = options
    // Right after regenerate() the session that stays is still stored under its old id.
    const stored = except === undefined ? undefined : this.tools.renewing.get(except)
    const stay = [except, stored].filter((handle) => handle !== undefined)
    const ended = await this.inBackground(this.keeper.revokeUser(name, stay))
    for (const held of ended) this.emit('destroy', { ...namesOf(held), reason: 'revoked' })
    return ended.length
  }

  /** Removes expired records, at most `limit`; gives their number. For cron and serverless. */
  async sweep(options: { limit?: number } = {}): Promise<number> {
    this.refuseClosed()
    return this.keeper.sweep(options.limit)
  }

  /** Waits for what is still in flight: commits and touches that no response waits for. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.allSettled([...this.#background])
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
    this.#clock.clearTimeout(this.#sweepTimer)
    if (this.#active > 0) {
      await new Promise<void>((resolve) => {
        this.#lastLeft = resolve
      })
    }
    await this.settled()
    // A sweep has no limit of its own, and a store may never answer.
    await waitAtMost(this.#clock, this.settings.storeTimeout, this.#sweeping)
    this.#stopReports()
    await this.keeper.close()
  }

  /** Remembers work that nobody may be waiting for. Gives it back. */
  inBackground<T>(work: Promise<T>): Promise<T> {
    const done = work.then(
      () => void this.#background.delete(done),
      () => void this.#background.delete(done),
    )
    this.#background.add(done)
    return work
  }

  /**
   * A request has come in; `close()` waits until the returned function is called, or until its
   * connection is gone.
   */
  enter(res: Closing): () => void {
    let isInside = true
    const leave = () => {
      if (!isInside) return
      isInside = false
      this.#active--
      if (this.#active === 0) this.#lastLeft()
    }
    this.#active++
    if (!this.#started) this.#start()
    if (res.destroyed === true) leave()
    else res.on?.('close', leave)
    return leave
  }

  /** With the first request, so that a listener of warnings is there. */
  #start(): void {
    this.#started = true
    this.#scheduleSweep()
    if (this.settings.store instanceof MemoryStore && process.env.NODE_ENV === 'production') {
      this.warn(
        'WARN_MEMORY_STORE',
        'Sessions are kept in memory: a restart signs everybody out. Pass a store that keeps them.',
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
        // The store itself has just told of its end.
        if (this.#expiredByStore.delete(id)) return
        return this.emit('reject', { id, reason: 'unknown' })
      }
    }
  }

  /** The store still has it. Whoever removes it tells, so that it is told once. */
  #expire(id: string, ended: Ended): void {
    this.inBackground(this.keeper.forget(id)).then(
      (removed) => {
        if (removed) this.emit('expire', { id, ...ended })
      },
      (error: Error) => this.emit('error', { id, error }),
    )
  }

  #scheduleSweep(): void {
    if (!this.keeper.capabilities.sweep || this.closed) return
    const jittered = SWEEP_INTERVAL * (0.9 + Math.random() * 0.2)
    this.#sweepTimer = this.#clock.setTimeout(() => {
      this.#sweeping = this.#sweepAll().then(
        () => this.#scheduleSweep(),
        (error: Error) => {
          this.emit('error', { error })
          this.#scheduleSweep()
        },
      )
    }, jittered)
  }

  async #sweepAll(): Promise<void> {
    while (!this.closed && (await this.keeper.sweep(SWEEP_STEP)) >= SWEEP_STEP);
  }

  #onReport(report: StoreReport): void {
    if (report.type === 'error') {
      const { op, error: cause } = report
      const details = { op, cause, store: this.settings.store.constructor.name }
      this.emit('error', { error: new CoatcheckError('ERR_STORE', `${op} failed.`, details) })
      return
    }
    const decoded = report.text === undefined ? undefined : decodeRecord(report.text)
    if (decoded !== undefined && decoded.kind !== 'record') return
    const facts = decoded?.record.facts
    const event = { id: report.key, ...(facts?.user === undefined ? {} : { user: facts.user }) }
    if (report.type === 'evicted') return this.emit('destroy', { ...event, reason: 'evicted' })
    const end = facts === undefined ? undefined : absoluteEnd(facts, this.settings.lifetime)
    const reason = end !== undefined && this.#clock.now() >= end ? 'absolute' : 'idle'
    this.emit('expire', { ...event, reason })
    if (this.#expiredByStore.size >= MOST_REMEMBERED) this.#expiredByStore.clear()
    this.#expiredByStore.add(report.key)
  }
}

/** How a caller may name a user: strings and numbers that look alike are the same user. */
export type UserName = string | number | bigint

function userName(user: UserName): string {
  const name = nameOf(user)
  if (name !== undefined) return name
  throw new OptionError('A user is named by a string that is not empty, or by a number.')
}
