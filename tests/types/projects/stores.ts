// A store, a clock and a test kit as their users write and use them.
import {
  type Awaitable,
  type ByUser,
  type Entry,
  MemoryStore,
  type Replaced,
  type Store,
  type Stored,
  type Sweepable,
  session,
} from 'coatcheck'
import { FileStore } from 'coatcheck/stores/file'
import { MemoryStore as SameStore } from 'coatcheck/stores/memory'
import { FakeClock, type TestRunner, testStore } from 'coatcheck/testing'

class MapStore implements Store, Sweepable, ByUser {
  readonly #records = new Map<string, Entry>()

  load(key: string): Stored | undefined {
    return this.#records.get(key)
  }

  async create(key: string, entry: Entry): Promise<boolean> {
    if (this.#records.has(key)) return false
    this.#records.set(key, entry)
    return true
  }

  replace(key: string, entry: Entry, seen: Stored): Awaitable<Replaced> {
    const found = this.#records.get(key)
    if (found === undefined) return 'gone'
    if (found.text !== seen.text) return 'changed'
    this.#records.set(key, entry)
    return 'replaced'
  }

  touch(key: string, expiresAt: number): boolean {
    const found = this.#records.get(key)
    if (found === undefined) return false
    this.#records.set(key, { ...found, expiresAt })
    return true
  }

  destroy(key: string): boolean {
    return this.#records.delete(key)
  }

  async sweep(): Promise<number> {
    return 0
  }

  async keysOfUser(user: string): Promise<string[]> {
    return [...this.#records].filter(([, entry]) => entry.user === user).map(([key]) => key)
  }
}

const clock = new FakeClock()
const stores: Store[] = [new MemoryStore({ clock }), new SameStore(), new MapStore()]
stores.push(new FileStore({ path: 'sessions', clock }))
session({ secret: 'a secret of at least thirty-two bytes', store: new MapStore(), clock })

// @ts-expect-error TS2420: four methods are no store
export class Lacking implements Store {
  load = () => undefined
  create = () => true
  touch = () => true
  destroy = () => true
}

export class Boolish extends MapStore {
  // @ts-expect-error TS2416: replace tells which of three happened
  override replace = () => true
}

export function suite(runner: TestRunner): void {
  testStore(runner, 'MapStore', {
    open: () => ({ store: new MapStore(), clock, advance: (ms) => clock.advance(ms) }),
  })
}
