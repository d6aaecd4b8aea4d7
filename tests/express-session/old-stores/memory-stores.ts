import expressSession from 'express-session'
import memorystore from 'memorystore'
import type { OldStoreKind } from './old-store.js'

/** One store for all, since nobody else can reach into its records. */
export const memoryStores: readonly OldStoreKind[] = [
  {
    name: 'memorystore',
    endsBy: 'app',
    async open() {
      const store = new (memorystore(expressSession))({ checkPeriod: 0 })
      return {
        store: () => store,
        textOf: (id) => textFrom(store, id),
        close: async () => {},
      }
    },
  },
  {
    name: 'the MemoryStore of express-session',
    endsBy: 'app',
    async open() {
      const store = new expressSession.MemoryStore()
      return {
        store: () => store,
        textOf: (id) => textFrom(store, id),
        close: async () => {},
      }
    },
  },
  {
    name: 'a store that writes at a touch',
    endsBy: 'app',
    async open() {
      const store = new expressSession.MemoryStore()
      // As connect-memcached does it.
      store.touch = function (this: expressSession.Store, id, session, done) {
        this.set(id, session, done)
      }
      return {
        store: () => store,
        textOf: (id) => textFrom(store, id),
        close: async () => {},
      }
    },
  },
]

async function textFrom(store: expressSession.Store, id: string): Promise<string | undefined> {
  const found = await new Promise<unknown>((resolve, reject) => {
    store.get(id, (error, session) => (error ? reject(error) : resolve(session)))
  })
  return found ? JSON.stringify(found) : undefined
}
