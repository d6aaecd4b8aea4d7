import type { Entry, Replaced, Store, Stored } from '../../src/core/store.js'
import type { Clause, StoreHarness } from '../../src/testing/index.js'
import { ReferenceStore, type Row, type Setting } from './reference-store.js'

/** A store with one defect. */
export interface BrokenStore {
  /** The defect, as the end of "a store that …". */
  readonly defect: string
  readonly clause: Clause
  /** The other clauses that the same defect breaks. */
  readonly also: readonly Clause[] | 'most'
  readonly make: (setting: Setting) => Store
  readonly options?: Omit<StoreHarness, 'open'>
}

export function broken(
  clause: Clause,
  defect: string,
  Broken: new (setting: Setting) => Store,
  also: BrokenStore['also'] = [],
): BrokenStore {
  return { clause, defect, also, make: (setting) => new Broken(setting) }
}

/** Defects of S1 to S5: writes and races. */
export const brokenWrites: readonly BrokenStore[] = [
  broken(
    'S1',
    'overwrites on create',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        await this.place.trip()
        this.put(key, entry)
        return true
      }
    },
    ['S14', 'S22'],
  ),
  broken(
    'S1',
    'refuses a create and moves the expiry all the same',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        if (await super.create(key, entry)) return true
        await this.touch(key, entry.expiresAt)
        return false
      }
    },
  ),
  broken(
    'S1',
    'refuses a create and indexes the user all the same',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        if (await super.create(key, entry)) return true
        const row = this.live(key)
        if (row) this.put(key, { ...entry, text: row.text, expiresAt: row.expiresAt })
        return false
      }
    },
  ),
  broken(
    'S1',
    'looks first and inserts after a wait',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        await this.place.trip()
        if (this.live(key)) return false
        await undefined
        this.put(key, entry)
        return true
      }
    },
  ),
  broken(
    'S1',
    'inserts a record with a user after a wait, and any other at once',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        if (entry.user === undefined) return super.create(key, entry)
        await this.place.trip()
        if (this.live(key)) return false
        await undefined
        this.put(key, entry)
        return true
      }
    },
  ),
  broken(
    'S1',
    'takes an expired leftover for a live record',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        await this.place.trip()
        if (this.row(key)) return false
        this.put(key, entry)
        return true
      }
    },
    ['S2', 'S7', 'S8', 'S17', 'S20'],
  ),
  broken(
    'S2',
    'inserts on replace',
    class extends ReferenceStore {
      override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
        const result = await super.replace(key, entry, seen)
        if (result === 'gone') this.put(key, entry)
        return result === 'gone' ? 'replaced' : result
      }
    },
    ['S5', 'S7', 'S13', 'S18'],
  ),
  broken(
    'S2',
    'says "gone" and inserts all the same',
    class extends ReferenceStore {
      override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
        const result = await super.replace(key, entry, seen)
        if (result === 'gone') this.put(key, entry)
        return result
      }
    },
    ['S5', 'S7', 'S13', 'S18'],
  ),
  broken(
    'S2',
    'revives an expired record by a touch',
    class extends ReferenceStore {
      override async touch(key: string, expiresAt: number): Promise<boolean> {
        await this.place.trip()
        const row = this.row(key)
        if (row) this.put(key, { ...row, expiresAt })
        return row !== undefined
      }
    },
    ['S7', 'S20'],
  ),
  broken(
    'S2',
    'replaces an expired record',
    class extends ReferenceStore {
      override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
        await this.place.trip()
        const row = this.row(key)
        if (!row) return 'gone'
        if (row.text !== seen.text) return 'changed'
        this.put(key, entry)
        return 'replaced'
      }
    },
    ['S7'],
  ),
  broken(
    'S3',
    'only ever prolongs a life by a touch',
    class extends ReferenceStore {
      override touch(key: string, expiresAt: number): Promise<boolean> {
        return super.touch(key, Math.max(expiresAt, this.live(key)?.expiresAt ?? 0))
      }
    },
    ['S8'],
  ),
  broken(
    'S3',
    'compares the expiry too',
    class extends ReferenceStore {
      override same(row: Row, seen: Stored): boolean {
        return super.same(row, seen) && row.expiresAt === seen.expiresAt
      }
    },
    ['S14', 'S19'],
  ),
  broken(
    'S3',
    'touches by reading the record and writing it back',
    class extends ReferenceStore {
      override async touch(key: string, expiresAt: number): Promise<boolean> {
        await this.place.trip()
        const row = this.live(key)
        if (!row) return false
        await this.place.trip()
        if (this.live(key)) this.put(key, { ...row, expiresAt })
        return true
      }
    },
    ['S6', 'S23'],
  ),
  broken(
    'S3',
    'forgets the user on a touch',
    class extends ReferenceStore {
      override async touch(key: string, expiresAt: number): Promise<boolean> {
        await this.place.trip()
        const row = this.live(key)
        if (row) this.put(key, { text: row.text, expiresAt })
        return row !== undefined
      }
    },
  ),
  broken(
    'S4',
    'replaces whatever is there',
    class extends ReferenceStore {
      override same(): boolean {
        return true
      }
    },
    ['S6', 'S17', 'S22'],
  ),
  broken(
    'S4',
    'compares and writes after a wait',
    class extends ReferenceStore {
      override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
        await this.place.trip()
        const row = this.live(key)
        if (!row) return 'gone'
        if (row.text !== seen.text) return 'changed'
        await undefined
        this.put(key, entry)
        return 'replaced'
      }
    },
    ['S5', 'S6', 'S17'],
  ),
  broken(
    'S4',
    'compares lengths',
    class extends ReferenceStore {
      override same(row: Row, seen: Stored): boolean {
        return row.text.length === seen.text.length
      }
    },
  ),
  broken(
    'S4',
    'compares as a case-insensitive collation does',
    class extends ReferenceStore {
      override same(row: Row, seen: Stored): boolean {
        return folded(row.text) === folded(seen.text)
      }
    },
  ),
  broken(
    'S4',
    'counts a write that changes nothing as gone',
    class extends ReferenceStore {
      override async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
        const row = this.live(key)
        const result = await super.replace(key, entry, seen)
        const same = row?.text === entry.text && row.expiresAt === entry.expiresAt
        return same && result === 'replaced' ? 'gone' : result
      }
    },
  ),
  broken(
    'S5',
    'throws when an unknown key is destroyed',
    class extends ReferenceStore {
      override async destroy(key: string): Promise<boolean> {
        if (await super.destroy(key)) return true
        throw new Error('not found')
      }
    },
    ['S12', 'S13', 'S21', 'S22'],
  ),
  broken(
    'S5',
    'always says that a live record was destroyed',
    class extends ReferenceStore {
      override async destroy(key: string): Promise<boolean> {
        await super.destroy(key)
        return true
      }
    },
    ['S13'],
  ),
  broken(
    'S5',
    'brings a record back by a touch that was in flight',
    class extends ReferenceStore {
      override async touch(key: string, expiresAt: number): Promise<boolean> {
        await this.place.trip()
        const row = this.live(key)
        if (!row) return false
        await undefined
        this.put(key, { ...(this.live(key) ?? row), expiresAt })
        return true
      }
    },
  ),
  broken(
    'S1',
    'answers a create before the record is there',
    class extends ReferenceStore {
      override async create(key: string, entry: Entry): Promise<boolean> {
        await this.place.trip()
        if (this.live(key)) return false
        setImmediate(() => this.live(key) ?? this.put(key, entry))
        return true
      }
    },
    'most',
  ),
  broken(
    'S3',
    'touches by nothing but its answer',
    class extends ReferenceStore {
      override async touch(key: string): Promise<boolean> {
        await this.place.trip()
        return this.live(key) !== undefined
      }
    },
    ['S8', 'S19', 'S20'],
  ),
  broken(
    'S3',
    'counts a touch that changes nothing as gone',
    class extends ReferenceStore {
      override async touch(key: string, expiresAt: number): Promise<boolean> {
        const same = this.live(key)?.expiresAt === expiresAt
        return (await super.touch(key, expiresAt)) && !same
      }
    },
    ['S6'],
  ),
  broken(
    'S4',
    'leaves the expiry as it was on a replace',
    class extends ReferenceStore {
      override replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
        const expiresAt = this.live(key)?.expiresAt ?? entry.expiresAt
        return super.replace(key, { ...entry, expiresAt }, seen)
      }
    },
    ['S7', 'S8', 'S17', 'S19', 'S20'],
  ),
  broken(
    'S4',
    'knows only the very object that a load gave',
    class extends ReferenceStore {
      readonly #given = new WeakSet<Stored>()
      override async load(key: string): Promise<Stored | undefined> {
        const stored = await super.load(key)
        if (stored) this.#given.add(stored)
        return stored
      }
      override same(row: Row, seen: Stored): boolean {
        return this.#given.has(seen) && super.same(row, seen)
      }
    },
    ['S12'],
  ),
  broken(
    'S5',
    'destroys everything',
    class extends ReferenceStore {
      override async destroy(key: string): Promise<boolean> {
        const live = await super.destroy(key)
        for (const other of this.keys()) this.place.rows.delete(this.prefix + other)
        return live
      }
    },
    ['S10', 'S14', 'S17', 'S18', 'S19', 'S21'],
  ),
  broken(
    'S5',
    'takes a destroyed key for taken',
    class extends ReferenceStore {
      readonly #used = new Set<string>()
      override async create(key: string, entry: Entry): Promise<boolean> {
        return this.#used.has(key) ? false : super.create(key, entry)
      }
      override async destroy(key: string): Promise<boolean> {
        this.#used.add(key)
        return super.destroy(key)
      }
    },
    ['S2', 'S4', 'S9', 'S18', 'S21'],
  ),
]

function folded(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
}
