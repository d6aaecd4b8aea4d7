/** How an operation came out, as far as the one who asked for it can tell. */
export type Outcome =
  /** It was acknowledged: it has happened. */
  | 'done'
  /** It was refused: it has not. */
  | 'not-done'
  /** Nobody can tell: an error, an abort. */
  | 'maybe'

const ABSENT = 'absent'

/** A value that a key may have, as JSON; one of them after `maybe`. */
interface Key {
  allowed: Set<string>
  /** Something may still be under way: the key is left alone from now on. */
  frozen: boolean
}

interface Counter {
  sure: number
  maybe: number
  readonly given: Set<number>
}

/**
 * One visitor's browser, and what is known to be true of its session: a key that was acknowledged is
 * there until it is overwritten or the session ends.
 */
export class Device {
  readonly name: string
  cookie: string | undefined
  /** Cookies of the same session that lead nowhere any more. */
  readonly former: string[] = []
  user: string | undefined
  readonly #keys = new Map<string, Key>()
  readonly #counters = new Map<string, Counter>()
  #frozenKeys = 0

  constructor(name: string) {
    this.name = name
  }

  /** Of every cookie it ever had. */
  get cookies(): string[] {
    return this.cookie === undefined ? this.former : [...this.former, this.cookie]
  }

  /** A new cookie took the place of the old one. */
  renewed(cookie: string): void {
    if (this.cookie !== undefined) this.former.push(this.cookie)
    this.cookie = cookie
  }

  /** Names that can be written, no two alike, so that one burst writes each once. */
  freeKeys(count: number): string[] {
    const names = Array.from({ length: count + this.#frozenKeys }, (_, index) => `k${index}`)
    return names.filter((name) => this.#keys.get(name)?.frozen !== true).slice(0, count)
  }

  get isCrowded(): boolean {
    return this.#frozenKeys > 12
  }

  wrote(name: string, value: string | undefined, outcome: Outcome): void {
    if (outcome === 'not-done') return
    const text = value ?? ABSENT
    const known = this.#keys.get(name) ?? { allowed: new Set([ABSENT]), frozen: false }
    this.#keys.set(name, known)
    if (outcome === 'done') {
      known.allowed = new Set([text])
      return
    }
    known.allowed.add(text)
    if (!known.frozen) this.#frozenKeys++
    known.frozen = true
  }

  /** @returns what is wrong about the number that was given */
  added(name: string, given: number | undefined, outcome: Outcome): string | undefined {
    if (outcome === 'not-done') return undefined
    const counter = this.#counters.get(name) ?? { sure: 0, maybe: 0, given: new Set() }
    this.#counters.set(name, counter)
    if (outcome === 'maybe') {
      counter.maybe++
      return undefined
    }
    counter.sure++
    if (given === undefined || !counter.given.has(given)) {
      if (given !== undefined) counter.given.add(given)
      return undefined
    }
    return `the counter ${name} gave ${given} twice`
  }

  /** What the data of the session contradicts, as sentences. */
  contradictions(data: Readonly<Record<string, unknown>>): string[] {
    const found: string[] = []
    for (const [name, { allowed }] of this.#keys) {
      const text = Object.hasOwn(data, name) ? JSON.stringify(data[name]) : ABSENT
      if (!allowed.has(text)) {
        found.push(`lost key: ${name} is ${text}, and was ${[...allowed].join(' or ')}`)
      }
    }
    for (const [name, { sure, maybe }] of this.#counters) {
      const n = Number(data[name] ?? 0)
      if (n < sure || n > sure + maybe) {
        found.push(`lost count: ${name} is ${n}, and was ${sure} to ${sure + maybe}`)
      }
    }
    for (const name of Object.keys(data)) {
      if (name === 'userId' || this.#keys.has(name) || this.#counters.has(name)) continue
      found.push(`a key from nowhere: ${name}`)
    }
    if (data.userId !== this.user) found.push(`the user is ${data.userId}, and was ${this.user}`)
    return found
  }
}

/** Cookies that were ended, acknowledged: they must lead nowhere for ever. Bounded; the oldest go at random. */
export class Graveyard {
  readonly #cookies: string[] = []
  buried = 0

  add(cookies: readonly string[]): void {
    for (const cookie of cookies) {
      this.buried++
      if (this.#cookies.length < 3000) this.#cookies.push(cookie)
      else this.#cookies[Math.floor(Math.random() * 3000)] = cookie
    }
  }

  any(): string | undefined {
    return this.#cookies[Math.floor(Math.random() * this.#cookies.length)]
  }
}
