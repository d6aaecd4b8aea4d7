import type { ErrorCode } from '../errors.js'
import type { RenewReason, StaleReason } from './events.js'
import type { UserChange } from './user.js'

/** What a commit knows of its session. No time, no store, no HTTP: a table can list every case. */
export interface CommitState {
  /**
   * What is stored under the request's present id, as far as it knows:
   * - `none`: nothing yet, a new session
   * - `live`: a record
   * - `gone`: the token names nothing that lives
   * - `superseded`: the token names a session that was renewed a moment ago
   * - `ended`: it was a record, and ended while the request ran
   * - `unavailable`: the store failed at load, and the application goes on without it
   */
  readonly stored: 'none' | 'live' | 'gone' | 'superseded' | 'ended' | 'unavailable'
  /** What the handler asked for besides changing data. */
  readonly asked: 'nothing' | 'destroy' | 'regenerate'
  /** The same user has proved itself again. */
  readonly authenticated: boolean
  /** The handler has called `save()`, which stores an empty session too. */
  readonly saving: boolean
  /** `destroy()` has already been carried out in this request. */
  readonly destroyed: boolean
  /** The record differs from what was loaded. */
  readonly changed: boolean
  /** There is data. */
  readonly hasData: boolean
  readonly userChange: UserChange | undefined
  /** The present id was made in this response and has not left, so nobody else can know it. */
  readonly freshId: boolean
  /** The client should get its cookie again: an older secret, a new lifetime, an ageing cookie. */
  readonly cookieDue: boolean
  /** The record is in the token: what changes it needs a cookie. */
  readonly travels: boolean
  /** A cookie can still be sent. */
  readonly cookieOpen: boolean
}

/** What to write and what to tell the client. */
export type CommitPlan =
  | { readonly write: 'none'; readonly cookie: 'none' | 'clear' }
  /** Have the store confirm the record, then send the cookie again. */
  | { readonly write: 'confirm'; readonly cookie: 'set' }
  | { readonly write: 'create'; readonly cookie: 'set' }
  | { readonly write: 'replace'; readonly cookie: 'none' | 'set'; readonly restart: boolean }
  | {
      readonly write: 'renew'
      readonly cookie: 'set'
      readonly reason: RenewReason
      readonly restart: boolean
    }
  | { readonly write: 'destroy'; readonly cookie: 'none' | 'clear' }
  /** Drop the change in silence: an event, no error. */
  | { readonly write: 'drop'; readonly reason: StaleReason | 'too-late' }
  | { readonly write: 'refuse'; readonly code: ErrorCode }

const NOTHING: CommitPlan = { write: 'none', cookie: 'none' }

/** The decision at the end of a request, and at each explicit `save()`. */
export function planCommit(state: CommitState): CommitPlan {
  if (state.asked === 'destroy') return planDestroy(state)
  switch (state.stored) {
    case 'unavailable':
      return planUnavailable(state)
    case 'live':
      return planLive(state)
    case 'ended':
      return state.changed || state.saving ? { write: 'drop', reason: 'gone' } : NOTHING
    case 'none':
    case 'gone':
    case 'superseded':
      return planNew(state)
  }
}

function planDestroy({ stored, cookieOpen }: CommitState): CommitPlan {
  if (stored === 'unavailable') return { write: 'refuse', code: 'ERR_READ_ONLY' }
  const cookie = cookieOpen ? 'clear' : 'none'
  // Nothing to remove: still clear the cookie, a logout may be repeated.
  return { write: stored === 'live' ? 'destroy' : 'none', cookie }
}

/** Public pages go on without the store; what would be believed to be stored must not. */
function planUnavailable({ asked, saving, changed, userChange }: CommitState): CommitPlan {
  if (asked !== 'nothing' || saving || userChange !== undefined) {
    return { write: 'refuse', code: 'ERR_READ_ONLY' }
  }
  return changed ? { write: 'drop', reason: 'unavailable' } : NOTHING
}

