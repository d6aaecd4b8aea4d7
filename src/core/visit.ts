import { asError, CoatcheckError, hasCode } from '../errors.js'
import type { Changes } from './changes.js'
import { conflictsWith, NO_CHANGES } from './changes.js'
import { type CommitPlan, planCommit } from './commit-plan.js'
import { draftOf } from './draft.js'
import type { DestroyReason, EventName, Events, StaleReason } from './events.js'
import type { Draft, Held, Identity, Rewrite } from './keeper.js'
import { cookieIsAgeing } from './lifetime.js'
import type { Data } from './record.js'
import { gone, readOnly, strictConflict } from './refusals.js'
import type { RegenerateOptions, SessionHost, SessionObject } from './session.js'
import { type CookieClosed, checkLifetime, SessionState, type Start } from './session-state.js'
import { insideUpdateOf, updateStored } from './update.js'
import type { VisitTools } from './visit-tools.js'

/** Who asks for a commit: the end of the response, or the handler, who is told what is dropped. */
type Asker = 'response' | 'handler'

/**
 * One request's dealings with one session, from load to commit. It carries out what `commit-plan`
 * decides, and knows neither HTTP nor how the keeper keeps things.
 */
export class Visit implements SessionHost {
  readonly state: SessionState
  readonly #tools: VisitTools
  /** Other live sessions of the same request: a logout ends them too. */
  readonly #others: readonly Held[]
  #line: Promise<unknown> = Promise.resolve()
  #waiting = 0

  /** What the client is to be told, as far as commits have decided. */
  cookie: 'none' | 'set' | 'clear' = 'none'
  /** Why no cookie can be sent any more; undefined: it still can. */
  cookieClosed: CookieClosed | undefined
  /** By the settings, the cookie outlives the browser. */
  persistent = false
  /** Why an explicit `save()` or `destroy()` failed, until a later one succeeds. */
  failure: unknown

  constructor(tools: VisitTools, start: Start, others: readonly Held[] = []) {
    this.#tools = tools
    this.#others = others
    this.state = new SessionState(this, start, tools.userOf)
  }

  /**
   * The commit before the response leaves. undefined: nothing is to be stored or sent.
   * @throws what makes the commit fail at once, such as `ERR_NOT_SERIALIZABLE`
   */
  commit(): Promise<void> | undefined {
    if (this.#waiting > 0) return this.#inLine(() => this.#commit('response'))
    const { plan, changes } = this.#plan('response')
    if (plan.write === 'none') {
      this.#apply(plan)
      return undefined
    }
    return this.#inLine(() => this.#carryOut(plan, changes, 'response'))
  }

  handleOf(session: SessionObject): string {
    return this.state.handleOf(session, this.#newIdentity)
  }

  identity(): Identity {
    return this.state.identity(this.#newIdentity)
  }

  isNew(): boolean {
    return this.state.stored !== 'live'
  }

  lifetime(): number | undefined {
    return this.state.own
  }

  setLifetime(ms: number | null | undefined): void {
    const longest = this.#tools.lifetime.absoluteTimeout ?? Number.POSITIVE_INFINITY
    const checked = checkLifetime(ms)
    if (checked !== undefined && checked > longest) {
      this.#tools.warn(
        'WARN_LIFETIME_CAPPED',
        `cookie.maxAge is longer than absoluteTimeout (${longest} ms), which ends the session first.`,
      )
    }
    this.state.own = checked === undefined ? undefined : Math.min(checked, longest)
  }

  save(): Promise<void> {
    return this.#ask('save', () => this.#commit('handler'))
  }

  destroy(): Promise<void> {
    return this.#ask('destroy', async () => {
      this.state.asked = 'destroy'
      await this.#commit('handler')
    })
  }

