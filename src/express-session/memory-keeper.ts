import type { LegacyKeeper, LegacyKeeperOptions, Loaded, Snapshot } from '../core/legacy-keeper.js'
import { idTaken } from '../core/refusals.js'
import { find, MemoryStore, put, remove, touch } from './memory-store.js'
import type { Store } from './store.js'

const METHODS = ['get', 'set', 'touch', 'destroy'] as const

/** Whether a store is our own one, and nobody has put methods in front of it. */
export function isPlainMemory(store: Store): store is MemoryStore {
  return (
    store instanceof MemoryStore &&
    METHODS.every((method) => store[method] === MemoryStore.prototype[method])
  )
}

/** A legacy keeper over our own memory store, which need not be waited for. */
export class MemoryKeeper implements LegacyKeeper {
  readonly touches = true
  readonly #store: MemoryStore
  readonly #mayBeTaken: boolean
  #loaded: object | undefined
  #text: string | undefined

  constructor(store: MemoryStore, { mayBeTaken }: LegacyKeeperOptions) {
    this.#store = store
    this.#mayBeTaken = mayBeTaken
  }

  load(id: string): Loaded {
    try {
      this.#loaded = find(this.#store, id)
      this.#text = this.#loaded && this.#store.sessions[id]
      return this.#loaded
    } catch {
      return 'unreadable'
    }
  }

  textOf(loaded: object): string | undefined {
    return loaded === this.#loaded ? this.#text : undefined
  }

  create(id: string, session: object, writing: () => Snapshot): void {
    if (!this.#mayBeTaken) {
      writing()
      put(this.#store, id, session)
    } else if (!this.adopt(id, session, writing)) throw idTaken('MemoryStore')
  }

  adopt(id: string, session: object, writing: () => Snapshot): boolean {
    if (find(this.#store, id) !== undefined) return false
    writing()
    put(this.#store, id, session)
    return true
  }

  change(id: string, session: object, writing: (stored: object) => Snapshot): boolean {
    const stored = find(this.#store, id)
    if (stored === undefined) return false
    writing(stored)
    put(this.#store, id, session)
    return true
  }

  touch(id: string, session: object): void {
    touch(this.#store, id, session)
  }

  destroy(id: string): void {
    remove(this.#store, id)
  }

  end(id: string): boolean {
    const wasThere = this.load(id) !== undefined
    remove(this.#store, id)
    return wasThere
  }
}
