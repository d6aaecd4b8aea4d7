import type { Entry, Replaced, Stored } from '../../src/core/store.js'
import { type BrokenStore, broken } from './broken-writes.js'
import { ReferenceStore, type Row } from './reference-store.js'

/** Defects of S6 to S8: merging, and when a record ends. */
export const brokenLifetimes: readonly BrokenStore[] = [
  broken(
    'S6',
    'locks its own instance only',
    class extends ReferenceStore {
      #last: Promise<unknown> = Promise.resolve()
      override replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
        const result = this.#last.then(async () => {
          await this.place.trip()
          const row = this.live(key)
          if (!row) return 'gone'
          if (row.text !== seen.text) return 'changed'
          await undefined
          if (this.live(key)) this.put(key, entry)
          return 'replaced'
        })
        this.#last = result.catch(() => {})
        return result
      }
    },
    ['S4'],
  ),
  broken(
    'S7',
    'gives expired records until they are swept',
    class extends ReferenceStore {
      override async load(key: string): Promise<Stored | undefined> {
        await this.place.trip()
        return this.row(key)
      }
    },
    ['S2', 'S3', 'S8', 'S20', 'S22'],
  ),
  broken(
    'S7',
    'is a minute late',
    class extends ReferenceStore {
      override isLive(row: Row): boolean {
        return row.expiresAt + 60_000 > this.clock.now()
      }
    },
    ['S1', 'S2', 'S3', 'S5', 'S8', 'S11', 'S16', 'S17', 'S19', 'S20', 'S21', 'S22'],
  ),
  broken(
    'S7',
    'rounds an expiry down to seconds',
    class extends ReferenceStore {
      override put(key: string, entry: Entry): void {
        super.put(key, { ...entry, expiresAt: Math.floor(entry.expiresAt / 1000) * 1000 })
      }
    },
    'most',
  ),
  broken(
    'S8',
    'keeps for ever what has no life left',
    class extends ReferenceStore {
      override put(key: string, entry: Entry): void {
        const life = entry.expiresAt - this.clock.now()
        super.put(key, life > 0 ? entry : { ...entry, expiresAt: Number.MAX_SAFE_INTEGER })
      }
    },
  ),
  broken(
    'S8',
    'cuts a life to whole seconds and takes 0 for ever',
    class extends ReferenceStore {
      override put(key: string, entry: Entry): void {
        const life = entry.expiresAt - this.clock.now()
        const forEver = { ...entry, expiresAt: Number.MAX_SAFE_INTEGER }
        super.put(key, Math.trunc(life / 1000) === 0 ? forEver : entry)
      }
    },
  ),
  broken(
    'S8',
    'takes more than 30 days for a date in 1970',
    class extends ReferenceStore {
      override put(key: string, entry: Entry): void {
        const life = entry.expiresAt - this.clock.now()
        super.put(key, life > 30 * 86_400_000 ? { ...entry, expiresAt: life } : entry)
      }
    },
  ),
  broken(
    'S8',
    'drops a record by a timer that overflows',
    class extends ReferenceStore {
      override put(key: string, entry: Entry): void {
        super.put(key, entry)
        const life = entry.expiresAt - this.clock.now()
        if (life > 2 ** 31 - 1) this.place.rows.delete(this.prefix + key)
      }
    },
  ),
  {
    ...broken(
      'S8',
      'rounds what is over already up into life',
      class extends ReferenceStore {
        override put(key: string, entry: Entry): void {
          super.put(key, { ...entry, expiresAt: Math.ceil(entry.expiresAt / 1000) * 1000 })
        }
      },
    ),
    options: { unit: 1000 },
  },
]
