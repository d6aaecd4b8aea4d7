/** What a handler did to the data and waits to hear of. */
export type Change = (data: Record<string, unknown>) => void

interface Modelled {
  data: Record<string, unknown>
  live: boolean
  /** Where the session went under another id without anybody signing in. */
  next: string | undefined
}

/**
 * The reference: what the sessions of a store must be, told from what has been acknowledged. It
 * knows no ids, cookies, queues, retries or tombstones.
 */
export class Reference {
  readonly sessions = new Map<string, Modelled>()
  readonly violations: string[] = []
  readonly #told = new Set<string>()
  readonly #expired = new Set<string>()
  readonly #pending = new Map<string, Change[]>()
  /** Who was told that what they set was dropped. */
  readonly #dropped: { readonly who: string; readonly handle: string }[] = []

  begin(handle: string, data: Record<string, unknown>): void {
    this.sessions.set(handle, { data: { ...data }, live: true, next: undefined })
  }

  /** A handler has changed something, and nobody has told it yet what became of that. */
  changes(who: string, change: Change = () => {}): void {
    this.#pending.set(who, [...(this.#pending.get(who) ?? []), change])
  }

  /** Of what somebody has changed nothing is to be stored: there was nothing to change, say. */
  forget(who: string): void {
    this.#pending.delete(who)
  }

  created(who: string, handle: string): void {
    if (this.sessions.has(handle)) this.#violated(`${who} created an id that was there`)
    this.begin(handle, {})
    this.#apply(who, handle)
  }

  committed(who: string, handle: string): void {
    if (!this.isLive(handle)) this.#violated(`${who} was stored in a session that had ended`)
    this.#apply(who, handle)
  }

  renewed(who: string, from: string, to: string, linked: boolean): void {
    const old = this.sessions.get(from)
    if (old === undefined || !old.live) {
      this.#violated(`${who} renewed a session that had ended, or was renewed before`)
    }
    if (this.sessions.has(to)) this.#violated(`${who} renewed to an id that was there`)
    this.begin(to, old?.data ?? {})
    if (old !== undefined) Object.assign(old, { live: false, next: linked ? to : undefined })
    this.#apply(who, to)
  }

  ended(who: string, handle: string): void {
    const session = this.sessions.get(handle)
    // A renewal that has not come to its end: nobody has its id, and now nobody gets it.
    if (session === undefined) {
      this.sessions.set(handle, { data: {}, live: false, next: undefined })
    } else if (!session.live && !this.#expired.has(handle)) {
      this.#violated(`${who} ended what was not live`)
    } else session.live = false
    this.forget(who)
  }

  /** Its time is over. Who has begun to end it before may tell of it afterwards. */
  expired(handle: string): void {
    const session = this.sessions.get(handle)
    if (session !== undefined) session.live = false
    this.#expired.add(handle)
  }

  dropped(who: string, handle: string): void {
    this.#dropped.push({ who, handle })
    this.told(who)
    this.forget(who)
  }

  /** A call has rejected: whoever made it knows that its session has ended. */
  told(who: string): void {
    this.#told.add(who)
  }

  /** Goes on in a new session. What was set in one that had ended meanwhile is nobody's. */
  leavesBehind(who: string): void {
    if (this.#told.has(who)) this.forget(who)
  }

  isLive(handle: string): boolean {
    return this.sessions.get(handle)?.live === true
  }

  /** Whether a session lives on, under the given handle or a later one. */
  goesOn(handle: string): boolean {
    const session = this.sessions.get(handle)
    if (session === undefined) return false
    return session.live || (session.next !== undefined && this.goesOn(session.next))
  }

  /** All of it as a text. */
  state(): string {
    const pending = [...this.#pending].map(([who, changes]) => [who, changes.length])
    const sessions = [...this.sessions].map(([handle, known]) => [handle, { ...known }])
    return JSON.stringify([
      sessions.map((one) => JSON.stringify(one)).sort(),
      pending.sort(),
      this.#dropped.map((one) => JSON.stringify(one)).sort(),
      [...this.#expired].sort(),
      [...this.#told].sort(),
      this.violations,
    ])
  }

  /** What is wrong now that all is over. */
  verdict(): string[] {
    // One word for each request: it may go on to set things in the session it has lost.
    for (const [who, changes] of this.#pending) {
      if (changes.length > 0 && !this.#told.has(who))
        this.#violated(`${who} set something that came to nothing, untold`)
    }
    for (const { who, handle } of this.#dropped) {
      if (this.isLive(handle)) this.#violated(`${who} was dropped although its session lives`)
    }
    return this.violations
  }

  #apply(who: string, handle: string): void {
    const session = this.sessions.get(handle)
    for (const change of this.#pending.get(who) ?? []) change(session?.data ?? {})
    this.#pending.delete(who)
  }

  #violated(what: string): void {
    this.violations.push(what)
  }
}
