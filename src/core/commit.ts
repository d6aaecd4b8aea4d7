import { asError } from '../errors.js'
import { type Changes, conflictsWith, NO_CHANGES, parseEntries } from './changes.js'
import { type CommitPlan, planCommit } from './commit-plan.js'
import { draftOf } from './draft.js'
import type { StaleReason } from './events.js'
import {
  type Declined,
  type Draft,
  Held,
  type Identity,
  type MaybeRewrite,
  namesOf,
  type Written,
} from './keeper.js'
import { cookieIsAgeing, expiryAfter, isHalfSpent } from './lifetime.js'
import { gone, readOnly, strictConflict, tooLate } from './refusals.js'
import type { CookieClosed, SessionState } from './session-state.js'
import { type UserChange, userChange, whoIs } from './user.js'
import type { VisitTools } from './visit-tools.js'

/** Who asks for a commit: the end of the response, or the handler, who is told what is dropped. */
export type Asker = 'response' | 'handler'

/** What the client is to be told, as far as commits have decided. */
export type CookieOrder =
  | { readonly action: 'none' | 'clear' }
  | { readonly action: 'set'; readonly held: Held }

/** A decision, and the changes it was made from. */
export interface Planned {
  readonly plan: CommitPlan
  readonly changes: Changes
}

/** Makes a record of the newest one; the session's lifetime may be another one's. */
type Drafting = (latest: Held | undefined, clocks?: Held) => Draft

const NO_COOKIE: CookieOrder = { action: 'none' }

/** A new id that was stored this long ago, in ms, is looked up again before its cookie leaves. */
const PROMPT = 100

/** Carries out what `commit-plan` decides for one request's session. */
export class Commit {
  readonly #state: SessionState
  readonly #tools: VisitTools
  /** Other live sessions of the same request: a logout ends them too. */
  readonly #others: readonly Held[]
  readonly #told = new Set<StaleReason>()
  /** What the request came with. */
  readonly #loaded: Held | undefined

  cookie: CookieOrder = NO_COOKIE
  /** When a new id was stored. */
  #decided = 0
  /** Why no cookie can be sent any more; undefined: it still can. */
  cookieClosed: CookieClosed | undefined
  /** Throws what would keep the token of a session that travels from the client. */
  check: ((held: Held) => void) | undefined
  /** By the settings, the cookie outlives the browser. */
  persistent = false
  /** Something that needs a cookie came after the headers. */
  wasTooLate = false

  constructor(state: SessionState, tools: VisitTools, others: readonly Held[]) {
    this.#state = state
    this.#tools = tools
    this.#others = others
    this.#loaded = state.held
  }

