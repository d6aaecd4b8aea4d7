import { CallLine } from '../core/call-line.js'
import { planOldCommit } from '../core/commit-plan.js'
import { tooLate } from '../core/refusals.js'
import type { Awaitable } from '../core/store.js'
import type { UserChange } from '../core/user.js'
import { keyOf } from '../crypto/session-id.js'
import { asError, hasCode } from '../errors.js'
import type { CookieReason } from '../explanation.js'
import type { HeaderEdit } from '../http/header-view.js'
import type { Holder, HoldReport } from '../http/holder.js'
import { type Entries, entriesOf, sameEntries } from './data.js'
import type { SessionExplanation } from './explained.js'
import type { House } from './house.js'
import { Kept } from './kept.js'
import { hasCookie, sessionAt } from './present.js'
import { isLatest, noteLatest, type Request } from './request.js'
import { SentCookie, type Ties } from './sent-cookie.js'
import { type Doer, renamed, Session } from './session.js'
import { revive } from './store.js'

/**
 * One request and its session: what the handler asks of it, what is stored before the response
 * leaves, and which cookie leaves with it.
 */
export class Visit implements Holder, Doer {
  readonly #house: House
  readonly #req: Request
  readonly #ties: Ties
  readonly #kept: Kept
  readonly #sent: SentCookie
  /** The life of the cookie was started again. */
  #isTouched = false
  #isTouchSent = false
  /** Which cookie leaves is decided. */
  #hasBegun = false
  #isOver = false
  /** An error page has taken the place of the response, and stores nothing. */
  #isDropped = false
  /** The store should hear that the session is used: its own touch does not write that. */
  #isAgeDue = false
  #found: 'new' | 'loaded' | 'gone' = 'new'
  /** What could not be stored before the headers: it was told, and is not tried once more. */
  #refused: Entries | undefined
  /** What the handler could not destroy. */
  #unended: string | undefined
  #calls: CallLine | undefined
  #errors: unknown[] | undefined

  constructor(house: House, req: Request, ties: Ties) {
    this.#house = house
    this.#req = req
    this.#ties = ties
    this.#kept = new Kept(house)
    this.#sent = new SentCookie(house, req, ties, (error) => this.#failed(error))
  }

  load(id: string) {
    return this.#kept.load(id)
  }

  /** The record that the cookie led to. */
  takeIn(found: object): void {
    const req = this.#req
    const session = revive(req, found)
    this.#sent.last = session.cookie
    this.#found = 'loaded'
    this.#isAgeDue = this.#house.settings.clocks?.note(session.cookie) === true
    this.#kept.loaded(session, found)
  }

  /** A new id and an empty session. */
  generate(): void | Promise<void> {
    const id = this.#house.newId(this.#req)
    if (typeof id === 'string') this.#begin(id)
    else return Promise.resolve(id).then((made) => this.#begin(made))
  }

  #begin(id: string): void {
    const req = this.#req
    req.sessionID = id
    const session = new Session(req)
    session.cookie = this.#sent.make()
    this.#house.settings.clocks?.note(session.cookie)
    req.session = session
    this.#sent.last = session.cookie
    this.#isTouched = false
    this.#kept.made(id)
  }

