import { type ErrorCode, OptionError } from '../errors.js'
import {
  type Base,
  type Changes,
  changesSince,
  EMPTY_BASE,
  hasChanges,
  NO_CHANGES,
  narrowed,
  plainAfter,
} from './changes.js'
import type { CommitState } from './commit-plan.js'
import type { Held, Identity, Opened } from './keeper.js'
import type { Data } from './record.js'
import { RESERVED, type SessionHost, SessionObject } from './session.js'
import { concernsUser, type UserChange, type UserOf, userChange, whoIs } from './user.js'

/** Where it starts: what the token led to, that there was no token, or that the store failed. */
export type Start = Opened | { readonly state: 'none' | 'unavailable' }

/** What a commit is about to decide on. */
export interface Pending {
  readonly changes: Changes
  readonly state: CommitState
}

/**
 * What one request knows of its session: what was loaded, what the handler has done to it, what it
 * asked for. Nothing here waits; `Visit` does the storing.
 */
export class SessionState {
  readonly #host: SessionHost
  readonly #userOf: UserOf | undefined
  #stored: CommitState['stored']
  #held: Held | undefined
  #identity: Identity | undefined
  #base: Base
  #session: SessionObject | undefined
  #formerHandles: Map<SessionObject, string> | undefined
  #destroyed = false
  #freshId = false
  /** The lifetime that the handler set; null: back to the settings; undefined: it set none. */
  #own: number | null | undefined
  asked: 'nothing' | 'destroy' | 'regenerate' | 'authenticated' = 'nothing'
  /** Which keys of the stored data go on after `regenerate()`; undefined: all. */
  kept: ((key: string) => boolean) | undefined

  constructor(host: SessionHost, start: Start, userOf: UserOf | undefined) {
    this.#host = host
    this.#userOf = userOf
    this.#base = EMPTY_BASE
    switch (start.state) {
      case 'live':
        this.#stored = 'live'
        this.#held = start.held
        this.#identity = start.held.identity
        this.#base = start.held
        break
      case 'corrupt':
        this.#stored = 'gone'
        break
      case 'rejected':
        this.#stored = 'none'
        break
      default:
        this.#stored = start.state
    }
  }

  get stored(): CommitState['stored'] {
    return this.#stored
  }

  /** The live record behind this session, as last seen. */
  get held(): Held | undefined {
    return this.#held
  }

  get base(): Base {
    return this.#base
  }

  get destroyed(): boolean {
    return this.#destroyed
  }

