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
  notLive,
  type Opened,
  type Renewal,
  type Revoking,
  type Rewrite,
  type Written,
} from './keeper.js'
import { absoluteEnd, type LifetimeSettings, LONGEST_TIME } from './lifetime.js'
import { decodeRecord, encodeRecord, type Facts } from './record.js'
import type { End, Revocations } from './revocations.js'
import type { Awaitable, Stored } from './store.js'
import type { StoreKeeper } from './store-keeper.js'
import { HANDLE } from './store-users.js'
import { endedAs, isName, type TokenKeeper, type Unsealed } from './token-keeper.js'

/** Shorter texts, for this part of what fits, are not sealed only to measure them. */
const SURELY_SMALL = 1 / 4

/** Failures inside a commit have this status. */
const COMMIT = 500

export interface OverflowOptions {
  readonly tokens: TokenKeeper
  /** Keeps what does not fit, under the handles. */
  readonly store: StoreKeeper
  readonly revocations: Revocations | undefined
  readonly lifetime: LifetimeSettings
  readonly now: () => number
  /** The longest token that may carry its session, in characters. */
  readonly longest: number
  /** What tokens are for, as far as it is known: to measure them. */
  readonly audience: string
  /** The store has the list of what was revoked too, and is swept once. */
  readonly isShared: boolean
}

/**
 * Sessions travel in their tokens until one grows too large. It then lies in a store, for the rest
 * of its life, since parallel requests go on to name it; its tokens only lead there. The record
 * notes it (`facts.stored`), and so do those tokens, which only the keys of the token store make.
 */
export class OverflowKeeper implements Keeper {
  readonly capabilities: Capabilities
  readonly #tokens: TokenKeeper
  readonly #store: StoreKeeper
  readonly #revocations: Revocations | undefined
  readonly #options: OverflowOptions
  /** Sessions of requests that lie in the store. */
  readonly #inStore = new WeakSet<Identity>()

  constructor(options: OverflowOptions) {
    const { tokens, store, revocations } = options
    this.#options = options
    this.#tokens = tokens
    this.#store = store
    this.#revocations = revocations
    const sweep = tokens.capabilities.sweep || store.capabilities.sweep
    this.capabilities = { ...tokens.capabilities, sweep }
  }

  travels({ facts }: Held): boolean {
    return facts.stored !== true
  }

  newIdentity(): Identity {
    return this.#tokens.newIdentity()
  }

  token(held: Held, audience: string): string {
    if (this.travels(held)) return this.#tokens.token(held, audience)
    const { created, started, user, epoch } = held.facts
    const named = user === undefined ? {} : { user }
    const facts: Facts = {
      created,
      started,
      idle: null,
      ...named,
      ...(epoch === undefined ? {} : { epoch }),
      stored: true,
    }
    const { lifetime, now } = this.#options
    // When the session ends is told by the store.
    const expiresAt = absoluteEnd(facts, lifetime) ?? now() + LONGEST_TIME
    const stored = { text: encodeRecord(facts, new Map()), expiresAt }
    return this.#tokens.token({ identity: held.identity, stored }, audience)
  }

  open(token: string, audience: string): Awaitable<Opened> {
    const found = this.#tokens.unseal(token, audience)
    if (found.state === 'live') return this.#tokens.admit(found.held)
    return found.state === 'elsewhere' ? this.#follow(found) : found
  }

