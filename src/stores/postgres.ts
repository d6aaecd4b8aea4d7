import type { Clock } from '../core/clock.js'
import type {
  ByUser,
  Entry,
  Enumerable,
  Replaced,
  Reporting,
  Store,
  Stored,
  StoreReport,
  Sweepable,
} from '../core/store.js'
import { CoatcheckError } from '../errors.js'
import { hearLostConnections, Payload, type Send, type Value } from './internal/postgres-client.js'
import { hasLost, lacksTable, postgresError, wasFaster } from './internal/postgres-errors.js'
import {
  migrationOf,
  type PostgresTables,
  schemaOf,
  tableNames,
} from './internal/postgres-schema.js'
import { type PostgresStatements, statementsOf } from './internal/postgres-statements.js'
import {
  type PostgresStoreOptions,
  type PostgresTableOptions,
  postgresStoreSettings,
  postgresTables,
} from './internal/postgres-store-options.js'
import { Reports } from './internal/reports.js'
import { patiently } from './internal/sql-attempts.js'
import { isStorable } from './internal/sql-identifier.js'
import { inSteps } from './internal/sql-steps.js'
import { ORPHAN_AGE, ownerOf } from './internal/sql-user-index.js'

export type { KnexTableOptions } from './internal/knex-table.js'
export type { PgLike, PostgresJsLike } from './internal/postgres-client.js'
export type { PostgresStoreOptions, PostgresTableOptions }

/** How many steps through the user index a sweep makes: the next one goes on there. */
const ORPHAN_STEPS = 10

/** The last moment that a `Date` holds (ECMA-262, section 21.4.1.1), and that the server takes. */
const LATEST = 8.64e15

/**
 * Keeps records in a table of PostgreSQL (9.6 or later): that of connect-pg-simple, which may work
 * on it at the same time, or one that it makes.
 *
 * Each operation is one statement, which is a transaction of its own and leaves nothing on its
 * connection. It has no timer and opens nothing; the pool stays the caller's.
 *
 * Errors: `ERR_STORE` with the driver's error as its `cause`, without what it tells of the data;
 * `ERR_NOT_SERIALIZABLE` and `ERR_RECORD_TOO_LARGE` for what the table cannot hold.
 */
export class PostgresStore implements Store, Sweepable, Enumerable, ByUser, Reporting {
  readonly #send: Send
  readonly #client: unknown
  readonly #clock: Clock
  readonly #tables: PostgresTables
  readonly #autoMigrate: boolean
  readonly #sql: PostgresStatements
  readonly #reports = new Reports()
  #listens = false
  #making: Promise<void> | undefined
  /** Where in the user index the next sweep goes on. Sweepers of several processes share the work. */
  #checkedTo = String.fromCharCode(48 + Math.random() * 75)

  /** @throws OptionError */
  constructor(options: PostgresStoreOptions) {
    const { send, client, clock, tables, autoMigrate } = postgresStoreSettings(options)
    this.#send = send
    this.#client = client
    this.#clock = clock
    this.#tables = tables
    this.#autoMigrate = autoMigrate
    this.#sql = statementsOf(tableNames(tables))
    if (!tables.userIndex) {
      // Who looks for the capability is not to find it.
      Object.defineProperty(this, 'keysOfUser', { value: undefined })
    }
  }

  /** The SQL that makes the tables, for those who run migrations by hand. @throws OptionError */
  static schema(options: PostgresTableOptions = {}): string {
    return schemaOf(postgresTables(options))
  }

  /**
   * Makes what is missing of the tables and their indexes, and leaves the rest alone. It can be
   * called by every process at every start; an index on a large table keeps its writers waiting.
   */
  migrate(): Promise<void> {
    return this.#coded('migrate', () => this.#make('all'))
  }

  async load(key: string): Promise<Stored | undefined> {
    if (!isStorable(key)) return undefined
    const [row] = await this.#run('load', this.#sql.load, [key, this.#now()])
    if (row !== undefined) return stored(row)
    return this.#tables.fallback && (await this.#copied(key))
  }

