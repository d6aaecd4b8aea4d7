import type { Entry, Replaced, Stored } from '../../src/core/store.js'
import { brokenAnswers } from './broken-answers.js'
import { brokenLifetimes } from './broken-lifetimes.js'
import { brokenOutages } from './broken-outages.js'
import { type BrokenStore, broken, brokenWrites } from './broken-writes.js'
import { ReferenceStore, type Row } from './reference-store.js'

/** Keeps its users in an index beside the records, which `change` gets wrong. */
function indexed(verify: boolean, move: boolean, name = (user: string) => user) {
  return class extends ReferenceStore {
    readonly #index = indexOf(this.place, this.prefix)

    override async create(key: string, entry: Entry): Promise<boolean> {
      const created = await super.create(key, entry)
      if (created && entry.user !== undefined) this.add(entry.user, key)
      return created
    }
    override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
      const result = await super.replace(key, entry, seen)
      if (move && result === 'replaced' && entry.user !== undefined) this.add(entry.user, key)
      return result
    }
    add(user: string, key: string): void {
      const keys = this.#index.get(name(user)) ?? new Set()
      this.#index.set(name(user), keys.add(key))
    }
    override async keysOfUser(user: string): Promise<string[]> {
      await this.place.trip()
      const keys = [...(this.#index.get(name(user)) ?? [])]
      const same = (row: Row | undefined) =>
        row?.user !== undefined && name(row.user) === name(user)
      return verify ? keys.filter((key) => same(this.live(key))) : keys
    }
  }
}

const indexes = new WeakMap<object, Map<string, Map<string, Set<string>>>>()

function indexOf(place: object, prefix: string): Map<string, Set<string>> {
  const ofPlace = indexes.get(place) ?? new Map()
  indexes.set(place, ofPlace)
  const index = ofPlace.get(prefix) ?? new Map()
  ofPlace.set(prefix, index)
  return index
}

/** Every defect that the suite is known to find. */
export const brokenStores: readonly BrokenStore[] = [
  ...brokenWrites,
  ...brokenLifetimes,
  ...brokenAnswers,
  ...brokenOutages,
  {
    clause: 'S16',
    defect: 'ignores the prefix',
    also: [],
    make: (setting) => new ReferenceStore({ ...setting, prefix: 'sess:' }),
  },
  broken(
    'S16',
    'sweeps by a pattern that is not escaped',
    class extends ReferenceStore {
      override async sweep(): Promise<number> {
        const pattern = new RegExp(`^${this.prefix.replace('*', '.*')}`)
        let swept = 0
        for (const [key, row] of this.place.rows) {
          if (!pattern.test(key) || this.isLive(JSON.parse(row) as Row)) continue
          this.place.rows.delete(key)
          swept++
        }
        return swept
      }
    },
    ['S11', 'S19', 'S21'],
  ),
  broken('S17', 'does not look whether a key is live', indexed(false, true), ['S2', 'S18', 'S19']),
  broken('S17', 'does not index the user of a replace', indexed(true, false), []),
  broken(
    'S17',
    'folds the case of users',
    indexed(true, true, (user) => user.toLowerCase()),
  ),
  broken(
    'S17',
    'cuts the names of users at 64 characters',
    indexed(true, true, (user) => user.slice(0, 64)),
  ),
  broken(
    'S17',
    'lets an index live as long as its newest record was made for',
    class extends ReferenceStore {
      readonly #until = new Map<string, number>()
      override async create(key: string, entry: Entry): Promise<boolean> {
        const created = await super.create(key, entry)
        if (created && entry.user !== undefined) this.#until.set(entry.user, entry.expiresAt)
        return created
      }
      override async keysOfUser(user: string): Promise<string[]> {
        const live = (this.#until.get(user) ?? Number.POSITIVE_INFINITY) > this.clock.now()
        return live ? super.keysOfUser(user) : []
      }
    },
    ['S3'],
  ),
  broken(
    'S17',
    'gives the sessions of nobody to everybody',
    class extends ReferenceStore {
      override async keysOfUser(user: string): Promise<string[]> {
        await this.place.trip()
        return this.keys().filter((key) => {
          const row = this.live(key)
          return row !== undefined && (row.user ?? user) === user
        })
      }
    },
  ),
  broken(
    'S18',
    'knows the users of its own instance only',
    class extends ReferenceStore {
      readonly #own = new Set<string>()
      override put(key: string, entry: Entry): void {
        this.#own.add(key)
        super.put(key, entry)
      }
      override async keysOfUser(user: string): Promise<string[]> {
        return (await super.keysOfUser(user)).filter((key) => this.#own.has(key))
      }
    },
    ['S17'],
  ),
  broken(
    'S18',
    'gives only some keys at a time, and none the second time',
    class extends ReferenceStore {
      #asked = 0
      override async keysOfUser(user: string): Promise<string[]> {
        const keys = await super.keysOfUser(user)
        return keys.length < 20 || this.#asked++ === 0 ? keys : []
      }
    },
  ),
  broken(
    'S18',
    'indexes a login some time after it has answered',
    class extends ReferenceStore {
      readonly #late = new Set<string>()
      override async create(key: string, entry: Entry): Promise<boolean> {
        const created = await super.create(key, entry)
        this.#late.add(key)
        setImmediate(() => this.#late.delete(key))
        return created
      }
      override async keysOfUser(user: string): Promise<string[]> {
        const keys = await super.keysOfUser(user)
        return keys.filter((key) => !this.#late.has(key))
      }
    },
    ['S1', 'S3', 'S4', 'S16', 'S17', 'S21'],
  ),
  broken(
    'S19',
    'sweeps live records',
    class extends ReferenceStore {
      override async sweep(): Promise<number> {
        const keys = this.keys()
        for (const key of keys) await this.destroy(key)
        return keys.length
      }
    },
    ['S20', 'S21'],
  ),
  broken(
    'S19',
    'sweeps past its limit',
    class extends ReferenceStore {
      override sweep(): Promise<number> {
        return super.sweep()
      }
    },
  ),
  broken(
    'S19',
    'counts what it looked at',
    class extends ReferenceStore {
      override async sweep(options?: { limit?: number }): Promise<number> {
        await super.sweep(options)
        return Math.min(this.keys().length, options?.limit ?? Number.POSITIVE_INFINITY)
      }
    },
    ['S16'],
  ),
  broken(
    'S19',
    'sweeps what was expired when it looked',
    class extends ReferenceStore {
      override async sweep({ limit = Number.POSITIVE_INFINITY } = {}): Promise<number> {
        await this.place.trip()
        const expired = this.keys().filter((key) => this.row(key) && !this.live(key))
        await this.place.trip()
        const swept = expired.slice(0, limit)
        return swept.filter((key) => this.place.rows.delete(this.prefix + key)).length
      }
    },
  ),
  broken(
    'S19',
    'counts what another sweeper has deleted',
    class extends ReferenceStore {
      override async sweep({ limit = Number.POSITIVE_INFINITY } = {}): Promise<number> {
        await this.place.trip()
        const expired = this.keys().filter((key) => this.row(key) && !this.live(key))
        await this.place.trip()
        const swept = expired.slice(0, limit)
        for (const key of swept) if (!this.live(key)) this.place.rows.delete(this.prefix + key)
        return swept.length
      }
    },
  ),
  broken(
    'S19',
    'lists expired records',
    class extends ReferenceStore {
      override async *entries(): AsyncGenerator<{ key: string } & Stored> {
        for (const key of this.keys()) {
          const row = this.row(key)
          if (row) yield { key, ...row }
        }
      }
    },
    ['S2'],
  ),
  broken(
    'S19',
    'lists one page',
    class extends ReferenceStore {
      override async *entries(): AsyncGenerator<{ key: string } & Stored> {
        let left = 100
        for await (const entry of super.entries()) if (left-- > 0) yield entry
      }
    },
  ),
  broken(
    'S19',
    'lists a record twice',
    class extends ReferenceStore {
      override async *entries(): AsyncGenerator<{ key: string } & Stored> {
        let count = 0
        for await (const entry of super.entries()) {
          yield entry
          if (++count === 100) yield entry
        }
      }
    },
  ),
  broken(
    'S19',
    'fails on an empty place',
    class extends ReferenceStore {
      override keys(): string[] {
        const keys = super.keys()
        if (keys.length === 0) throw new Error('no such table')
        return keys
      }
    },
    ['S2', 'S17', 'S18'],
  ),
  {
    ...broken(
      'S19',
      'holds up all operations until a listing has ended',
      class extends ReferenceStore {
        #listing = false
        override async load(key: string): Promise<Stored | undefined> {
          return this.#listing ? new Promise(() => {}) : super.load(key)
        }
        override async destroy(key: string): Promise<boolean> {
          return this.#listing ? new Promise(() => {}) : super.destroy(key)
        }
        override async *entries(): AsyncGenerator<{ key: string } & Stored> {
          this.#listing = true
          yield* super.entries()
          this.#listing = false
        }
      },
    ),
    options: { limit: 100 },
  },
  broken(
    'S21',
    'throws what JSON.parse throws',
    class extends ReferenceStore {
      override row(key: string): Row | undefined {
        const kept = this.place.rows.get(this.prefix + key)
        return kept === undefined ? undefined : (JSON.parse(kept) as Row)
      }
    },
    ['S22'],
  ),
  broken(
    'S21',
    'ends a listing at garbage',
    class extends ReferenceStore {
      override async *entries(): AsyncGenerator<{ key: string } & Stored> {
        for (const key of this.keys()) {
          const row = this.row(key)
          if (!row) return
          if (this.isLive(row)) yield { key, ...row }
        }
      }
    },
  ),
  broken(
    'S21',
    'destroys no garbage and keeps its key taken',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        await this.place.trip()
        if (this.live(key) || (this.place.rows.has(this.prefix + key) && !this.row(key)))
          return false
        this.put(key, entry)
        return true
      }
      override async destroy(key: string): Promise<boolean> {
        if (!this.row(key)) return false
        return super.destroy(key)
      }
    },
    ['S9', 'S10'],
  ),
  broken(
    'S23',
    'loads text and expiry one after the other',
    class extends ReferenceStore {
      override async load(key: string): Promise<Stored | undefined> {
        const stored = await super.load(key)
        if (stored) await this.place.trip()
        return stored
      }
    },
  ),
  broken(
    'S23',
    'looks before it creates',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        if (await super.load(key)) return false
        return super.create(key, entry)
      }
    },
  ),
  broken(
    'S23',
    'looks up the user before it replaces',
    class extends ReferenceStore {
      override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
        if (this.live(key)) await this.place.trip()
        return super.replace(key, entry, seen)
      }
    },
  ),
  broken(
    'S23',
    'touches the index too',
    class extends ReferenceStore {
      override async touch(key: string, expiresAt: number): Promise<boolean> {
        if (this.live(key)?.user !== undefined) await this.place.trip()
        return super.touch(key, expiresAt)
      }
    },
  ),
  broken(
    'S23',
    'destroys in three steps',
    class extends ReferenceStore {
      override async destroy(key: string): Promise<boolean> {
        if (this.live(key)) {
          await this.place.trip()
          await this.place.trip()
        }
        return super.destroy(key)
      }
    },
  ),
  broken(
    'S23',
    'updates an index in three steps',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        if (entry.user !== undefined) await this.#index()
        return super.create(key, entry)
      }
      override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
        const { user } = this.live(key) ?? entry
        if (user !== entry.user) await this.#index()
        return super.replace(key, entry, seen)
      }
      async #index(): Promise<void> {
        await this.place.trip()
        await this.place.trip()
      }
    },
  ),
  broken(
    'S24',
    'compares nothing once another instance has deleted a key of the data',
    class extends ReferenceStore {
      override same(row: Row, seen: Stored): boolean {
        return super.same(row, seen) || row.text.length < seen.text.length
      }
    },
    ['S22'],
  ),
]
