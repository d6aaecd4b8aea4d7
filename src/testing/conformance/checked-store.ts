import assert from 'node:assert/strict'
import { clearTimeout, setTimeout } from 'node:timers'
import type { Awaitable, Entry, Replaced, Store, Stored } from '../../core/store.js'
import { can } from '../../core/store.js'

/**
 * A store as the tests see it: every operation is a promise that ends in time, and an answer of the
 * wrong shape fails. Capabilities are there, and fail when the store lacks them.
 */
export interface CheckedStore extends Store {
  load(key: string): Promise<Stored | undefined>
  create(key: string, entry: Entry): Promise<boolean>
  replace(key: string, entry: Entry, seen: Stored): Promise<Replaced>
  touch(key: string, expiresAt: number): Promise<boolean>
  destroy(key: string): Promise<boolean>
  sweep(options?: { limit?: number }): Promise<number>
  /** The keys in a stable order, since the contract promises none. */
  keysOfUser(user: string): Promise<string[]>
  /** Everything at once. */
  entries(): Promise<({ key: string } & Stored)[]>
}

/** Wraps `store`, so that an operation that takes longer than `limit` ms fails by its name. */
export function checked(store: Store, limit: number): CheckedStore {
  const timed = <T>(op: string, run: () => Awaitable<T>) => within(limit, op, run)
  return {
    async load(key) {
      const stored = await timed('load', () => store.load(key))
      if (stored === undefined) return undefined
      assert(typeof stored === 'object' && stored !== null, `load gave ${String(stored)}`)
      assert.equal(typeof stored.text, 'string', 'load gave a text that is no string')
      assert(Number.isFinite(stored.expiresAt), `load gave an expiresAt of ${stored.expiresAt}`)
      return stored
    },
    async create(key, entry) {
      return boolean('create', await timed('create', () => store.create(key, entry)))
    },
    async replace(key, entry, seen) {
      const result = await timed('replace', () => store.replace(key, entry, seen))
      assert(['replaced', 'changed', 'gone'].includes(result), `replace gave ${String(result)}`)
      return result
    },
    async touch(key, expiresAt) {
      return boolean('touch', await timed('touch', () => store.touch(key, expiresAt)))
    },
    async destroy(key) {
      return boolean('destroy', await timed('destroy', () => store.destroy(key)))
    },
    async sweep(options) {
      assert(can(store, 'sweep'))
      const count = await timed('sweep', () => store.sweep(options))
      assert(Number.isInteger(count) && count >= 0, `sweep gave ${String(count)}`)
      return count
    },
    async keysOfUser(user) {
      assert(can(store, 'keysOfUser'))
      const keys = await timed('keysOfUser', () => store.keysOfUser(user))
      assert(Array.isArray(keys), 'keysOfUser gave no array')
      return [...keys].sort()
    },
    async entries() {
      assert(can(store, 'entries'))
      return timed('entries', async () => {
        const all = []
        for await (const entry of store.entries()) all.push(entry)
        return all
      })
    },
  }
}

/** Runs an operation and fails when it has not settled after `limit` ms. */
export async function within<T>(limit: number, op: string, run: () => Awaitable<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${op} did not settle within ${limit} ms`)), limit)
  })
  try {
    return await Promise.race([run(), late])
  } finally {
    clearTimeout(timer)
  }
}

function boolean(op: string, value: unknown): boolean {
  assert(typeof value === 'boolean', `${op} gave ${String(value)}, not a boolean`)
  return value
}