  async create(key: string, { text, expiresAt, user }: Entry): Promise<boolean> {
    if (!isStorable(key)) throw unstorable('create', 'key')
    const values = [key, payload('create', text), moment(expiresAt), this.#now()]
    const rows =
      user === undefined
        ? await this.#run('create', this.#sql.create, values)
        : await this.#run('create', this.#sql.createOwned, [...values, this.#owner('create', user)])
    return rows.length > 0
  }

  async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    if (!isStorable(key)) return 'gone'
    const { text, expiresAt, user } = entry
    const values = [key, payload('replace', text), moment(expiresAt), this.#now(), seen.text]
    const [row] =
      user === undefined
        ? await this.#run('replace', this.#sql.replace, values)
        : await this.#run('replace', this.#sql.replaceOwned, [
            ...values,
            this.#owner('replace', user),
          ])
    const [wasLive, isReplaced] = row ?? []
    if (isReplaced === true) return 'replaced'
    return wasLive === true ? 'changed' : 'gone'
  }

  async touch(key: string, expiresAt: number): Promise<boolean> {
    if (!isStorable(key)) return false
    const values = [key, moment(expiresAt), this.#now()]
    return (await this.#run('touch', this.#sql.touch, values)).length > 0
  }

  async destroy(key: string): Promise<boolean> {
    if (!isStorable(key)) return false
    const [row] = await this.#run('destroy', this.#sql.destroy, [key, this.#now()])
    return row?.[0] === true
  }

  /**
   * Removes expired records in transactions of 500 at most, with pauses between them. Besides, some
   * rows of the user index whose record others have removed, which do not count.
   */
  async sweep({ limit = Infinity }: { limit?: number } = {}): Promise<number> {
    const removed = await inSteps(this.#clock, limit, async (most) => {
      const rows = await this.#run('sweep', this.#sql.sweep, [this.#now(), most])
      for (const [key, text] of rows) {
        const told = typeof text === 'string' ? { text } : {}
        this.#reports.send({ type: 'expired', key: String(key), ...told })
      }
      return rows.length
    })
    if (this.#tables.userIndex) await this.#dropOrphans()
    return removed
  }

  /** In the order of the keys, a page at a time. */
  async *entries(): AsyncGenerator<{ key: string } & Stored, void, undefined> {
    let page = await this.#run('entries', this.#sql.from, ['', this.#now()])
    for (let last: unknown; page.length > 0; ) {
      for (const [key, ...row] of page) {
        last = key
        yield { key: String(key), ...stored(row) }
      }
      page = await this.#run('entries', this.#sql.after, [String(last), this.#now()])
    }
  }

  async keysOfUser(user: string): Promise<string[]> {
    const values = [ownerOf(user), this.#now()]
    const rows = await this.#run('keysOfUser', this.#sql.keysOfOwner, values)
    return rows.map(([key]) => String(key))
  }

  /** Reports `expired` from sweeps, and `error` for connections that a pool has lost while idle. */
  onReport(listener: (report: StoreReport) => void): () => void {
    return this.#reports.listen(listener)
  }

  /** What the old table has, which from now on is here. */
  async #copied(key: string): Promise<Stored | undefined> {
    const [row] = await this.#run('load', this.#sql.findOld, [key, this.#now()])
    if (row === undefined) return undefined
    const found = stored(row)
    const values = [key, new Payload(found.text), found.expiresAt]
    if ((await this.#run('load', this.#sql.copy, values)).length > 0) return found
    // It has ended here; or another request was faster, and may have changed it since.
    const [now] = await this.#run('load', this.#sql.load, [key, this.#now()])
    return now && stored(now)
  }

  async #dropOrphans(): Promise<void> {
    const before = this.#now() - ORPHAN_AGE
    for (let step = 0; step < ORPHAN_STEPS; step++) {
      const [row] = await this.#run('sweep', this.#sql.dropOrphans, [this.#checkedTo, before])
      this.#checkedTo = row === undefined ? '' : String(row[0])
      if (row === undefined) return
    }
  }

  #owner(op: string, user: string): string {
    if (this.#tables.userIndex) return ownerOf(user)
    throw new CoatcheckError(
      'ERR_UNSUPPORTED',
      "PostgresStore: with 'userIndex: false' it cannot keep the sessions of users.",
      { op, store: 'PostgresStore', outcome: 'failed' },
    )
  }

  #run(op: string, text: string, values: readonly Value[]): Promise<readonly unknown[][]> {
    return this.#coded(op, async () => {
      try {
        return await this.#try(text, values)
      } catch (error) {
        if (!this.#autoMigrate || !lacksTable(error)) throw error
      }
      // Before the first use, or somebody has dropped it: nothing of the statement has happened.
      this.#making ??= this.#make('missing').finally(() => {
        this.#making = undefined
      })
      await this.#making
      return await this.#try(text, values)
    })
  }

  async #make(how: 'missing' | 'all'): Promise<void> {
    const text = migrationOf(this.#tables, how)
    try {
      await this.#try(text, [])
    } catch (error) {
      // Others than us, who do not know our lock, make tables too.
      if (!wasFaster(error)) throw error
      await this.#try(text, [])
    }
  }

  #try(text: string, values: readonly Value[]): Promise<readonly unknown[][]> {
    return patiently(this.#clock, hasLost, () => this.#send(text, values))
  }

  async #coded<T>(op: string, run: () => Promise<T>): Promise<T> {
    if (!this.#listens) {
      this.#listens = true
      hearLostConnections(this.#client, (error) => {
        this.#reports.send({ type: 'error', op: 'connect', error: postgresError('connect', error) })
      })
    }
    try {
      return await run()
    } catch (error) {
      throw postgresError(op, error)
    }
  }

  #now(): number {
    return this.#clock.now()
  }
}

function stored([text, expiry]: readonly unknown[]): Stored {
  return { text: String(text), expiresAt: Math.round(Number(expiry)) }
}

function payload(op: string, text: string): Payload {
  if (isStorable(text)) return new Payload(text)
  throw unstorable(op, 'text')
}

function moment(ms: number): number {
  // The server knows no moment before 4713 BC; what has ended may have ended in 1970.
  return Math.min(Math.max(Math.ceil(ms), 0), LATEST) || 0
}

function unstorable(op: string, what: 'key' | 'text'): CoatcheckError {
  return new CoatcheckError(
    what === 'key' ? 'ERR_UNSUPPORTED' : 'ERR_NOT_SERIALIZABLE',
    `PostgresStore: the ${what} has a NUL or a lone surrogate, which PostgreSQL cannot keep.`,
    { op, store: 'PostgresStore', outcome: 'failed' },
  )
}