  save(session: Session): Promise<void> {
    return this.#ask(() => {
      const { userOf } = this.#house.settings
      const change = userOf && this.#kept.userChange(session.id, entriesOf(session))
      if (change === undefined) return this.#kept.store(session)
      if (this.#hasBegun) throw tooLate('ERR_HEADERS_SENT')
      return this.#renew(session, change)
    })
  }

  reload({ id }: Session): Promise<void> {
    return this.#ask(async () => {
      const found = this.#kept.hasEnded(id) ? undefined : await this.#kept.load(id)
      if (typeof found !== 'object' || !hasCookie(found)) {
        throw new Error('failed to load session')
      }
      this.takeIn(found)
    })
  }

  destroy({ id }: Session): Promise<void> {
    delete this.#req.session
    return this.#ask(async () => {
      try {
        await this.#end(id)
      } catch (error) {
        this.#unended = id
        throw error
      }
    })
  }

  regenerate(): Promise<void> {
    return this.#ask(async () => {
      let failure: unknown
      try {
        await this.#end(this.#req.sessionID)
      } catch (error) {
        failure = error
      }
      await this.generate()
      if (failure !== undefined) throw failure
    })
  }

  begin(): HeaderEdit | undefined | Promise<HeaderEdit | undefined> {
    const calls = this.#calls
    if (calls === undefined || calls.isEmpty) return this.#commitFirst()
    return this.#overOf(calls).then(() => this.#commitFirst())
  }

  /** Nothing can be waited for: only the cookie is sent, where it is due. */
  beginNow(): HeaderEdit | undefined {
    this.#hasBegun = true
    const session = this.#present()
    if (session === undefined) return undefined
    this.#touchCookie(session)
    this.#sent.order = this.#plan(session, entriesOf(session)).cookie
    const edit = this.#edit(session)
    return (headers) => {
      // engine.io joins several by a comma, which no browser takes apart.
      if (headers.get('Set-Cookie') === undefined) edit?.(headers)
    }
  }

  finish(): undefined | Promise<void> {
    const calls = this.#calls
    if (calls === undefined || calls.isEmpty) return this.#commitLast()
    return this.#overOf(calls).then(() => this.#commitLast())
  }

  left(): void {
    this.#ties.leave()
  }

  ended(): void {
    this.#isOver = true
    if (this.#ties.isMinimal) this.#commitInBackground()
    this.#ties.leave('ended')
    const errors = this.#errors ?? []
    this.#errors = undefined
    for (const error of errors) setImmediate(this.#ties.next, error)
  }

  /** The handler ends a response whose client had left before, and whose last commit was then. */
  endedLate(): void {
    if (this.#isOver && !this.#isDropped) this.#commitInBackground()
  }

  report(report: HoldReport): void {
    switch (report.type) {
      case 'held-bytes':
        this.#house.warnHeld(report.bytes)
        break
      case 'overflow':
        this.#tell(new Error('A response grew too large while its session was being stored.'))
        break
      case 'failed':
        this.#isDropped = true
        this.#tell(report.error)
        break
      case 'late-error':
        this.#tell(report.error)
        this.#failed(report.error)
        break
    }
  }

  #commitFirst(): HeaderEdit | undefined | Promise<HeaderEdit | undefined> {
    this.#hasBegun = true
    const session = this.#present()
    if (session === undefined) {
      const ending = this.#endUnset()
      if (ending === undefined) return this.#edit()
      return this.#settled(ending).then(() => this.#edit())
    }
    const entries = this.#kept.isAsLoaded(session) ? undefined : entriesOf(session)
    this.#touchCookie(session)
    const change = this.#kept.userChange(session.id, entries)
    if (change !== undefined) {
      const renewing = this.#inLine(() => this.#renew(session, change))
      return this.#house.inBackground(renewing).then(() => {
        this.#sent.order = this.#kept.isGone ? 'none' : 'set'
        return this.#edit(this.#present())
      })
    }
    const { write, cookie } = this.#plan(session, entries)
    this.#sent.order = cookie
    if (write === 'touch') this.#touch(session, entries)
    if (write === 'none' || write === 'touch') return this.#edit(session)
    const stored = () => {
      if (this.#kept.isGone) this.#sent.order = 'none'
      return this.#edit(session)
    }
    // The write is a touch as well.
    this.#isTouchSent = true
    let storing: Awaitable<void>
    try {
      storing = this.#kept.store(session)
    } catch (error) {
      storing = Promise.reject(error)
    }
    if (storing === undefined) return stored()
    storing.then(undefined, () => {
      this.#refused = entries
    })
    return this.#settled(this.#inLine(() => storing as Promise<void>)).then(stored)
  }

  /** Somebody has signed in or out: whoever knew the old id must not know the new one. */
  async #renew(session: Session, reason: UserChange): Promise<void> {
    const req = this.#req
    const from = session.id
    req.sessionID = await this.#house.newId(req)
    const next = renamed(session, req)
    if (req.session === session) req.session = next
    try {
      await this.#kept.renew(next, from, reason)
    } catch (error) {
      req.sessionID = from
      renamed(next, req)
      throw error
    }
  }

  /** At the end of a response whose headers have left before. */
  #commitLast(): undefined | Promise<void> {
    const session = this.#present()
    if (session === undefined) return this.#endUnset()
    this.#touchCookie(session)
    const entries = entriesOf(session)
    if (this.#refused !== undefined && sameEntries(this.#refused, entries)) return undefined
    if (this.#kept.userChange(session.id, entries) !== undefined) {
      this.#house.warnTooLate('user')
      return undefined
    }
    const { write, cookie } = this.#plan(session, entries)
    if (write === 'touch') this.#touch(session, entries)
    if (write === 'none' || write === 'touch') return undefined
    if (cookie === 'set' && write === 'create') this.#house.warnTooLate('new')
    return this.#house.inBackground(this.#inLine(() => this.#kept.store(session)))
  }

  #commitInBackground(): void {
    const failed = (error: unknown) => this.report({ type: 'late-error', error })
    try {
      this.finish()?.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  #plan(session: Session, entries: Entries | undefined) {
    const { sessionID } = this.#req
    // A program has put something else there: express-session leaves such a session alone.
    if (typeof sessionID !== 'string') return { write: 'none', cookie: 'none' } as const
    const plan = planOldCommit({
      ...this.#kept.state(session, entries),
      presented: this.#ties.received.ids.includes(sessionID),
      dated: session.cookie.expires != null,
      policy: this.#house.settings.policy,
    })
    if (plan.write === 'touch' && this.#isAgeDue) return { ...plan, write: 'replace' } as const
    const isTouch = plan.write === 'touch' && !this.#house.keeper.touches
    return isTouch ? ({ ...plan, write: 'none' } as const) : plan
  }

  /** What is at `req.session` now, as a session; undefined: nothing. */
  #present(): Session | undefined {
    const found = sessionAt(this.#req, () => this.#sent.last ?? this.#sent.make())
    if (found?.isMade) this.#house.settings.clocks?.note(found.session.cookie)
    return found?.session
  }

  #touchCookie(session: Session): void {
    if (this.#isTouched) return
    this.#isTouched = true
    // Data may have any name, and programs put a touch of their own there.
    if (typeof session.touch === 'function') session.touch()
    else session.cookie.maxAge = session.cookie.originalMaxAge
  }

  async #end(id: string): Promise<void> {
    this.#kept.ends(id)
    await this.#house.keeper.destroy(id)
    if (this.#house.settings.clearsCookie) this.#sent.order = 'clear'
    this.#house.emit('destroy', { id: keyOf(id), reason: 'logout' })
  }

  /** `req.session = null`, where the option `unset` says that this ends it. */
  #endUnset(): Promise<void> | undefined {
    const { sessionID, session } = this.#req
    if (!this.#house.settings.destroysUnset || session != null) return undefined
    const isTriedAgain = this.#unended === sessionID
    this.#unended = undefined
    if (!sessionID || (this.#kept.hasEnded(sessionID) && !isTriedAgain)) return undefined
    return this.#house.inBackground(this.#inLine(() => this.#end(sessionID)))
  }

  /** Never waited for. */
  #touch(session: Session, entries: Entries | undefined): void {
    if (this.#isTouchSent) return
    this.#isTouchSent = true
    const touching = this.#kept.touch(session, entries)
    if (touching === undefined) return
    const req = this.#req
    noteLatest(req)
    this.#house.touches++
    const over = Promise.resolve(touching).finally(() => this.#house.touches--)
    this.#house.inBackground(over).catch((error: unknown) => {
      this.#tell(error)
      // Express would end another request that the connection is busy with by then.
      const isTooLate = hasCode(error, 'ERR_STORE_TIMEOUT') || !isLatest(req)
      if (!isTooLate) setImmediate(this.#ties.next, error)
    })
  }

  /** Until the handler's own calls are over. That they take too long is a failure like others. */
  #overOf(calls: CallLine): Promise<void> {
    return this.#settled(calls.over().then(() => {}))
  }

  /** A failure does not hold the response up, unless the program wants an error in its place. */
  #settled(work: Promise<void>): Promise<void> {
    if (this.#house.settings.failsInstead) return this.#house.inBackground(work)
    return this.#house.inBackground(work).catch((error: unknown) => {
      this.#tell(error)
      this.#failed(error)
      // It names somebody else's session.
      if (hasCode(error, 'ERR_ID_TAKEN')) this.#sent.order = 'none'
    })
  }

  #tell(error: unknown): void {
    this.#house.emit('error', { error: asError(error) })
  }

  #failed(error: unknown): void {
    this.#errors ??= []
    this.#errors.push(error)
  }

  #inLine<T>(work: () => Awaitable<T>): Promise<T> {
    const { clock, storeTimeout } = this.#house.settings
    this.#calls ??= new CallLine(clock, storeTimeout)
    return this.#calls.run(async () => work())
  }

  #ask(work: () => Awaitable<void>): Promise<void> {
    const done = this.#house.inBackground(this.#inLine(work))
    done.catch((error: unknown) => this.#tell(error))
    return done
  }

  /** The cookie as it leaves, or does not. */
  #edit(session?: Session): HeaderEdit | undefined {
    return this.#sent.edit(session, this.#unsentReason(session))
  }

  #unsentReason(session: Session | undefined): CookieReason {
    if (this.#kept.isGone) return 'gone'
    return session !== undefined && this.#found === 'loaded' ? 'clean' : 'no-data'
  }

  explain(): SessionExplanation {
    const isUnknown = this.#found === 'new' && this.#ties.received.ids.length > 0
    return this.#sent.explain(isUnknown ? 'gone' : this.#found, () =>
      this.#unsentReason(this.#present()),
    )
  }
}
