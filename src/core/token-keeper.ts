import { Recent } from '../crypto/recent.js'
import { keyOf, newId } from '../crypto/session-id.js'
import type { Clock } from './clock.js'
import {
  type Capabilities,
  type Declined,
  type Draft,
  Held,
  type Identity,
  type Keeper,
  type MaybeRewrite,
  type Names,
  type NotWritten,
  type Opened,
  type Renewal,
  type Revoking,
  type Rewrite,
  type Written,
} from './keeper.js'
import { expiryAfter, type LifetimeSettings } from './lifetime.js'
import { decodeRecord, encodeRecord, type Facts } from './record.js'
import { isPending, openedRecord } from './records.js'
import { reservedClaim, withoutServer } from './refusals.js'
import type { End, Revocations, Standing } from './revocations.js'
import type { Awaitable } from './store.js'
import type { TokenStore } from './token-store.js'

export interface TokenKeeperOptions {
  readonly store: TokenStore
  readonly lifetime: LifetimeSettings
  readonly clock: Clock
  /** undefined: what was given to a client can be taken back from nobody. */
  readonly revocations?: Revocations | undefined
  /** Ends what else leads to a session, before that ends or goes on under another id. */
  endOthers?(identity: Identity): Promise<void>
}

/** What is in a token, before anybody is asked whether it was revoked. */
export type Unsealed =
  | Opened
  /** The session is in a store. */
  | {
      readonly state: 'elsewhere'
      readonly identity: Identity
      readonly facts: Facts
      readonly reissue: boolean
    }

/** A write that may go on: what it makes, and of what. */
export interface Prepared {
  readonly state: 'prepared'
  readonly latest: Held
  readonly draft: Draft
}

/** Sessions whose end was told of: twice this many handles. */
const REMEMBERED_ENDS = 1_000

const STORED = '"stored":true'

/**
 * A keeper without sessions: the record travels in the token. Only what was revoked is on the
 * server, if anything is; nothing else is waited for, or shared between requests.
 */
export class TokenKeeper implements Keeper {
  readonly capabilities: Capabilities
  readonly #store: TokenStore
  readonly #lifetime: LifetimeSettings
  readonly #clock: Clock
  readonly #revocations: Revocations | undefined
  readonly #endOthers: (identity: Identity) => Promise<void>
  readonly #forgotten = new Recent<true>(REMEMBERED_ENDS)
  /** The newest state of a session in the request that has it. */
  readonly #latest = new WeakMap<Identity, Held>()

  constructor({ store, lifetime, clock, revocations, endOthers }: TokenKeeperOptions) {
    this.#store = store
    this.#lifetime = lifetime
    this.#clock = clock
    this.#revocations = revocations
    this.#endOthers = endOthers ?? (async () => {})
    this.capabilities = {
      byUser: false,
      revokeUser: revocations !== undefined,
      revoke: revocations !== undefined,
      sweep: revocations?.canSweep === true,
      atomic: 'none',
    }
  }

  travels(): boolean {
    return true
  }

  newIdentity(): Identity {
    // No secret, but of the shape that keys of stores have: the session may have to go into one.
    return { id: '', handle: keyOf(newId()) }
  }

