import type { Clock } from '../core/clock.js'
import { touchInterval } from '../core/lifetime.js'
import type { Cookie } from './cookie.js'

/** What a record notes of its age, in ms since the epoch, beside the attributes of its cookie. */
interface Ages {
  /** When the session began; `regenerate` begins another one. */
  readonly began: number
  /** When it was last known to be used. */
  readonly seen: number
}

/** A cookie in a record. express-session passes over what it does not know, and drops it. */
type Aged = { coatcheck?: Partial<Ages> | undefined }

/** The timeouts of the server: whatever the browser says, and whatever the store keeps. */
export class Clocks {
  readonly #idle: number
  readonly #absolute: number
  readonly #clock: Clock

  /** @param idle ms since the last use, @param absolute ms since the beginning; Infinity: never */
  constructor(idle: number, absolute: number, clock: Clock) {
    this.#idle = idle
    this.#absolute = absolute
    this.#clock = clock
  }

  /** Which clock has ended the session of a record. One that notes nothing begins now. */
  endedBy({ cookie }: { cookie?: unknown }): 'idle' | 'absolute' | undefined {
    const { began, seen } = (cookie as Aged | undefined)?.coatcheck ?? {}
    const now = this.#clock.now()
    if (typeof began === 'number' && now >= began + this.#absolute) return 'absolute'
    if (typeof seen === 'number' && now >= seen + this.#idle) return 'idle'
    return undefined
  }

  /** Notes that the session is used. True: the store should hear of it now. */
  note(cookie: Cookie): boolean {
    const now = this.#clock.now()
    const { began, seen } = (cookie as Aged).coatcheck ?? {}
    const isKnown = typeof began === 'number' && typeof seen === 'number'
    if (isKnown && now - seen <= touchInterval(Math.min(this.#idle, this.#absolute))) return false
    const ages: Ages = { began: typeof began === 'number' ? began : now, seen: now }
    Object.assign(cookie, { coatcheck: { ...(cookie as Aged).coatcheck, ...ages } })
    return true
  }
}
