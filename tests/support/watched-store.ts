import type { Awaitable, Entry, Replaced, Store, Stored } from '../../src/core/store.js'

export type Operation = 'load' | 'create' | 'replace' | 'touch' | 'destroy'

/** A store whose answers a test controls: it counts, waits, fails or stays silent on demand. */
export class WatchedStore implements Store {
  readonly calls: Operation[] = []
  readonly #store: Store
  readonly #before = new Map<Operation, () => Promise<void>>()

  constructor(store: Store) {
    this.#store = store
  }

  count(operation: Operation): number {
    return this.calls.filter((call) => call === operation).length
  }

  /** Operations of this kind wait; gives what lets all of them go on. */
  pause(operation: Operation): { resume: () => void; reached: Promise<void> } {
    let resume = () => {}
    let reach = () => {}
    const reached = new Promise<void>((resolve) => {
      reach = resolve
    })
    const gate = new Promise<void>((resolve) => {
      resume = () => {
        this.#before.delete(operation)
        resolve()
      }
    })
    this.#before.set(operation, () => {
      reach()
      return gate
    })
    return { resume, reached }
  }

  fail(operation: Operation): void {
    this.#before.set(operation, () => Promise.reject(new Error('connection lost')))
  }

  /** Never answers, and never does anything. */
  silence(operation: Operation): void {
    this.#before.set(operation, () => new Promise(() => {}))
  }

  /** Every operation answers late, by a real timer. */
  delay(ms: number): void {
    for (const operation of ['load', 'create', 'replace', 'touch', 'destroy'] as const) {
      this.#before.set(operation, () => new Promise((resolve) => setTimeout(resolve, ms)))
    }
  }

  recover(): void {
    this.#before.clear()
  }

  load(key: string): Awaitable<Stored | undefined> {
    return this.#through('load', () => this.#store.load(key))
  }

  create(key: string, entry: Entry): Awaitable<boolean> {
    return this.#through('create', () => this.#store.create(key, entry))
  }

  replace(key: string, entry: Entry, seen: Stored): Awaitable<Replaced> {
    return this.#through('replace', () => this.#store.replace(key, entry, seen))
  }

  touch(key: string, expiresAt: number): Awaitable<boolean> {
    return this.#through('touch', () => this.#store.touch(key, expiresAt))
  }

  destroy(key: string): Awaitable<boolean> {
    return this.#through('destroy', () => this.#store.destroy(key))
  }

  #through<T>(operation: Operation, run: () => Awaitable<T>): Awaitable<T> {
    this.calls.push(operation)
    const before = this.#before.get(operation)
    return before === undefined ? run() : before().then(run)
  }
}
