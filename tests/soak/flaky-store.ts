import { setTimeout as sleep } from 'node:timers/promises'
import type {
  Awaitable,
  ByUser,
  Entry,
  Replaced,
  Store,
  Stored,
  Sweepable,
} from '../../src/core/store.js'

/** Bugs that a soak must find: each breaks one promise of a store, or of a server. */
export const PLANTS = [
  /** An end is acknowledged, and the record stays. */
  'undone-logout',
  /** One write in a thousand loses a key. */
  'dropped-key',
  /** A late write brings an ended record back. */
  'upsert',
  /** A write goes over what somebody else has written meanwhile. */
  'blind-write',
  'unhandled-rejection',
  'warning',
  'leak',
] as const
export type Plant = (typeof PLANTS)[number]

type Inner = Store & ByUser & Sweepable

export const INJECTED = 'injected by the soak'

/**
 * A store in bad weather: it answers at once or late, and one call in so many fails, half of them
 * before and half of them after it was done.
 */
export class FlakyStore implements Store, ByUser, Sweepable {
  calls = 0
  failures = 0
  readonly #inner: Inner
  readonly #failOneIn: number
  readonly #plant: Plant | undefined

  constructor(inner: Inner, failOneIn: number, plant: Plant | undefined) {
    this.#inner = inner
    this.#failOneIn = failOneIn
    this.#plant = plant
  }

  load(key: string): Awaitable<Stored | undefined> {
    return this.#through(() => this.#inner.load(key))
  }

  create(key: string, entry: Entry): Awaitable<boolean> {
    return this.#through(() => this.#inner.create(key, entry))
  }

  replace(key: string, entry: Entry, seen: Stored): Awaitable<Replaced> {
    return this.#through(() => this.#replace(key, entry, seen))
  }

  touch(key: string, expiresAt: number): Awaitable<boolean> {
    return this.#through(() => this.#inner.touch(key, expiresAt))
  }

  destroy(key: string): Awaitable<boolean> {
    if (this.#plant === 'undone-logout') return true
    return this.#through(() => this.#inner.destroy(key))
  }

  async keysOfUser(user: string): Promise<string[]> {
    return this.#through(() => this.#inner.keysOfUser(user))
  }

  async sweep(options?: { limit?: number }): Promise<number> {
    return this.#through(() => this.#inner.sweep(options))
  }

  #replace(key: string, entry: Entry, seen: Stored): Awaitable<Replaced> {
    switch (this.#plant) {
      case 'undone-logout':
        return isEnd(entry) ? 'replaced' : this.#inner.replace(key, entry, seen)
      case 'dropped-key':
        return this.#inner.replace(key, Math.random() < 1 / 1000 ? poorer(entry) : entry, seen)
      case 'upsert':
        return this.#upsert(key, entry, seen)
      case 'blind-write':
        return this.#overwrite(key, entry)
      default:
        return this.#inner.replace(key, entry, seen)
    }
  }

  async #upsert(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    const result = await this.#inner.replace(key, entry, seen)
    if (result !== 'gone') return result
    return (await this.#inner.create(key, entry)) ? 'replaced' : 'gone'
  }

  async #overwrite(key: string, entry: Entry): Promise<Replaced> {
    const there = await this.#inner.load(key)
    return there === undefined ? 'gone' : this.#inner.replace(key, entry, there)
  }

  #through<T>(run: () => Awaitable<T>): Awaitable<T> {
    this.calls++
    const fails = Math.random() * this.#failOneIn < 1
    if (fails) this.failures++
    const early = fails && Math.random() < 0.5
    const chance = Math.random()
    if (chance < 0.3) {
      if (early) throw new Error(INJECTED)
      const answer = run()
      if (!fails) return answer
      return Promise.resolve(answer).then(fail)
    }
    const late = async () => {
      // Mostly at once, sometimes so late that others overtake it.
      if (chance > 0.6) await sleep((chance - 0.6) * 10)
      if (early) fail()
      const answer = await run()
      return fails ? fail() : answer
    }
    return late()
  }
}

function fail(): never {
  throw new Error(INJECTED)
}

/** What stands in for a session that has ended, and goes on nowhere. */
function isEnd({ text }: Entry): boolean {
  return text.includes('"ended":') && !text.includes('"next":')
}

/** The same without its last key. */
function poorer(entry: Entry): Entry {
  const record = JSON.parse(entry.text) as { data?: Record<string, unknown> }
  const last = Object.keys(record.data ?? {})
    .filter((name) => name !== 'userId')
    .at(-1)
  if (record.data === undefined || last === undefined) return entry
  delete record.data[last]
  return { ...entry, text: JSON.stringify(record) }
}
