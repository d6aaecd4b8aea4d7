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
  sameMember,
  storedBase,
} from './changes.js'
import type { CommitState } from './commit-plan.js'
import { type Held, type Identity, namesOf, type Opened } from './keeper.js'
import { LONGEST_TIME } from './lifetime.js'
import type { Data } from './record.js'
import { noData, reservedKey } from './refusals.js'
import { RESERVED, type SessionHost, SessionObject } from './session.js'
import { data, differing, empty, fill, set } from './session-contents.js'
import { lossyKind } from './strict-json.js'
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
  #renounced = false
  /** The lifetime that the handler set; null: back to the settings; undefined: it set none. */
  #own: number | null | undefined
  /** Names the session that the request came with in events. */
  readonly #presented: { readonly id?: string; readonly user?: string }
  /** A handle that leads to where the session goes on, if it does: a logout ends that too. */
  successor: string | undefined
  asked: CommitState['asked'] = 'nothing'
  /** The same user has proved itself again. */
  authenticated = false
  /** Which keys of the stored data go on after `regenerate()`; undefined: all. */
  kept: ((key: string) => boolean) | undefined

  constructor(host: SessionHost, start: Start, userOf: UserOf | undefined) {
    this.#host = host
    this.#userOf = userOf
    this.#base = EMPTY_BASE
    this.#presented = presentedBy(start)
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
    if (start.state === 'superseded') this.successor = start.next
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

  /** The handle and user for events about this session, also after it has ended. */
  get names(): { readonly id?: string; readonly user?: string } {
    return this.#held === undefined ? this.#presented : namesOf(this.#held)
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

  /**
   * Replaces all data, as assigning an object to `req.session` does.
   * @throws `ERR_RESERVED_KEY`, `ERR_NOT_SERIALIZABLE`; then nothing is replaced
   */
  replaceData(given: object): void {
    const { session } = this
    if (given === session) return
    const kind = lossyKind(given)
    if (kind !== undefined || Array.isArray(given)) throw noData(kind ?? 'an array')
    const entries = Object.entries(given)
    for (const [key] of entries) if (RESERVED.has(key)) throw reservedKey(key)
    empty(session)
    for (const [key, value] of entries) set(session, key, value)
  }

  /** `req.session = null`: the end of the session, which shows at once and is stored later. */
  renounce(): void {
    this.asked = 'destroy'
    this.#renounced = true
    empty(this.session)
  }

  /** Data was set after `req.session = null`. */
  get hasLateData(): boolean {
    return (this.#renounced || this.#destroyed) && this.#session !== undefined && this.#hasData()
  }

  /**
   * What is there to commit. Each changed value is encoded here, once.
   * @throws `ERR_NOT_SERIALIZABLE`
   */
  pending(
    explicitSave: boolean,
    cookie: { due: boolean; open: boolean; travels?: boolean },
  ): Pending {
    const session = this.#session
    // What a session that ends holds need not even be storable.
    const changes =
      session === undefined || this.asked === 'destroy'
        ? NO_CHANGES
        : changesSince(this.#base, data(session), RESERVED)
    const dataChanged = hasChanges(changes)
    return {
      changes,
      state: {
        stored: this.#stored,
        asked: this.asked,
        authenticated: this.authenticated,
        saving: explicitSave,
        destroyed: this.#destroyed,
        changed: dataChanged || this.lifetimeChanged,
        hasData: this.#hasData(),
        userChange:
          dataChanged || this.asked === 'regenerate' ? this.#userChange(changes) : undefined,
        freshId: this.hasFreshId(cookie.open),
        cookieDue: cookie.due || this.lifetimeChanged,
        travels: cookie.travels === true,
        cookieOpen: cookie.open,
      },
    }
  }

  /**
   * After a write: what is stored now is the new base. The handler's own objects stay, and so does
   * what it has set since the write began; keys that others have written meanwhile are shown.
   */
  adopt(held: Held, written: { fresh: boolean; merged: boolean }): void {
    const since = written.merged ? this.#changedSince() : undefined
    const before = this.#base
    this.#goOn(held, storedBase(held))
    if (written.fresh) this.#freshId = true
    if (since === undefined || this.#session === undefined) return
    const isOwn = (key: string) =>
      since.set.has(key) ||
      since.deleted.has(key) ||
      sameMember(before.untouched, held.untouched, key)
    this.#showData(this.#session, held.loaded, isOwn)
  }

  /**
   * After a reload or an update: the session shows what is stored.
   * @param seen what the update started from: what the handler has set since then stays
   */
  show(held: Held, seen?: Changes): void {
    const session = this.#session
    const since = seen === undefined ? NO_CHANGES : this.#changedSince()
    const { asked, kept, authenticated } = this
    const identity = this.#identity
    this.#goOn(held, held)
    if (seen === undefined) {
      this.#own = undefined
      // A new id that was asked for is still to come.
      if (asked === 'regenerate') this.#identity = identity
      this.asked = asked
      this.authenticated = authenticated
      this.kept = kept
      if (kept !== undefined) this.#base = narrowed(held, kept)
    }
    if (session === undefined) return
    this.#showData(session, held.loaded, seen === undefined ? () => false : differing(since, seen))
  }

  /** The id was made in this response, and has not left yet. */
  useFreshId(): void {
    this.#freshId = true
  }

  /** Somebody has been given the id, so it can be a new one no longer. */
  spendFreshId(): void {
    this.#freshId = false
  }

  hasFreshId(cookieOpen: boolean): boolean {
    return this.#freshId && cookieOpen
  }

  /** After an update of a session that is not stored yet: its data, to be committed. */
  take(updated: Data, seen: Changes): void {
    const since = this.#changedSince()
    this.#showData(this.session, updated, differing(since, seen))
  }

  #goOn(held: Held, base: Base): void {
    this.#stored = 'live'
    this.#held = held
    this.#identity = held.identity
    this.#base = base
    // What was set while the write was under way is still to come.
    if (this.ownAfter(undefined) === held.facts.own) this.#own = undefined
    if (this.asked !== 'destroy') this.asked = 'nothing'
    this.authenticated = false
    this.kept = undefined
  }

  /** What the handler has changed by now; a value that cannot be stored is left to the commit. */
  #changedSince(): Changes {
    if (this.#session === undefined) return NO_CHANGES
    try {
      return changesSince(this.#base, data(this.#session), RESERVED)
    } catch {
      const keys = Object.keys(this.#session)
      return { set: new Map(keys.map((key) => [key, ''])), deleted: new Set() }
    }
  }

  #showData(session: SessionObject, shown: Data, isOwn: (key: string) => boolean): void {
    const { kept } = this
    const isKept = (key: string) => kept === undefined || kept(key)
    for (const key of Object.keys(session)) {
      const stays = isOwn(key) || (Object.hasOwn(shown, key) && isKept(key))
      if (!stays) Reflect.deleteProperty(session, key)
    }
    fill(session, shown, (key) => !isOwn(key) && isKept(key))
  }

  /** The old session has ended, and the new one has nothing to store yet. */
  leave(): void {
    if (this.#identity === this.#held?.identity) this.#identity = undefined
    this.#stored = 'none'
    this.#held = undefined
    this.#base = EMPTY_BASE
    this.asked = 'nothing'
    this.authenticated = false
    this.kept = undefined
  }

  /** The record turned out to have ended. What the handler sets from now on goes nowhere. */
  end(): void {
    // Or it was renewed by another request.
    this.successor = this.#held?.identity.handle ?? this.successor
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
    this.authenticated = false
    this.kept = undefined
    if (this.#session !== undefined) empty(this.#session)
  }

  /** Goes on in a new object, under a new id unless the present one is still nobody's. */
  regenerate(wanted: boolean | readonly string[], make: () => Identity): void {
    // What an ended session held is nobody's any more.
    const keep = this.#stored === 'ended' || this.#destroyed ? false : wanted
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
      this.#renounced = false
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
}

/** The error a method rejects with where a cookie would be needed and none can be sent. */
export type CookieClosed = Extract<ErrorCode, 'ERR_HEADERS_SENT' | 'ERR_NO_RESPONSE'>

/** @throws OptionError unless `ms` is a lifetime */
export function checkLifetime(ms: number | null | undefined): number | undefined {
  if (ms === undefined || ms === null) return undefined
  if (typeof ms === 'number' && ms > 0 && ms <= LONGEST_TIME) return ms
  throw new OptionError(
    'session.cookie.maxAge takes milliseconds above 0, up to a hundred years, or undefined for the settings.',
  )
}

function presentedBy(start: Start): { readonly id?: string; readonly user?: string } {
  if (start.state === 'live') return namesOf(start.held)
  return 'handle' in start ? { id: start.handle } : {}
}