function planNew(state: CommitState): CommitPlan {
  const { stored, saving, destroyed, hasData, userChange, cookieOpen } = state
  if (!hasData && !saving) return NOTHING
  if (destroyed) return { write: 'drop', reason: 'destroyed' }
  // Late requests of an old id start nothing, unless somebody signs in with it.
  if (stored === 'superseded' && userChange === undefined) {
    return { write: 'drop', reason: 'superseded' }
  }
  if (!cookieOpen) return { write: 'drop', reason: 'too-late' }
  return { write: 'create', cookie: 'set' }
}

function planLive(state: CommitState): CommitPlan {
  const { asked, saving, changed, hasData, freshId, cookieDue, cookieOpen, travels } = state
  const reason = renewReason(state)
  const restart = state.userChange !== undefined || state.authenticated
  if (asked === 'regenerate' && !hasData && !saving) {
    // The old session ends and there is nothing to start a new one with.
    return { write: 'destroy', cookie: cookieOpen ? 'clear' : 'none' }
  }
  if (reason !== undefined && !freshId) {
    if (!cookieOpen) return { write: 'drop', reason: 'too-late' }
    return { write: 'renew', cookie: 'set', reason, restart }
  }
  const isWritten = reason !== undefined || changed
  if (isWritten && travels && !cookieOpen) return { write: 'drop', reason: 'too-late' }
  const cookie = (cookieDue || (isWritten && travels)) && cookieOpen ? 'set' : 'none'
  if (isWritten) {
    return { write: 'replace', cookie, restart }
  }
  return cookie === 'set' ? { write: 'confirm', cookie } : NOTHING
}

/** Why the live session needs another id; undefined: it keeps the one it has. */
function renewReason(state: CommitState): RenewReason | undefined {
  if (state.userChange !== undefined) return state.userChange
  if (state.authenticated) return 'authenticated'
  return state.asked === 'regenerate' ? 'regenerate' : undefined
}

/** Options of express-session that decide what a commit does. */
export interface OldPolicy {
  /** Stores a session that has not changed. */
  readonly resave: boolean
  /** Stores a new session without data. */
  readonly saveUninitialized: boolean
  /** Sends the cookie with every response. */
  readonly rolling: boolean
}

/** What a commit in the way of express-session knows of its session. */
export interface OldCommitState {
  /** What the store had under this id when it was last asked in this request. */
  readonly stored: 'none' | 'live' | 'gone'
  /** The request came with this id. */
  readonly presented: boolean
  /** The data is not what was loaded or made, or the id is a new one. */
  readonly changed: boolean
  /** What the store was last given or, unless `resave`, has given: is the session still that? */
  readonly saved: 'never' | 'before' | 'now'
  /** The cookie ends at a date: it is sent again when the session has changed. */
  readonly dated: boolean
  readonly policy: OldPolicy
}

/** What to write, and whether the client gets the cookie if nothing has left yet. */
export interface OldCommitPlan {
  readonly write: 'none' | 'create' | 'replace' | 'touch'
  readonly cookie: 'none' | 'set'
}

/** The same decision in the way of express-session: its four booleans, its outcome. */
export function planOldCommit(state: OldCommitState): OldCommitPlan {
  const { stored, presented, changed, saved, dated, policy } = state
  const isFirst = !presented && saved === 'never' && !policy.saveUninitialized
  const isDue = isFirst ? changed : saved !== 'now'
  const isTold = presented
    ? policy.rolling || (dated && changed)
    : policy.saveUninitialized || changed
  // Nothing brings an ended session back, into the store or into the browser.
  if (stored === 'gone') return { write: 'none', cookie: 'none' }
  const cookie = isTold ? 'set' : 'none'
  if (isDue) return { write: stored === 'live' ? 'replace' : 'create', cookie }
  return { write: presented ? 'touch' : 'none', cookie }
}