  /** The object the handler gets; made when it is first asked for. */
  get session(): SessionObject {
    if (this.#session === undefined) {
      this.#session = new SessionObject(this.#host)
      fill(this.#session, this.#base.loaded)
    }
    return this.#session
  }

  /** The name of this session. Made when it is first asked for, used by the first create. */
  identity(make: () => Identity): Identity {
    this.#identity ??= make()
    return this.#identity
  }

  /** The name to renew to: never the one that the client already has. */
  nextIdentity(make: () => Identity): Identity {
    const known = this.#identity
    return known === undefined || known.handle === this.#held?.identity.handle ? make() : known
  }

  handleOf(session: SessionObject, make: () => Identity): string {
    return this.#formerHandles?.get(session) ?? this.identity(make).handle
  }

  /** The session's own lifetime as the handler sees it. */
  get own(): number | undefined {
    return this.ownAfter(this.#held)
  }

  set own(ms: number | undefined) {
    this.#own = ms ?? null
  }

  /** The lifetime to store with a record: the handler's, else the one that is there. */
  ownAfter(latest: Held | undefined): number | undefined {
    return this.#own === undefined ? latest?.facts.own : (this.#own ?? undefined)
  }

  /** A stored session has got another lifetime in this request. */
  get lifetimeChanged(): boolean {
    const { held } = this
    return held !== undefined && this.#own !== undefined && this.own !== held.facts.own
  }

  /** Replaces all data, as assigning an object to `req.session` does. */
  replaceData(data: object): void {
    const { session } = this
    if (data === session) return
    const entries = Object.entries(data)
    empty(session)
    for (const [key, value] of entries) session[key as keyof SessionObject] = value as never
  }

  /**
   * What is there to commit. Each changed value is encoded here, once.
   * @throws `ERR_NOT_SERIALIZABLE`
   */
  pending(explicitSave: boolean, cookie: { due: boolean; open: boolean }): Pending {
    const session = this.#session
    const changes =
      session === undefined ? NO_CHANGES : changesSince(this.#base, data(session), RESERVED)
    const dataChanged = hasChanges(changes)
    return {
      changes,
      state: {
        stored: this.#stored,
        asked: this.asked === 'nothing' && explicitSave ? 'save' : this.asked,
        destroyed: this.#destroyed,
        changed: dataChanged || this.lifetimeChanged,
        hasData: this.#hasData(),
        userChange:
          dataChanged || this.asked === 'regenerate' ? this.#userChange(changes) : undefined,
        freshId: this.#freshId,
        cookieDue: cookie.due || this.lifetimeChanged,
        cookieOpen: cookie.open,
      },
    }
  }

  /** After a write: what is stored now is the new base; the handler's own objects stay. */
  adopt(held: Held, written: { changes: Changes; renewed: boolean; merged: boolean }): void {
    this.#stored = 'live'
    this.#held = held
    this.#identity = held.identity
    if (written.renewed) this.#freshId = true
    if (this.#session !== undefined && written.merged) {
      this.#showMerged(this.#session, held, written.changes)
    }
    this.#base = storedBase(held)
    this.#own = undefined
    this.asked = 'nothing'
    this.kept = undefined
  }

  /** After a reload or an update: the session shows exactly what is stored. */
  show(held: Held): void {
    this.#stored = 'live'
    this.#held = held
    this.#identity = held.identity
    this.#own = undefined
    this.kept = undefined
    this.asked = 'nothing'
    this.#base = held
    if (this.#session === undefined) return
    empty(this.#session)
    fill(this.#session, held.loaded)
  }

  /** The old session has ended, and the new one has nothing to store yet. */
  leave(): void {
    if (this.#identity === this.#held?.identity) this.#identity = undefined
    this.#stored = 'none'
    this.#held = undefined
    this.#base = EMPTY_BASE
    this.asked = 'nothing'
    this.kept = undefined
  }

  /** The record turned out to have ended. What the handler sets from now on goes nowhere. */
  end(): void {
    this.#stored = 'ended'
    this.#held = undefined
  }

  /** After `destroy()`: an empty session that stores nothing until `regenerate()`. */
  destroy(): void {
    this.#stored = 'none'
    this.#held = undefined
    this.#base = EMPTY_BASE
    this.#own = undefined
    this.#destroyed = true
    this.asked = 'nothing'
    this.kept = undefined
    if (this.#session !== undefined) empty(this.#session)
  }

  /** Goes on in a new object, under a new id unless the present one is still nobody's. */
  regenerate(keep: boolean | readonly string[], make: () => Identity): void {
    const former = this.session
    this.#formerHandles ??= new Map()
    this.#formerHandles.set(former, this.identity(make).handle)
    const kept = typeof keep === 'boolean' ? () => keep : (key: string) => keep.includes(key)
    const session = new SessionObject(this.#host)
    fill(session, data(former), kept)
    this.#session = session
    this.#base = narrowed(this.#base, kept)
    if (this.#stored === 'live') {
      const before = this.kept
      this.kept = before === undefined ? kept : (key) => before(key) && kept(key)
      this.asked = 'regenerate'
      if (!this.#freshId) this.#identity = undefined
    } else {
      this.#stored = 'none'
      this.#held = undefined
      this.#base = EMPTY_BASE
      this.#destroyed = false
      this.asked = 'nothing'
      this.#identity = undefined
    }
  }

  #hasData(): boolean {
    const shown: Data = this.#session === undefined ? this.#base.loaded : data(this.#session)
    return Object.keys(shown).some((key) => shown[key] !== undefined)
  }

  #userChange(changes: Changes): UserChange | undefined {
    if (this.asked !== 'regenerate' && !concernsUser(changes, this.#userOf)) return undefined
    const before = whoIs(this.#held?.untouched ?? {}, this.#userOf)
    return userChange(before, whoIs(plainAfter(this.#base.untouched, changes), this.#userOf))
  }

  /** Keys that others have written meanwhile; the ones changed here keep the handler's objects. */
  #showMerged(session: SessionObject, held: Held, { set, deleted }: Changes): void {
    const shown = data(session)
    for (const key of Object.keys(shown)) {
      if (!set.has(key) && !Object.hasOwn(held.loaded, key)) delete shown[key]
    }
    fill(session, held.loaded, (key) => !set.has(key) && !deleted.has(key))
  }
}

/** The error a method rejects with where a cookie would be needed and none can be sent. */
export type CookieClosed = Extract<ErrorCode, 'ERR_HEADERS_SENT' | 'ERR_NO_RESPONSE'>

/** @throws OptionError unless `ms` is a lifetime */
export function checkLifetime(ms: number | null | undefined): number | undefined {
  if (ms === undefined || ms === null) return undefined
  if (typeof ms === 'number' && ms > 0 && Number.isFinite(ms)) return ms
  throw new OptionError(
    'session.cookie.maxAge takes a number of milliseconds above 0, or undefined for the settings.',
  )
}

/** What was just written: no handler has its objects. */
function storedBase(held: Held): Base {
  return {
    text: held.text,
    get loaded() {
      return held.untouched
    },
    get untouched() {
      return held.untouched
    },
  }
}

/** A session object seen as the data it holds. */
function data(session: SessionObject): Data {
  return session as unknown as Data
}

function empty(session: SessionObject): void {
  for (const key of Object.keys(session)) delete data(session)[key]
}

/** Own enumerable properties only. A key that is a member's name stays in the record, unseen. */
function fill(session: SessionObject, from: Data, wanted?: (key: string) => boolean): void {
  for (const key of Object.keys(from)) {
    if (RESERVED.has(key) || (wanted !== undefined && !wanted(key))) continue
    data(session)[key] = from[key]
  }
}
