import type { Entry, Stored } from '../../src/core/store.js'
import { type BrokenStore, broken } from './broken-writes.js'
import { ReferenceStore, type Row, type Setting } from './reference-store.js'

/** What costs its test the whole time limit. */
function slow(one: BrokenStore): BrokenStore {
  return { ...one, options: { limit: 300, patience: 10 } }
}

/** A row with something of the writer's own beside the record. */
type Marked = Row & { by?: string; at?: number; text64?: string }

/** Rows as `mark` makes them from a record. */
function marked(mark: (row: Row, store: ReferenceStore) => Marked): typeof ReferenceStore {
  return class extends ReferenceStore {
    override put(key: string, { text, expiresAt, user }: Entry): void {
      const row = mark(user === undefined ? { text, expiresAt } : { text, expiresAt, user }, this)
      this.place.rows.set(this.prefix + key, JSON.stringify(row))
    }
  }
}

const names = new WeakMap<object, string>()
let nodes = 0

function nameOf(store: object): string {
  const name = names.get(store) ?? `node ${nodes++}`
  names.set(store, name)
  return name
}

/** Defects of S9 to S11, S20 and S22: outages, other clocks and other packages. */
export const brokenOutages: readonly BrokenStore[] = [
  slow(
    broken(
      'S9',
      'remembers a failed first use',
      class extends ReferenceStore {
        #ready: Promise<void> | undefined
        override async load(key: string): Promise<Stored | undefined> {
          // Its connection is made with the first use, and not counted as a trip.
          this.#ready ??= this.place.down ? Promise.reject(new Error('refused')) : Promise.resolve()
          await this.#ready
          return super.load(key)
        }
      },
    ),
  ),
  slow(
    broken(
      'S9',
      'knows a lost connection for ever',
      class extends ReferenceStore {
        #lost = false
        override async create(key: string, entry: Entry): Promise<boolean> {
          this.#lost ||= this.place.down
          if (this.#lost) throw new Error('not connected')
          return super.create(key, entry)
        }
      },
    ),
  ),
  broken(
    'S9',
    'takes an outage for a miss',
    class extends ReferenceStore {
      override async load(key: string): Promise<Stored | undefined> {
        return super.load(key).catch(() => undefined)
      }
    },
  ),
  broken(
    'S9',
    'says that it has destroyed what it could not reach',
    class extends ReferenceStore {
      override async destroy(key: string): Promise<boolean> {
        return super.destroy(key).catch(() => true)
      }
    },
  ),
  broken(
    'S9',
    'finds no session of a user in an outage',
    class extends ReferenceStore {
      override async keysOfUser(user: string): Promise<string[]> {
        return super.keysOfUser(user).catch(() => [])
      }
    },
  ),
  broken(
    'S9',
    'tells of a failure twice, the second time to nobody',
    class extends ReferenceStore {
      override touch(key: string, expiresAt: number): Promise<boolean> {
        const touched = super.touch(key, expiresAt)
        void touched.finally(() => {})
        return touched
      }
    },
  ),
  broken(
    'S9',
    'empties a record before it writes it',
    class extends ReferenceStore {
      override async replace(key: string, entry: Entry, seen: Stored) {
        const result = await super.replace(key, { ...entry, text: '' }, seen)
        if (result !== 'replaced') return result
        await this.place.trip()
        if (this.live(key)) this.put(key, entry)
        return result
      }
    },
    'most',
  ),
  slow(
    broken(
      'S10',
      'waits for ever behind a call that was not answered',
      class extends ReferenceStore {
        #before: Promise<unknown> = Promise.resolve()
        override async load(key: string): Promise<Stored | undefined> {
          await this.#before
          if (this.place.silence === undefined) return super.load(key)
          this.#before = new Promise(() => {})
          return undefined
        }
      },
    ),
  ),
  broken(
    'S10',
    'takes silence for a miss',
    class extends ReferenceStore {
      override async load(key: string): Promise<Stored | undefined> {
        return this.place.silence === undefined ? super.load(key) : undefined
      }
    },
  ),
  broken(
    'S10',
    'tells of a late failure to nobody',
    class extends ReferenceStore {
      override async load(key: string): Promise<Stored | undefined> {
        if (this.place.silence === undefined) return super.load(key)
        void this.place.silence.then(() => Promise.reject(new Error('connection reset')))
        throw new Error('timed out')
      }
    },
  ),
  broken(
    'S10',
    'does by a late answer what has been overtaken',
    class extends ReferenceStore {
      override async replace(key: string, entry: Entry, seen: Stored) {
        if (this.place.silence !== undefined) {
          void this.place.silence.then(() => this.put(key, { ...entry, text: '' }))
          throw new Error('timed out')
        }
        return super.replace(key, entry, seen)
      }
    },
  ),
  broken(
    'S11',
    'keeps a failed sweep to itself',
    class extends ReferenceStore {
      override async sweep(options?: { limit?: number }): Promise<number> {
        return super.sweep(options).catch(() => 0)
      }
    },
  ),
  broken(
    'S11',
    'tells of a failed sweep twice, the second time to nobody',
    class extends ReferenceStore {
      override sweep(options?: { limit?: number }): Promise<number> {
        const swept = super.sweep(options)
        void swept.finally(() => {})
        return swept
      }
    },
  ),
  broken(
    'S11',
    'keeps a failed migration to itself',
    class extends ReferenceStore {
      async migrate(): Promise<void> {
        await this.place.trip().catch(() => {})
      }
    },
  ),
  broken(
    'S11',
    'makes a migration once, failed or not',
    class extends ReferenceStore {
      #made: Promise<void> | undefined
      migrate(): Promise<void> {
        this.#made ??= this.place.trip()
        return this.#made
      }
    },
  ),
  broken(
    'S11',
    'holds its process open by a timer',
    class extends ReferenceStore {
      constructor(setting: Setting) {
        super(setting)
        setTimeout(() => {}, 50)
      }
    },
  ),
  broken(
    'S20',
    'takes a record from the future for garbage',
    class extends marked((row, { clock }) => ({ ...row, at: clock.now() })) {
      override row(key: string): Row | undefined {
        const row: Marked | undefined = super.row(key)
        return row?.at !== undefined && row.at > this.clock.now() ? undefined : row
      }
    },
  ),
  broken(
    'S20',
    'lets records of other nodes live a minute longer',
    class extends marked((row, store) => ({ ...row, by: nameOf(store) })) {
      override isLive(row: Marked): boolean {
        const grace = row.by === undefined || row.by === nameOf(this) ? 0 : 60_000
        return row.expiresAt + grace > this.clock.now()
      }
    },
    'most',
  ),
  broken(
    'S22',
    'knows no record of the package that it replaces',
    class extends ReferenceStore {
      override row(key: string): Row | undefined {
        const isOld = this.place.rows.get(this.prefix + key)?.startsWith('{"sess"')
        return isOld ? undefined : super.row(key)
      }
    },
  ),
  broken(
    'S22',
    'takes their seconds for milliseconds',
    class extends ReferenceStore {
      override row(key: string): Row | undefined {
        const isOld = this.place.rows.get(this.prefix + key)?.startsWith('{"sess"')
        const row = super.row(key)
        return isOld && row ? { ...row, expiresAt: row.expiresAt / 1000 } : row
      }
    },
  ),
  broken(
    'S22',
    'writes what the package that it replaces does not read',
    class extends marked(({ text, ...row }) => ({
      ...row,
      text: Buffer.from(text).toString('base64'),
      by: 'us',
    })) {
      override row(key: string): Row | undefined {
        const row: Marked | undefined = super.row(key)
        if (row?.by === undefined) return row
        return { ...row, text: Buffer.from(row.text, 'base64').toString() }
      }
    },
    'most',
  ),
]
