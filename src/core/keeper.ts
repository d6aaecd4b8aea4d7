import type { Base } from './changes.js'
import type { Data, Facts } from './record.js'
import { decodeRecord } from './record.js'
import type { Awaitable, Stored } from './store.js'

/** The two names of a session: the secret one in the token, and the public one. */
export interface Identity {
  readonly id: string
  /** `session.id`: safe to log and to show, opens nothing. */
  readonly handle: string
}

/** A session as it was found or left at the keeper's: what the next write is compared with. */
export class Held implements Base {
  readonly identity: Identity
  readonly facts: Facts
  readonly stored: Stored
  /** The token came in a form that should be replaced (an older secret). */
  readonly reissue: boolean
  #loaded: Data | undefined
  #untouched: Data | undefined

  constructor(identity: Identity, facts: Facts, stored: Stored, reissue = false, loaded?: Data) {
    this.identity = identity
    this.facts = facts
    this.stored = stored
    this.reissue = reissue
    this.#loaded = loaded
  }

  /** The data, in the objects that a handler gets and changes. */
  get loaded(): Data {
    this.#loaded ??= this.#parse()
    return this.#loaded
  }

  /** The data as stored, in objects that no handler ever gets. */
  get untouched(): Data {
    this.#untouched ??= this.#parse()
    return this.#untouched
  }

  get text(): string {
    return this.stored.text
  }

  #parse(): Data {
    const decoded = decodeRecord(this.stored.text)
    return decoded.kind === 'record' ? decoded.record.data : {}
  }
}

/** What events call a session: its handle, and whose it is if that is known. */
export interface Names {
  readonly id: string
  readonly user?: string
}

export function namesOf({ identity, facts }: Held): Names {
  const id = identity.handle
  return facts.user === undefined ? { id } : { id, user: facts.user }
}

/** What a token leads to. Only `live` has a session; none of the others is an error. */
export type Opened =
  | { readonly state: 'live'; readonly held: Held }
  /** Unknown, destroyed, revoked, or ended by one of its clocks (`ended`). */
  | { readonly state: 'gone'; readonly handle: string; readonly ended?: Ended }
  /** Renewed a moment ago: this is the old id of a session that goes on under a new one. */
  | { readonly state: 'superseded'; readonly handle: string; readonly next: string | undefined }
  | { readonly state: 'corrupt'; readonly handle: string; readonly reason: string }
  | { readonly state: 'rejected'; readonly reason: 'format' | 'signature' }

export interface Ended {
  readonly reason: 'idle' | 'absolute'
  readonly user?: string
  /** The record that has ended, as it was found. */
  readonly stored: Stored
}

/** What a write should store: facts, and the JSON text of each top-level key. */
export interface Draft {
  readonly facts: Facts
  readonly entries: ReadonlyMap<string, string>
}

/**
 * Makes what to write out of the newest record, and is called again whenever that one has changed
 * in the meantime. Throws what should end the attempt.
 */
export type Rewrite = (latest: Held) => Draft

/** A rewrite that can also decline: undefined writes nothing and hands the newest record back. */
export type MaybeRewrite = (latest: Held) => Draft | undefined

/** How a write ended. Anything but `stored` wrote nothing. */
export type Written = { readonly state: 'stored'; readonly held: Held } | NotWritten
export type NotWritten = { readonly state: 'gone' | 'superseded' | 'corrupt' }
/** How a write ends on what is not live. */
export function notLive({ state }: { readonly state: Opened['state'] }): NotWritten {
  return { state: state === 'superseded' || state === 'corrupt' ? state : 'gone' }
}

export type Declined = { readonly state: 'declined'; readonly latest: Held }

export interface Renewal {
  /**
   * The old id still stands for the session that goes on, to end it: nobody signed in or out. A
   * function is asked when all that others have written is in.
   */
  readonly linked: boolean | (() => boolean)
  /**
   * Throws what would keep the next token of a session that travels from its client. Asked before
   * the old one ends, so that nobody is left with neither.
   */
  readonly check?: ((next: Held) => void) | undefined
}