  /** @throws `ERR_NOT_SERIALIZABLE` */
  plan(asker: Asker): Planned {
    const { held } = this.#state
    const ageing = held !== undefined && this.#isAgeing(held)
    const { changes, state } = this.#state.pending(asker === 'handler', {
      due: (held !== undefined && this.#isOwed(held)) || ageing,
      open: this.cookieClosed === undefined,
      travels: held !== undefined && this.#tools.keeper.travels(held),
    })
    const plan = planCommit(state)
    if (plan.write === 'none' && asker === 'response' && this.#isUnsent()) {
      return { plan: { write: 'confirm', cookie: 'set' }, changes }
    }
    const more = this.#others.length > 0 || this.#state.successor !== undefined
    if (plan.write === 'none' && state.asked === 'destroy' && more) {
      return { plan: { ...plan, write: 'destroy' }, changes }
    }
    return { plan, changes }
  }

  /**
   * The handler has had the session stored, and went on before its cookie leaves. The session may
   * have ended meanwhile, and the browser may have another one.
   */
  #isUnsent(): boolean {
    const { cookie } = this
    if (cookie.action !== 'set' || this.cookieClosed !== undefined) return false
    const { keeper } = this.#tools
    // What it carries is all there is to confirm, where nobody can have revoked it.
    if (keeper.travels(cookie.held) && !keeper.capabilities.revoke) return false
    if (this.#state.asked !== 'nothing') return false
    const isNew = cookie.held.identity.handle !== this.#loaded?.identity.handle
    return !isNew || this.#tools.clock.now() - this.#decided >= PROMPT
  }

  async carryOut({ plan, changes }: Planned, asker: Asker): Promise<void> {
    switch (plan.write) {
      case 'none':
        return this.#settle(plan)
      case 'drop':
        return this.#drop(plan.reason, asker)
      case 'refuse':
        throw readOnly()
      case 'destroy':
        return this.#destroy(plan.cookie)
      case 'confirm':
        return this.#confirm(asker)
      case 'create':
        return this.#create(changes)
      case 'replace':
      case 'renew':
        return this.#write(plan, changes, asker)
    }
  }

  /** Whether the response had nothing to store; then what else there was to do is done. */
  settled({ plan }: Planned): boolean {
    if (plan.write === 'none') this.#settle(plan)
    else if (plan.write === 'drop') this.#drop(plan.reason, 'response')
    else return false
    return true
  }

  #settle({ cookie }: Extract<CommitPlan, { write: 'none' }>): void {
    if (this.#state.asked === 'destroy') this.#forgetData()
    if (cookie === 'clear') this.cookie = { action: 'clear' }
  }

  /** The record turned out to have ended: what this request set goes nowhere, and no cookie does. */
  ended(reason: StaleReason): void {
    this.#stale(reason)
    this.#state.end()
    if (this.cookie.action === 'set') this.cookie = NO_COOKIE
  }

  /** A session was stored under a new id. */
  renewed(from: Held, held: Held, reason: Extract<CommitPlan, { write: 'renew' }>['reason']): void {
    this.cookie = { action: 'set', held }
    this.#decided = this.#tools.clock.now()
    this.#tools.emit('renew', { ...namesOf(held), from: from.identity.handle, reason })
  }

  /** An update was stored; if it has changed the session's own lifetime, the cookie follows. */
  updated(from: Held, held: Held): void {
    this.#tools.emit('commit', namesOf(held))
    const isChanged = from.facts.own !== held.facts.own || this.#tools.keeper.travels(from)
    const isDue = isChanged && this.cookieClosed === undefined
    if (isDue || this.cookie.action === 'set') this.cookie = { action: 'set', held }
  }

  /** The response failed, so no cookie is sent. */
  withdraw(): void {
    this.cookie = NO_COOKIE
  }

  /**
   * Where nothing can be waited for: the cookie of the session that the request came with, if it is
   * due again. That the session was loaded is all the confirmation there can be.
   */
  sendAgain(): boolean {
    const { held, asked } = this.#state
    const loaded = this.#loaded
    if (held === undefined || loaded === undefined || asked === 'destroy') return false
    if (held.identity.handle !== loaded.identity.handle) return false
    const isChanged = loaded.facts.own !== held.facts.own
    const isDue = this.#isOwed(loaded) || isChanged || this.#isAgeing(held)
    if (isDue) this.cookie = { action: 'set', held: this.#used(held) }
    return isDue
  }

  /** Until when a session lives that travels, its token says: there is no store to be told. */
  #used(held: Held): Held {
    const { keeper, lifetime, clock } = this.#tools
    if (!keeper.travels(held)) return held
    const { identity, facts, stored, reissue } = held
    const expiresAt = expiryAfter(facts, lifetime, clock.now())
    return new Held(identity, facts, { ...stored, expiresAt }, reissue)
  }

  /** By an older secret, or because its lifetime was changed where no cookie could be sent. */
  #isOwed({ reissue, facts }: Held): boolean {
    return (reissue || facts.untold === true) && this.cookie.action === 'none'
  }

  #isAgeing(held: Held): boolean {
    const { facts, stored } = held
    const { keeper, lifetime, clock } = this.#tools
    if (keeper.travels(held) && isHalfSpent(facts, stored.expiresAt, lifetime, clock.now())) {
      return true
    }
    const outlives = this.persistent || facts.own !== undefined
    return outlives && cookieIsAgeing(facts, lifetime, clock.now())
  }

  async #create(changes: Changes): Promise<void> {
    const { keeper, emit } = this.#tools
    const draft = this.#drafting(changes, false, true)(undefined)
    const held = await keeper.create(this.#state.identity(this.#newIdentity), draft)
    this.#state.adopt(held, { fresh: true, merged: false })
    this.cookie = { action: 'set', held }
    this.#decided = this.#tools.clock.now()
    emit('create', namesOf(held))
  }

  async #write(
    plan: Extract<CommitPlan, { write: 'replace' | 'renew' }>,
    changes: Changes,
    asker: Asker,
    newest?: Held,
  ): Promise<void> {
    const held = this.#state.held!
    const { keeper, emit, concurrency } = this.#tools
    let merged = false
    let conflicts: string[] = []
    let revealed: UserChange | undefined
    const sent = plan.cookie === 'set'
    const draft = this.#drafting(changes, plan.restart, sent)
    const merge = (latest: Held, draft: Drafting): Draft => {
      if (concurrency === 'overwrite') return draft(held, latest)
      conflicts = conflictsWith(held, latest.untouched, changes)
      if (conflicts.length > 0 && concurrency === 'strict') throw strictConflict()
      return draft(latest)
    }
    const rewrite: MaybeRewrite = (latest) => {
      merged = latest !== held
      if (!merged) return draft(latest)
      const made = merge(latest, draft)
      // Two requests may each have brought half of what names the user.
      revealed = this.#userChange(latest, made)
      if (revealed === undefined || plan.restart) return made
      const isOwnId = this.#state.hasFreshId(this.cookieClosed === undefined)
      if (plan.write === 'replace' && !isOwnId) return undefined
      return merge(latest, this.#drafting(changes, true, sent))
    }
    const isLinked = () =>
      plan.write === 'renew' &&
      revealed === undefined &&
      (plan.reason === 'regenerate' || plan.reason === 'authenticated')
    const written =
      plan.write === 'renew'
        ? await this.#renew(newest ?? held, rewrite, isLinked)
        : await keeper.change(held, rewrite)
    if (written.state === 'declined') {
      if (this.cookieClosed !== undefined) return this.#drop('too-late', asker)
      const renewal = { write: 'renew', cookie: 'set', reason: revealed!, restart: true } as const
      return this.#write(renewal, changes, asker, written.latest)
    }
    if (written.state !== 'stored') {
      this.ended(written.state === 'superseded' ? 'superseded' : 'gone')
      if (asker === 'handler') throw gone('save')
      return
    }
    // An id that the old one still leads to, to end it, is not fresh enough for a sign-in.
    this.#state.adopt(written.held, { fresh: plan.write === 'renew' && !isLinked(), merged })
    if (conflicts.length > 0) emit('conflict', { ...namesOf(written.held), keys: conflicts })
    if (plan.write === 'renew') return this.renewed(held, written.held, revealed ?? plan.reason)
    if (plan.cookie === 'set' || this.cookie.action === 'set') {
      this.cookie = { action: 'set', held: written.held }
    }
    emit('commit', namesOf(written.held))
  }

  #userChange(latest: Held, made: Draft): UserChange | undefined {
    const { userOf } = this.#tools
    return userChange(whoIs(latest.untouched, userOf), whoIs(parseEntries(made.entries), userOf))
  }

  /** Until the old record has ended there are two; whoever spares the one must spare the other. */
  async #renew(
    held: Held,
    rewrite: MaybeRewrite,
    isLinked: () => boolean,
  ): Promise<Written | Declined> {
    const { keeper, renewing } = this.#tools
    const next = this.#state.nextIdentity(this.#newIdentity)
    const isAnnounced = renewing.has(next.handle)
    if (isLinked() && !isAnnounced) renewing.set(next.handle, held.identity.handle)
    try {
      return await keeper.renew(held, next, rewrite, { linked: isLinked, check: this.check })
    } finally {
      if (!isAnnounced) renewing.delete(next.handle)
    }
  }

  #drafting(changes: Changes, restart: boolean, sent: boolean): Drafting {
    const { lifetime, userOf, clock } = this.#tools
    const state = this.#state
    const now = clock.now()
    return (latest, clocks = latest) =>
      draftOf(latest, {
        changes,
        kept: state.kept,
        own: state.ownAfter(clocks),
        restart,
        sent,
        lifetime,
        userOf,
        now,
      })
  }

  async #destroy(cookie: 'none' | 'clear'): Promise<void> {
    const { keeper, emit } = this.#tools
    const { held, asked } = this.#state
    const ending = [held, ...this.#others].filter((one) => one !== undefined)
    const successor = asked === 'destroy' ? this.#successor : undefined
    const ended = await Promise.all([
      ...ending.map((one) => keeper.destroy(one).then((gone) => gone && namesOf(gone))),
      ...(successor === undefined ? [] : [keeper.revoke(successor)]),
    ])
    if (asked === 'regenerate') this.#state.leave()
    else this.#forgetData()
    this.cookie = { action: cookie }
    for (const one of ended) {
      if (one !== undefined) emit('destroy', { ...one, reason: 'logout' })
    }
  }

  get #successor(): string | undefined {
    const { successor, destroyed } = this.#state
    return destroyed ? undefined : successor
  }

  #forgetData(): void {
    this.tellLateData()
    this.#state.destroy()
  }

  /** What was set on a session after its end goes nowhere, whatever comes after that. */
  tellLateData(): void {
    if (this.#state.hasLateData) this.#stale('destroyed')
  }

  /** The cookie is due again, by itself: only for a record that the store still has. */
  async #confirm(asker: Asker): Promise<void> {
    const held = this.#state.held!
    const { keeper, emit } = this.#tools
    try {
      // Not by a touch: that also succeeds on what stands in for a renewed session.
      const isToBeNoted = this.#isAgeing(held) || held.facts.untold === true
      const confirmed = isToBeNoted
        ? await keeper.change(held, this.#drafting(NO_CHANGES, false, true))
        : await keeper.reload(held.identity)
      if (confirmed.state === 'stored' || confirmed.state === 'live') {
        this.cookie = { action: 'set', held: confirmed.held }
        return
      }
      this.#state.end()
      this.cookie = NO_COOKIE
    } catch (error) {
      emit('error', { ...this.#state.names, error: asError(error) })
      // The visitor has not asked for anything: the old cookie still works. A new id was stored a
      // moment ago, and without its cookie nobody has the session.
      if (!this.#state.hasFreshId(true)) this.cookie = NO_COOKIE
      return
    }
    if (asker === 'handler') throw gone('save')
  }

  #drop(reason: StaleReason | 'too-late', asker: Asker): void {
    if (reason !== 'too-late') {
      if (asker === 'handler') throw gone('save')
      return this.#stale(reason)
    }
    this.wasTooLate = true
    if (asker === 'handler') throw tooLate(this.cookieClosed ?? 'ERR_HEADERS_SENT')
    this.#tools.warn(
      'WARN_TOO_LATE',
      'Session data that needs a cookie was set after the headers had left; it is not stored.',
    )
  }

  /** Once for each reason: a streamed response meets the same end several times. */
  #stale(reason: StaleReason): void {
    // A session that was superseded is gone for whatever comes after that.
    if (this.#told.has(reason) || (reason === 'gone' && this.#told.has('superseded'))) return
    this.#told.add(reason)
    this.#tools.emit('stale-write', { ...this.#state.names, reason })
  }

  #newIdentity = (): Identity => this.#tools.keeper.newIdentity()
}
