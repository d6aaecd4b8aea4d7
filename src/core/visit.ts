import { asError, CoatcheckError, hasCode } from '../errors.js'
import { CallLine } from './call-line.js'
import { type Asker, Commit } from './commit.js'
import type { Held, Identity } from './keeper.js'
import type { Data } from './record.js'
import { gone, readOnly, tooLate } from './refusals.js'
import type { RegenerateOptions, SessionHost, SessionObject } from './session.js'
import { checkLifetime, SessionState, type Start } from './session-state.js'
import { insideUpdateOf, updateStored } from './update.js'
import type { VisitTools } from './visit-tools.js'

/**
 * One request's dealings with one session: what a handler can ask of it, one thing after the other.
 * It knows neither HTTP nor how the keeper keeps things; `Commit` does the storing.
 */
export class Visit implements SessionHost {
  readonly state: SessionState
  readonly commits: Commit
  readonly #tools: VisitTools
  readonly #calls: CallLine
  #announced: string | undefined

  /** Why an explicit `save()` or `destroy()` failed, until a later one succeeds. */
  failure: unknown

  constructor(tools: VisitTools, start: Start, others: readonly Held[] = []) {
    this.#tools = tools
    this.#calls = new CallLine(tools.clock, tools.storeTimeout)
    this.state = new SessionState(this, start, tools.userOf)
    this.commits = new Commit(this.state, tools, others)
  }

  /**
   * The commit before the response leaves. undefined: nothing is to be stored or sent.
   * @throws what makes the commit fail at once, such as `ERR_NOT_SERIALIZABLE`
   */
  commit(): Promise<void> | undefined {
    if (!this.#calls.isEmpty) return this.#calls.over().then(() => this.#commitInLine('response'))
    const planned = this.commits.plan('response')
    if (this.commits.settled(planned)) return undefined
    return this.#calls.run(() => this.commits.carryOut(planned, 'response'))
  }

  /** No more is heard of this visit by itself. */
  over(): void {
    if (this.#announced !== undefined) this.#tools.renewing.delete(this.#announced)
  }

  handleOf(session: SessionObject): string {
    const handle = this.state.handleOf(session, this.newIdentity)
    const stored = this.state.held?.identity.handle
    if (
      this.state.asked === 'regenerate' &&
      stored !== undefined &&
      session === this.state.session
    ) {
      if (this.#announced !== handle) this.over()
      this.#announced = handle
      announce(this.#tools.renewing, handle, stored)
    }
    return handle
  }

  identity(): Identity {
    return this.state.identity(this.newIdentity)
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
    return this.#ask('save', () => this.#commitNow('handler'))
  }

  destroy(): Promise<void> {
    return this.#ask('destroy', async () => {
      const { asked } = this.state
      this.state.asked = 'destroy'
      try {
        await this.#commitNow('handler')
      } catch (error) {
        // It can be tried again, and nothing else may carry it out by itself.
        this.state.asked = asked
        throw error
      }
    })
  }

  regenerate({ keep = false }: RegenerateOptions): Promise<void> {
    return this.#ask('regenerate', async () => {
      this.#refuseReadOnly()
      this.#refuseTooLate()
      this.commits.tellLateData()
      const wanted = typeof keep === 'string' ? [keep] : keep
      this.state.regenerate(wanted, this.newIdentity)
    })
  }

  /** The same user has proved itself again: a new id, and both clocks start again. */
  authenticated(): Promise<void> {
    return this.#ask('authenticated', async () => {
      this.#refuseReadOnly()
      this.#refuseTooLate()
      this.state.authenticated = this.state.stored === 'live'
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
        this.commits.ended(opened.state === 'superseded' ? 'superseded' : 'gone')
        throw gone('reload')
      }
      this.state.show(opened.held)
    })
  }

  update(change: (data: Data) => unknown): Promise<unknown> {
    return this.#ask('update', async () => {
      this.#refuseReadOnly()
      const { state } = this
      if (state.destroyed || state.stored === 'ended') throw gone('update')
      if (state.held !== undefined && this.#tools.keeper.travels(state.held)) this.#refuseTooLate()
      // What needs a cookie comes first, so that the update is one of the session that goes on.
      if (state.asked !== 'nothing' || state.authenticated || state.lifetimeChanged) {
        await this.#commitNow('handler')
      }
      const before = state.held
      const result = await updateStored(this, this.#tools, change)
      if (result.state === 'gone') {
        this.commits.ended('gone')
        throw gone('update')
      }
      if (result.state === 'commit') {
        await this.#commitNow('handler')
        return result.value
      }
      const { held, seen, renewed, value } = result
      state.show(held, seen)
      if (renewed === undefined) this.commits.updated(before!, held)
      else {
        state.useFreshId()
        this.commits.renewed(before!, held, renewed)
      }
      return value
    })
  }

  newIdentity = (): Identity => this.#tools.keeper.newIdentity()

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
    const done = this.#calls.run(work)
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
        this.#tools.emit('error', { ...this.state.names, error: asError(error) })
      },
    )
    return done
  }

  #commitInLine(asker: Asker): Promise<void> {
    return this.#calls.run(() => this.#commitNow(asker))
  }

  #commitNow(asker: Asker): Promise<void> {
    return this.commits.carryOut(this.commits.plan(asker), asker)
  }

  #refuseReadOnly(): void {
    if (this.state.stored === 'unavailable') throw readOnly()
  }

  /** A new id that cannot be sent would end the session. */
  #refuseTooLate(): void {
    const { cookieClosed } = this.commits
    if (cookieClosed !== undefined && this.state.stored === 'live') throw tooLate(cookieClosed)
  }
}

/** Some responses never end: each handler that waits for a client that has gone leaves one behind. */
const MOST_ANNOUNCED = 10_000

function announce(renewing: Map<string, string>, handle: string, stored: string): void {
  const [oldest] = renewing.keys()
  if (renewing.size >= MOST_ANNOUNCED && oldest !== undefined) renewing.delete(oldest)
  renewing.set(handle, stored)
}