  token({ identity, stored }: Pick<Held, 'identity' | 'stored'>, audience: string): string {
    const { text, expiresAt } = stored
    const at = { now: this.#clock.now(), audience }
    return this.#store.seal({ handle: identity.handle, text, expiresAt }, at)
  }

  open(token: string, audience: string): Awaitable<Opened> {
    const found = this.unseal(token, audience)
    if (found.state === 'live') return this.admit(found.held)
    // There is no store that it could lead to.
    if (found.state === 'elsewhere') return { state: 'gone', handle: found.identity.handle }
    return found
  }

  unseal(token: string, audience: string): Unsealed {
    const now = this.#clock.now()
    const opened = this.#store.open(token, { now, audience })
    if ('rejected' in opened) return { state: 'rejected', reason: opened.rejected }
    const { handle, text, expiresAt } = opened.sealed
    const identity = { id: '', handle }
    const stored = { text, expiresAt }
    const elsewhere = text.includes(STORED) ? factsOfStored(text) : undefined
    // Its clocks are those of the record.
    if (elsewhere !== undefined) {
      return { state: 'elsewhere', identity, facts: elsewhere, reissue: opened.reissue }
    }
    const found = openedRecord(identity, opened.reissue, stored, this.#lifetime, now)
    // There is no record that could be looked at: such a token is as good as any other junk.
    if (found.state === 'corrupt') return { state: 'rejected', reason: 'format' }
    if (found.state !== 'live') return found
    // No store has removed it, and the settings may allow more than they did when it was made.
    if (now >= expiresAt) {
      const { idle, user } = found.held.facts
      const reason = idle === null ? ('absolute' as const) : ('idle' as const)
      const ended = user === undefined ? { reason, stored } : { reason, user, stored }
      return { state: 'gone', handle, ended }
    }
    this.#latest.set(identity, found.held)
    return found
  }

  /** A session that came in a good token, unless it was revoked. */
  admit(held: Held): Awaitable<Opened> {
    const opened: Opened = { state: 'live', held }
    const standing = this.#revocations?.standing(held)
    if (standing === undefined) return opened
    return isPending(standing)
      ? standing.then((answer) => asOpened(opened, answer))
      : asOpened(opened, standing)
  }

  /** What the request carried, or has made of it. */
  async reload(identity: Identity): Promise<Opened> {
    const held = this.#latest.get(identity)
    return held === undefined ? { state: 'gone', handle: identity.handle } : this.admit(held)
  }

  async create(identity: Identity, draft: Draft): Promise<Held> {
    return this.keep(identity, await this.noted(draft))
  }

  async adopt(identity: Identity, draft: Draft): Promise<Held | undefined> {
    // Who was here before, and has ended, may come again with what this is made of.
    const opened = await this.admit(this.made(identity, draft))
    return opened.state === 'live' ? this.create(identity, draft) : undefined
  }

  /** No client was told of it. */
  async discard(): Promise<void> {}

  change(held: Held, rewrite: Rewrite): Promise<Written>
  change(held: Held, rewrite: MaybeRewrite): Promise<Written | Declined>
  async change(held: Held, rewrite: MaybeRewrite): Promise<Written | Declined> {
    const prepared = await this.prepare(held, rewrite)
    if (prepared.state !== 'prepared') return prepared
    return { state: 'stored', held: this.keep(held.identity, prepared.draft) }
  }

  renew(held: Held, identity: Identity, remake: Rewrite, how: Renewal): Promise<Written>
  renew(
    held: Held,
    identity: Identity,
    remake: MaybeRewrite,
    how: Renewal,
  ): Promise<Written | Declined>
  async renew(
    held: Held,
    identity: Identity,
    remake: MaybeRewrite,
    how: Renewal,
  ): Promise<Written | Declined> {
    const prepared = await this.prepare(held, remake, 'renewal')
    if (prepared.state !== 'prepared') return prepared
    const { latest, draft } = prepared
    const objection = await this.supersede(latest, identity, draft, how)
    return objection ?? { state: 'stored', held: this.keep(identity, draft) }
  }

  /**
   * What a write makes of the newest state. A late one of a session that was revoked meanwhile would
   * only put a dead token in the place of a live one.
   */
  async prepare(
    held: Held,
    rewrite: MaybeRewrite,
    isRenewal?: 'renewal',
  ): Promise<Prepared | NotWritten | Declined> {
    const latest = this.#latest.get(held.identity) ?? held
    const draft = rewrite(latest)
    if (draft === undefined) return { state: 'declined', latest }
    // A renewal is listed, and finds out by that whether somebody was faster.
    const asking = isRenewal === undefined ? {} : ({ fresh: true, byHandle: false } as const)
    const standing = await this.#revocations?.standing(latest, { ...asking, during: 'commit' })
    if (standing !== undefined && standing.state !== 'live') return { state: standing.state }
    return { state: 'prepared', latest, draft: await this.noted(draft, latest, standing?.epoch) }
  }

  /** A draft with the epoch of its user, where epochs are kept. */
  async noted(draft: Draft, before?: Held, known?: number): Promise<Draft> {
    const revocations = this.#revocations
    const { user } = draft.facts
    if (revocations === undefined || user === undefined) return draft
    if (user === before?.facts.user) return withEpoch(draft, known ?? 0)
    // It becomes this user's now: one that was raised a moment ago must not end it.
    const kept = await revocations.epochOf(user, { fresh: true, during: 'commit' })
    return withEpoch(draft, kept?.epoch ?? 0)
  }

  /** Ends a session that goes on in a token of another name. undefined: done. */
  async supersede(
    held: Held,
    next: Identity,
    draft: Draft,
    how: Renewal,
  ): Promise<NotWritten | undefined> {
    // What no token or no client can hold fails before the old one ends.
    const made = this.made(next, draft)
    if (this.#revocations !== undefined) how.check?.(made)
    return this.listRenewed(held, next, how)
  }

  /** The same, wherever it goes on. */
  async listRenewed(
    { identity, facts }: Held,
    next: Identity,
    { linked }: Renewal,
  ): Promise<NotWritten | undefined> {
    await this.#endOthers(identity)
    const isLinked = typeof linked === 'function' ? linked() : linked
    const renewal = { next: isLinked ? next.handle : undefined }
    const isFirst = await this.#revocations?.list(identity.handle, facts, renewal)
    if (isFirst !== false) return undefined
    const { state } = await this.#revocations!.whyListed(identity.handle)
    return { state }
  }

  /** The next token says it: see `lifetime.isHalfSpent`. */
  async touch(): Promise<boolean> {
    return true
  }

  /** Without `revocations` it is forgotten by the client that is told so, and by nobody else. */
  async destroy(held: Held): Promise<Held | undefined> {
    return endedAs(held, await this.end(held))
  }

  /** The same; tells where the end has led to. undefined: nothing can be ended. */
  async end({ identity, facts }: Held): Promise<End | undefined> {
    await this.#endOthers(identity)
    return this.#revocations?.end(identity.handle, facts)
  }

  /** The end of a session by its name alone. */
  async endNamed(handle: string): Promise<End | undefined> {
    return this.#revocations?.end(handle)
  }

  /** Nobody knows whether there is such a session: undefined if it had been ended before. */
  async revoke(handle: string): Promise<Names | undefined> {
    const end = isName(handle) ? await this.endNamed(handle) : undefined
    return end?.isFirst ? { id: end.handle } : undefined
  }

  /** The client keeps it, and comes with it again: told once. */
  async forget(handle: string): Promise<boolean> {
    const isFirst = this.#forgotten.get(handle) === undefined
    this.#forgotten.set(handle, true)
    return isFirst
  }

  async list(): Promise<Held[]> {
    throw withoutServer('list')
  }

  /** Nobody can count what the clients have. */
  async revokeUser(user: string, { except, renewing }: Revoking): Promise<number> {
    if (this.#revocations === undefined) throw withoutServer('revokeUser')
    const spared = new Set(except)
    for (const [next, present] of renewing) if (spared.has(present)) spared.add(next)
    // Elsewhere they may have been renewed a moment ago.
    for (const handle of except) {
      for (const later of await this.#revocations.laterNames(handle)) spared.add(later)
    }
    await this.#revocations.endAllOf(user, [...spared])
    return 0
  }

  async sweep(limit: number | undefined): Promise<number> {
    return (await this.#revocations?.sweep(limit)) ?? 0
  }

  async close(): Promise<void> {
    await this.#revocations?.close()
  }

  /** A session as it would travel. */
  made(identity: Identity, { facts, entries }: Draft): Held {
    const { reserved } = this.#store
    for (const key of entries.keys()) if (reserved?.has(key)) throw reservedClaim(key)
    const text = encodeRecord(facts, entries)
    const expiresAt = expiryAfter(facts, this.#lifetime, this.#clock.now())
    return new Held(identity, facts, { text, expiresAt })
  }

  /** The session is this from now on. */
  keep(identity: Identity, draft: Draft): Held {
    const held = this.made(identity, draft)
    this.#latest.set(identity, held)
    return held
  }
}

/** What a caller has asked to end, who may be a program without types. */
export function isName(handle: unknown): boolean {
  return typeof handle === 'string' && handle !== ''
}

/** The session that has ended, under the handle it had in the end; undefined: it had ended before. */
export function endedAs(held: Held, end: End | undefined): Held | undefined {
  if (end === undefined) return held
  if (!end.isFirst) return undefined
  if (end.handle === held.identity.handle) return held
  return new Held({ id: '', handle: end.handle }, held.facts, held.stored)
}

function asOpened(live: Extract<Opened, { state: 'live' }>, standing: Standing): Opened {
  if (standing.state === 'live') return live
  const { handle } = live.held.identity
  return standing.state === 'gone' ? { state: 'gone', handle } : { ...standing, handle }
}

function withEpoch({ facts, entries }: Draft, epoch: number): Draft {
  return { facts: { ...facts, epoch }, entries }
}

/** Of the text of a token that only leads to a store; undefined: it is a whole session. */
function factsOfStored(text: string): Facts | undefined {
  const decoded = decodeRecord(text)
  if (decoded.kind !== 'record' || decoded.record.facts.stored !== true) return undefined
  return decoded.record.facts
}