/** Whom `revokeUser` spares, and who hears what it ends. */
export interface Revoking {
  /** Handles of sessions that stay, also under the ids that they are renewed to meanwhile. */
  readonly except: readonly string[]
  /** The handles that sessions are being renewed to right now, with the present ones. */
  readonly renewing: ReadonlyMap<string, string>
  /** Hears of each end at once: a later failure takes nothing back. */
  onEnded(held: Held): void
}

/** How far a keeper's promises go; shown as `sessions.capabilities`. */
export interface Capabilities {
  /** `list` works, and `revokeUser` counts what it ends. */
  readonly byUser: boolean
  /** `revokeUser` works. */
  readonly revokeUser: boolean
  /** `revoke` works. */
  readonly revoke: boolean
  /** `sweep` removes something. Where the server expires by itself it is false, and nothing is missed. */
  readonly sweep: boolean
  /** How far `update` and the merge of parallel requests reach. */
  readonly atomic: 'everywhere' | 'process' | 'none'
}

/**
 * Turns tokens into sessions and back. Middleware and manager know this contract only, whichever
 * way the state is kept. Every failure is a `CoatcheckError`; each call is bounded in time.
 */
export interface Keeper {
  /** Whether the record is in the token, so that each change needs a new one at the client. */
  travels(held: Held): boolean
  readonly capabilities: Capabilities
  /** A new pair of names. Nothing is stored. */
  newIdentity(): Identity
  /** The text a client carries for this session. `audience` is what it is for: the cookie's name. */
  token(held: Held, audience: string): string
  /** What a token leads to. Answers at once where the store does. */
  open(token: string, audience: string): Awaitable<Opened>
  /** The newest state of a session that was open. */
  reload(identity: Identity): Promise<Opened>
  /** Stores a new session. The identity may come out different, if its id was taken. */
  create(identity: Identity, draft: Draft): Promise<Held>
  /** Stores a new session under this very identity; undefined: somebody has made it meanwhile. */
  adopt(identity: Identity, draft: Draft): Promise<Held | undefined>
  /** Atomic read-modify-write of a live session. */
  change(held: Held, rewrite: Rewrite): Promise<Written>
  change(held: Held, rewrite: MaybeRewrite): Promise<Written | Declined>
  /** Stores a session under a new identity and ends the old one, or leaves the old one as it is. */
  renew(held: Held, identity: Identity, remake: Rewrite, how: Renewal): Promise<Written>
  renew(
    held: Held,
    identity: Identity,
    remake: MaybeRewrite,
    how: Renewal,
  ): Promise<Written | Declined>
  /** Notes activity now. False: gone. */
  touch(held: Held): Promise<boolean>
  /**
   * Ends a session, also one that somebody has changed or renewed since. Gives what it ended, which
   * has another handle after a renewal; undefined: there was nothing live.
   */
  destroy(held: Held): Promise<Held | undefined>
  /** The same by a public name; gives the names of what it ended. */
  revoke(handle: string): Promise<Names | undefined>
  /** Takes back what `adopt` has made, and nobody was told of. */
  discard(made: Held): Promise<unknown>
  /** Removes a record that a clock has ended. False: somebody else has, or it was revived. */
  forget(handle: string, ended: Stored): Promise<boolean>
  /** Live sessions of a user. Rejects with `ERR_UNSUPPORTED` where there is no index. */
  list(user: string): Promise<Held[]>
  /**
   * Ends sessions of a user that exist now, all but those named; gives their number, or 0 where
   * nobody can count them. One that cannot be ended is thrown when all the others were tried.
   */
  revokeUser(user: string, revoking: Revoking): Promise<number>
  sweep(limit: number | undefined): Promise<number>
  close(): Promise<void>
}