  /** The record and the epoch of its user, at the same time. A handle that is listed has no record. */
  async #follow(found: Extract<Unsealed, { state: 'elsewhere' }>): Promise<Opened> {
    const { identity, facts, reissue } = found
    const { handle } = identity
    const { user } = facts
    const [opened, kept] = await Promise.all([
      this.#store.reload(identity),
      user === undefined ? undefined : this.#revocations?.epochOf(user),
    ])
    if (opened.state !== 'live') return opened
    const { held } = opened
    // Nothing else is written there.
    if (this.travels(held)) return { state: 'gone', handle }
    const now = held.facts.user
    // The option `user` may find another one in the same data since, and no new token was due.
    const theirs = now === undefined || now === user ? kept : await this.#revocations?.epochOf(now)
    const standing = this.#revocations?.judge(handle, held.facts, theirs)
    if (standing !== undefined && standing.state !== 'live') return { state: 'gone', handle }
    this.#inStore.add(identity)
    if (!reissue) return opened
    return { state: 'live', held: new Held(identity, held.facts, held.stored, true, held.loaded) }
  }

  async reload(identity: Identity): Promise<Opened> {
    if (!this.#inStore.has(identity)) return this.#tokens.reload(identity)
    const opened = await this.#store.reload(identity)
    if (opened.state !== 'live') return opened
    const standing = await this.#revocations?.standing(opened.held, { byHandle: false })
    if (standing === undefined || standing.state === 'live') return opened
    return { state: 'gone', handle: identity.handle }
  }

  async create(identity: Identity, draft: Draft): Promise<Held> {
    const noted = await this.#tokens.noted(draft)
    if (!this.#isLarge(identity, noted)) return this.#tokens.keep(identity, noted)
    return this.#lies(await this.#store.create(identity, stored(noted)))
  }

  async adopt(identity: Identity, draft: Draft): Promise<Held | undefined> {
    const made = await this.#tokens.adopt(identity, draft)
    if (made === undefined) return undefined
    const noted = { ...draft, facts: made.facts }
    if (!this.#isLarge(identity, noted)) return made
    const adopted = await this.#store.adopt(identity, stored(noted))
    // Or somebody else has: then it is looked for where they have put it.
    this.#inStore.add(identity)
    return adopted
  }

  async discard(made: Held): Promise<unknown> {
    return this.travels(made) ? this.#tokens.discard() : this.#store.discard(made)
  }

  change(held: Held, rewrite: Rewrite): Promise<Written>
  change(held: Held, rewrite: MaybeRewrite): Promise<Written | Declined>
  async change(held: Held, rewrite: MaybeRewrite): Promise<Written | Declined> {
    if (!this.travels(held)) return this.#changeStored(held, rewrite)
    const { identity } = held
    const prepared = await this.#tokens.prepare(held, rewrite)
    if (prepared.state !== 'prepared') return prepared
    const { draft } = prepared
    if (!this.#isLarge(identity, draft)) {
      return { state: 'stored', held: this.#tokens.keep(identity, draft) }
    }
    const moved = await this.#store.adopt(identity, stored(draft), COMMIT)
    if (moved === undefined) return this.#join(identity, rewrite)
    // Who has revoked it meanwhile has listed it first, and found nothing in the store, or this.
    const asking = { during: 'commit', fresh: true } as const
    const standing = await this.#revocations?.standing(moved, asking)
    if (standing === undefined || standing.state === 'live') {
      return { state: 'stored', held: this.#lies(moved) }
    }
    await this.#store.destroy(moved)
    return { state: standing.state }
  }

  /** Another request of this session was faster: what both have changed goes together. */
  async #join(identity: Identity, rewrite: MaybeRewrite): Promise<Written | Declined> {
    const found = await this.#lookUp(identity)
    if (found.state !== 'live') return notLive(found)
    // Who was faster may have found the list unreadable, and left the record of a session behind
    // that was revoked.
    const asking = { during: 'commit', fresh: true } as const
    const standing = await this.#revocations?.standing(found.held, asking)
    if (standing !== undefined && standing.state !== 'live') return { state: standing.state }
    return this.#changeStored(this.#lies(found.held), rewrite)
  }

  /** What a commit finds in the store under the name of a session that travels. */
  async #lookUp(identity: Identity): Promise<Opened> {
    // Other makers of tokens may call it anything.
    if (!HANDLE.test(identity.handle)) return { state: 'gone', handle: identity.handle }
    return this.#store.reload(identity, COMMIT)
  }

  async #changeStored(held: Held, rewrite: MaybeRewrite): Promise<Written | Declined> {
    const remake = await this.#remaking(held, rewrite)
    return typeof remake === 'function' ? this.#store.change(held, remake) : remake
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
    if (!this.travels(held)) return this.#renewStored(held, identity, remake, how)
    // A parallel request may have moved it, and then this is not all of it.
    const found = await this.#lookUp(held.identity)
    const { state } = found
    if (state === 'live') return this.#renewStored(found.held, identity, remake, how, 'travels')
    if (found.state !== 'gone') return notLive(found)
    const prepared = await this.#tokens.prepare(held, remake, 'renewal')
    if (prepared.state !== 'prepared') return prepared
    const { draft, latest } = prepared
    if (!this.#isLarge(identity, draft)) {
      const objection = await this.#supersede(latest, identity, how, draft)
      return objection ?? { state: 'stored', held: this.#tokens.keep(identity, draft) }
    }
    const made = await this.#store.create(identity, stored(draft))
    let isSent = false
    try {
      const objection = await this.#supersede(latest, made.identity, how)
      if (objection !== undefined) return objection
      isSent = true
      return { state: 'stored', held: this.#lies(made) }
    } finally {
      if (!isSent) await this.#store.destroy(made)
    }
  }

  /** @param draft what its next token carries; undefined: it goes on in the store */
  async #supersede(
    held: Held,
    next: Identity,
    how: Renewal,
    draft?: Draft,
  ): Promise<NotWritten | undefined> {
    const objection =
      draft === undefined
        ? await this.#tokens.listRenewed(held, next, how)
        : await this.#tokens.supersede(held, next, draft, how)
    // Who has moved it since this renewal looked has not found it on the list.
    if (objection === undefined && this.#revocations !== undefined) {
      await this.#store.revoke(held.identity.handle, COMMIT)
    }
    return objection
  }

  async #renewStored(
    held: Held,
    identity: Identity,
    remake: MaybeRewrite,
    how: Renewal,
    cameBy: 'travels' | 'pointer' = 'pointer',
  ): Promise<Written | Declined> {
    const remaking = await this.#remaking(held, remake, 'renewal')
    if (typeof remaking !== 'function') return remaking
    // For its older tokens, which carry it. If the store fails then, the record goes on, and so do
    // the tokens that lead to it; those that carry it are over.
    const objection = await this.#tokens.listRenewed(held, identity, how)
    if (objection !== undefined && cameBy === 'travels') return objection
    const written = await this.#store.renew(held, identity, remaking, how)
    if (written.state === 'stored') this.#lies(written.held)
    return written
  }

  /** A rewrite for the store. It cannot wait for the epoch of a user while others are writing. */
  async #remaking(
    held: Held,
    rewrite: MaybeRewrite,
    isRenewal?: 'renewal',
  ): Promise<MaybeRewrite | NotWritten | Declined> {
    const revocations = this.#revocations
    const marked = (draft: Draft | undefined) => draft && stored(draft)
    if (revocations === undefined) return (latest) => marked(rewrite(latest))
    const asking = { during: 'commit', byHandle: false } as const
    const standing = await revocations.standing(held, {
      ...asking,
      ...(isRenewal === undefined ? {} : { fresh: true }),
    })
    if (standing.state !== 'live') return { state: 'gone' }
    const probe = rewrite(held)
    if (probe === undefined) return { state: 'declined', latest: held }
    const { user, epoch } = (await this.#tokens.noted(probe, held, standing.epoch)).facts
    return (latest) => {
      const draft = rewrite(latest)
      if (draft === undefined) return undefined
      // Two requests may each have brought half of a user: of an epoch that nobody has asked for.
      const isKnown = draft.facts.user === user && epoch !== undefined
      return stored(isKnown ? { ...draft, facts: { ...draft.facts, epoch } } : draft)
    }
  }

  async touch(held: Held): Promise<boolean> {
    return this.travels(held) ? this.#tokens.touch() : this.#store.touch(held)
  }

  /** Also what a parallel request may have moved meanwhile. */
  async destroy(held: Held): Promise<Held | undefined> {
    // In this order: who moves it looks at the list afterwards.
    const { handle } = held.identity
    const end = await this.#tokens.end(held)
    if (!this.travels(held)) return this.#store.destroy(held)
    const removed = await this.#removeStored(handle, end)
    return endedAs(held, end) ?? (removed && held)
  }

  async revoke(handle: string): Promise<Names | undefined> {
    if (!isName(handle)) return undefined
    const end = await this.#tokens.endNamed(handle)
    const removed = await this.#removeStored(handle, end)
    return removed ?? (end?.isFirst ? { id: end.handle } : undefined)
  }

  async #removeStored(handle: string, end: End | undefined): Promise<Names | undefined> {
    const removed = await this.#store.revoke(handle, COMMIT)
    // A renewal may have brought it there: then nothing in the store leads from the one name to the
    // other. Also in a second try, which finds both listed.
    if (end === undefined || end.handle === handle) return removed
    return (await this.#store.revoke(end.handle, COMMIT)) ?? removed
  }

  async forget(handle: string, ended: Stored): Promise<boolean> {
    const decoded = decodeRecord(ended.text)
    const isStored = decoded.kind === 'record' && decoded.record.facts.stored === true
    return isStored ? this.#store.forget(handle, ended) : this.#tokens.forget(handle)
  }

  list(): Promise<Held[]> {
    return this.#tokens.list()
  }

  revokeUser(user: string, revoking: Revoking): Promise<number> {
    return this.#tokens.revokeUser(user, revoking)
  }

  async sweep(limit: number | undefined): Promise<number> {
    const swept = await this.#store.sweep(limit)
    const left = limit === undefined ? undefined : limit - swept
    if (this.#options.isShared || (left !== undefined && left <= 0)) return swept
    return swept + (await this.#tokens.sweep(left))
  }

  async close(): Promise<void> {
    await Promise.all([this.#tokens.close(), this.#store.close()])
  }

  #isLarge(identity: Identity, draft: Draft): boolean {
    const { longest, audience } = this.#options
    // Of a token by another maker, who may call it anything.
    if (!HANDLE.test(identity.handle)) return false
    const held = this.#tokens.made(identity, draft)
    if (Buffer.byteLength(held.text) < longest * SURELY_SMALL) return false
    return this.#tokens.token(held, audience).length > longest
  }

  #lies(held: Held): Held {
    this.#inStore.add(held.identity)
    return held
  }
}

function stored({ facts, entries }: Draft): Draft {
  return { facts: { ...facts, stored: true }, entries }
}