  regenerate({ keep = false }: RegenerateOptions): Promise<void> {
    return this.#ask('regenerate', async () => {
      this.#refuseReadOnly()
      this.state.regenerate(keep, this.#newIdentity)
    })
  }

  /** The same user has proved itself again: a new id, and both clocks start again. */
  authenticated(): Promise<void> {
    return this.#ask('authenticated', async () => {
      this.#refuseReadOnly()
      if (this.state.stored === 'live') this.state.asked = 'authenticated'
    })
  }

  touch(): Promise<void> {
    return this.#ask('touch', async () => {
      this.#refuseReadOnly()
      const { held } = this.state
      if (held !== undefined) await this.#tools.keeper.touch(held)
    })
  }

  reload(): Promise<void> {
    return this.#ask('reload', async () => {
      this.#refuseReadOnly()
      const { held } = this.state
      if (held === undefined) throw gone('reload')
      const opened = await this.#tools.keeper.reload(held.identity)
      if (opened.state !== 'live') {
        this.state.end()
        throw gone('reload')
      }
      this.state.show(opened.held)
    })
  }

  update(change: (data: Data) => unknown): Promise<unknown> {
    return this.#ask('update', async () => {
      this.#refuseReadOnly()
      if (this.state.destroyed || this.state.stored === 'ended') throw gone('update')
      // What needs a cookie comes first, so that the update is one of the session that goes on.
      if (this.state.asked !== 'nothing' || this.state.lifetimeChanged) {
        await this.#commit('handler')
      }
      const result = await updateStored(this, this.#tools, change)
      if (result.state === 'gone') {
        this.#ended('gone')
        throw gone('update')
      }
      if (result.state === 'commit') await this.#commit('handler')
      if (result.state === 'stored') {
        this.state.show(result.held)
        this.#emitFor('commit', result.held, {})
      }
      return result.value
    })
  }

  #newIdentity = (): Identity => this.#tools.keeper.newIdentity()

  /** Calls of one request run one after the other, and none from inside its own `update`. */
  #ask<T>(op: string, work: () => Promise<T>): Promise<T> {
    if (insideUpdateOf(this)) {
      return Promise.reject(
        new CoatcheckError(
          'ERR_UNSUPPORTED',
          `session.${op}() was called inside the function given to session.update(); call it after.`,
          { op },
        ),
      )
    }
    const done = this.#inLine(work)
    const commits = op === 'save' || op === 'destroy'
    done.then(
      () => {
        if (commits) this.failure = undefined
      },
      (error: unknown) => {
        // A session that has ended is an answer to the one who asked, not a failure.
        if (hasCode(error, 'ERR_GONE')) return
        if (commits) this.failure = error
        // Perhaps nobody awaits it.
        this.#emit('error', { error: asError(error), ...this.#names() })
      },
    )
    return done
  }

  #inLine<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting++
    const result = this.#line.then(work)
    const leave = () => {
      this.#waiting--
    }
    this.#line = result.then(leave, leave)
    return result
  }

  #plan(asker: Asker): { plan: CommitPlan; changes: Changes } {
    const { held } = this.state
    const ageing = held !== undefined && this.#isAgeing(held)
    const { changes, state } = this.state.pending(asker === 'handler', {
      due: (held?.reissue === true && this.cookie === 'none') || ageing,
      open: this.cookieClosed === undefined,
    })
    return { plan: planCommit(state), changes }
  }

  #isAgeing({ facts }: Held): boolean {
    const { lifetime, clock } = this.#tools
    return (
      (this.persistent || facts.own !== undefined) && cookieIsAgeing(facts, lifetime, clock.now())
    )
  }

  async #commit(asker: Asker): Promise<void> {
    const { plan, changes } = this.#plan(asker)
    return this.#carryOut(plan, changes, asker)
  }

  async #carryOut(plan: CommitPlan, changes: Changes, asker: Asker): Promise<void> {
    switch (plan.write) {
      case 'none':
        return this.#apply(plan)
      case 'drop':
        return this.#drop(plan.reason, asker)
      case 'refuse':
        throw readOnly()
      case 'destroy':
        return this.#destroy(plan.cookie)
      case 'confirm':
        return this.#confirm()
      case 'create': {
        const draft = this.#drafting(changes, false, true)(undefined)
        const held = await this.#tools.keeper.create(this.identity(), draft)
        this.state.adopt(held, { changes, renewed: true, merged: false })
        this.cookie = 'set'
        return this.#emitFor('create', held, {})
      }
      case 'replace':
      case 'renew':
        return this.#write(plan, changes, asker)
    }
  }

  async #write(
    plan: Extract<CommitPlan, { write: 'replace' | 'renew' }>,
    changes: Changes,
    asker: Asker,
  ): Promise<void> {
    const held = this.state.held!
    const { keeper } = this.#tools
    let merged = false
    let conflicts: string[] = []
    const draft = this.#drafting(changes, plan.restart, plan.cookie === 'set')
    const rewrite: Rewrite = (latest) => {
      merged = latest !== held
      if (!merged) return draft(latest)
      if (this.#tools.concurrency === 'overwrite') return draft(held, latest)
      conflicts = conflictsWith(this.state.base, latest.untouched, changes)
      if (conflicts.length > 0 && this.#tools.concurrency === 'strict') throw strictConflict()
      return draft(latest)
    }
    const renewed = plan.write === 'renew'
    const written = renewed
      ? await keeper.renew(held, this.state.nextIdentity(this.#newIdentity), rewrite)
      : await keeper.change(held, rewrite)
    if (written.state !== 'stored') {
      this.#ended(written.state === 'superseded' ? 'superseded' : 'gone')
      if (asker === 'handler') throw gone('save')
      return
    }
    this.state.adopt(written.held, { changes, renewed, merged })
    if (plan.cookie === 'set') this.cookie = 'set'
    if (conflicts.length > 0) this.#emitFor('conflict', written.held, { keys: conflicts })
    if (plan.write === 'renew') {
      this.#emitFor('renew', written.held, { from: held.identity.handle, reason: plan.reason })
    } else {
      this.#emitFor('commit', written.held, {})
    }
  }

  #drafting(changes: Changes, restart: boolean, issued: boolean) {
    const { lifetime, userOf, clock } = this.#tools
    const { state } = this
    const now = clock.now()
    return (latest: Held | undefined, clocks = latest): Draft =>
      draftOf(latest, {
        changes,
        kept: state.kept,
        own: state.ownAfter(clocks),
        restart,
        issued: issued && lifetime.absoluteTimeout === null,
        lifetime,
        userOf,
        now,
      })
  }

  #apply(plan: Extract<CommitPlan, { write: 'none' }>): void {
    if (this.state.asked === 'destroy') this.state.destroy()
    if (plan.cookie === 'clear') this.cookie = 'clear'
  }

  async #destroy(cookie: 'none' | 'clear'): Promise<void> {
    const { keeper } = this.#tools
    const ending = [this.state.held!, ...this.#others]
    const regenerated = this.state.asked === 'regenerate'
    const live = await Promise.all(ending.map(({ identity }) => keeper.destroy(identity)))
    if (regenerated) this.state.leave()
    else this.state.destroy()
    this.cookie = cookie
    ending.forEach((held, index) => {
      if (live[index]) this.#emitFor('destroy', held, { reason: 'logout' as DestroyReason })
    })
  }

  /** The cookie is due again, by itself: only for a record that the store still has. */
  async #confirm(): Promise<void> {
    const held = this.state.held!
    try {
      const confirmed = this.#isAgeing(held)
        ? (await this.#tools.keeper.change(held, this.#drafting(NO_CHANGES, false, true))).state ===
          'stored'
        : await this.#tools.keeper.touch(held)
      if (confirmed) this.cookie = 'set'
      else this.state.end()
    } catch (error) {
      // The visitor has not asked for anything: the old cookie still works.
      this.#emit('error', { error: asError(error) })
    }
  }

  #drop(reason: StaleReason | 'too-late', asker: Asker): void {
    if (reason === 'too-late') {
      if (asker === 'handler') throw this.#tooLate()
      this.#tools.warn(
        'WARN_TOO_LATE',
        'Session data that needs a cookie was set after the headers had left; it is not stored.',
      )
      return
    }
    if (asker === 'handler') throw gone('save')
    this.#emit('stale-write', { reason, ...this.#names() })
  }

  #ended(reason: StaleReason): void {
    this.#emit('stale-write', { reason, ...this.#names() })
    this.state.end()
  }

  #names(): { id?: string; user?: string } {
    const { held } = this.state
    if (held === undefined) return {}
    const { user } = held.facts
    const id = held.identity.handle
    return user === undefined ? { id } : { id, user }
  }

  #refuseReadOnly(): void {
    if (this.state.stored === 'unavailable') throw readOnly()
  }

  #tooLate(): CoatcheckError {
    return this.cookieClosed === 'ERR_NO_RESPONSE'
      ? new CoatcheckError('ERR_NO_RESPONSE', 'This would need a cookie, and there is no response.')
      : new CoatcheckError(
          'ERR_HEADERS_SENT',
          'This would need a cookie, and the headers have already left.',
        )
  }

  #emit<Name extends EventName>(name: Name, event: Omit<Events[Name], 'at'>): void {
    this.#tools.emitter.emit(name, { ...event, at: this.#tools.clock.now() } as Events[Name])
  }

  #emitFor<Name extends EventName>(
    name: Name,
    { identity, facts }: Held,
    fields: Omit<Events[Name], 'at' | 'id' | 'user'>,
  ): void {
    const event = { id: identity.handle, ...fields }
    this.#emit(
      name,
      (facts.user === undefined ? event : { ...event, user: facts.user }) as Omit<
        Events[Name],
        'at'
      >,
    )
  }
}
