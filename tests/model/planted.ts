import { decodeRecord } from '../../src/core/record.js'
import { can, type Entry, type Store } from '../../src/core/store.js'
import type { RequestAction } from './actions.js'

type Answers = Partial<{ [Name in keyof Store]: Store[Name] }>

/** A store with some of its operations done otherwise. */
function altered(store: Store, by: Answers): Store {
  return {
    load: (key) => store.load(key),
    create: (key, entry) => store.create(key, entry),
    replace: (key, entry, seen) => store.replace(key, entry, seen),
    touch: (key, expiresAt) => store.touch(key, expiresAt),
    destroy: (key) => store.destroy(key),
    ...(can(store, 'keysOfUser') && { keysOfUser: (user: string) => store.keysOfUser(user) }),
    ...by,
  }
}

/** Defects that stores and engines of sessions have had, and what a visitor meets by them. */
export const planted: readonly {
  readonly defect: string
  readonly broken: (store: Store) => Store
  readonly seen: RegExp
  /** Only where somebody does this, since it does harm elsewhere too. */
  readonly among?: RequestAction
}[] = [
  {
    defect: 'a replace that inserts what is gone',
    broken: (store) =>
      altered(store, {
        async replace(key, entry, seen) {
          const result = await store.replace(key, entry, seen)
          if (result !== 'gone') return result
          await store.create(key, entry)
          return 'replaced'
        },
      }),
    seen: /session that had ended|is live and must not be/,
  },
  {
    defect: 'a touch that inserts what is gone',
    broken(store) {
      const texts = new Map<string, Entry>()
      return altered(store, {
        async load(key) {
          const stored = await store.load(key)
          if (stored !== undefined) texts.set(key, stored)
          return stored
        },
        async touch(key, expiresAt) {
          const text = texts.get(key)?.text
          if ((await store.touch(key, expiresAt)) || text === undefined) return true
          return store.create(key, { text, expiresAt })
        },
      })
    },
    seen: /is live and must not be/,
  },
  {
    defect: 'a renewal that destroys the old record unseen, after it has created the new one',
    broken: (store) =>
      altered(store, {
        async replace(key, entry, seen) {
          if (decodeRecord(entry.text).kind !== 'tombstone') return store.replace(key, entry, seen)
          return (await store.destroy(key)) ? 'replaced' : 'gone'
        },
      }),
    seen: /holds \{.*\} and not|goes on although/,
  },
  {
    defect: 'a merge that writes over what others have stored',
    broken: (store) =>
      altered(store, {
        async replace(key, entry, seen) {
          return store.replace(key, entry, (await store.load(key)) ?? seen)
        },
      }),
    seen: /holds \{.*\} and not/,
  },
  {
    defect: 'a load that answers from a cache, so that a cookie is sent for a gone record',
    broken(store) {
      const cache = new Map<string, Awaited<ReturnType<Store['load']>>>()
      return altered(store, {
        async load(key) {
          const stored = cache.get(key) ?? (await store.load(key))
          cache.set(key, stored)
          return stored
        },
      })
    },
    seen: /cookie of a session that had ended/,
    among: 'rotated',
  },
]
