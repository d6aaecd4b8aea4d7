import type { Clock } from '../core/clock.js'
import type {
  ByUser,
  Closable,
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
import { Reports } from './internal/reports.js'
import { isStorable } from './internal/sql-identifier.js'
import { inSteps, pause } from './internal/sql-steps.js'
import { ownerOf } from './internal/sql-user-index.js'
import {
  SqliteConnection,
  type SqliteSource,
  type SqliteValue,
} from './internal/sqlite-database.js'
import { lacksTable, sqliteError } from './internal/sqlite-errors.js'
import { missingOf, type SqliteTables, schemaOf, tableNames } from './internal/sqlite-schema.js'
import { ORPHAN_PAGE, type SqliteStatements, statementsOf } from './internal/sqlite-statements.js'
import {
  type SqliteStoreOptions,
  type SqliteTableOptions,
  sqliteStoreSettings,
  sqliteTables,
} from './internal/sqlite-store-options.js'

export type { KnexTableOptions } from './internal/knex-table.js'
export type { SqliteLike, SqliteStatement, SqliteValue } from './internal/sqlite-database.js'
export type { SqliteStoreOptions, SqliteTableOptions }

/** How many steps through the user index a sweep makes: the next one goes on there. */
const ORPHAN_STEPS = 10

/** The last moment that ISO 8601 writes with four digits for the year: texts of it have an order. */
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

const EPOCH = new Date(0).toISOString()

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z$/

/**
 * Keeps records in a table of SQLite (3.35 or later): that of better-sqlite3-session-store, which may
 * work on it at the same time, or one that it makes. Any number of processes may share the file.
 *
 * Each operation is one transaction, and its answer is no promise: it is there at once, and so is an
 * error. It has no timer; `close()` closes what it has opened itself.
 *
 * Errors: `ERR_STORE` with the driver's error as its `cause`; `ERR_NOT_SERIALIZABLE` and
 * `ERR_RECORD_TOO_LARGE` for what the table cannot hold.
 */
export class SqliteStore implements Store, Sweepable, Enumerable, ByUser, Reporting, Closable {
  readonly #source: SqliteSource
  readonly #clock: Clock
  readonly #tables: SqliteTables
  readonly #autoMigrate: boolean
  readonly #wal: boolean
  readonly #sql: SqliteStatements
  readonly #reports = new Reports()
  #connection: SqliteConnection | undefined
  #isClosed = false
  /** Where in the user index the next sweep goes on. Sweepers of several processes share the work. */
  #checkedTo = String.fromCharCode(48 + Math.random() * 75)

  /** @throws OptionError */
  constructor(options: SqliteStoreOptions) {
    const { source, clock, tables, autoMigrate, wal } = sqliteStoreSettings(options)
    this.#source = source
    this.#clock = clock
    this.#tables = tables
    this.#autoMigrate = autoMigrate
    this.#wal = wal
    this.#sql = statementsOf(tableNames(tables))
    if (!tables.userIndex) {
      // Who looks for the capability is not to find it.
      Object.defineProperty(this, 'keysOfUser', { value: undefined })
    }
  }

  /** The SQL that makes the tables, for those who run migrations by hand. @throws OptionError */
  static schema(options: SqliteTableOptions = {}): string {
    return schemaOf(sqliteTables(options))
  }

  /**
   * Makes what is missing of the tables and their indexes, and leaves the rest alone. It can be
   * called by every process at every start; an index on a large table keeps everybody waiting.
   */
  async migrate(): Promise<void> {
    this.#coded('migrate', () => this.#make())
  }

  load(key: string): Stored | undefined {
    if (!isStorable(key)) return undefined
    return this.#run('load', (db) => {
      const row = db.get(this.#sql.load, key, this.#now())
      if (row !== undefined) return this.#stored(key, row)
      return this.#tables.fallback && this.#copied(db, key)
    })
  }

  create(key: string, { text, expiresAt, user }: Entry): boolean {
    if (!isStorable(key)) throw unstorable('create', 'key')
    const values = [key, payload('create', text), moment(expiresAt), this.#now()]
    const owner = this.#owner('create', user)
    return this.#atomically('create', (db) => {
      const isMade = db.run(this.#sql.create, ...values) > 0
      if (isMade) this.#setOwner(db, key, owner)
      return isMade
    })
  }

  replace(key: string, { text, expiresAt, user }: Entry, seen: Stored): Replaced {
    if (!isStorable(key)) return 'gone'
    const now = this.#now()
    const values = [payload('replace', text), moment(expiresAt), key, now, seen.text]
    const owner = this.#owner('replace', user)
    return this.#atomically('replace', (db) => {
      if (db.run(this.#sql.replace, ...values) > 0) {
        this.#setOwner(db, key, owner)
        return 'replaced'
      }
      return db.get(this.#sql.isLive, key, now) === undefined ? 'gone' : 'changed'
    })
  }

  touch(key: string, expiresAt: number): boolean {
    if (!isStorable(key)) return false
    const values = [moment(expiresAt), key, this.#now()]
    return this.#run('touch', (db) => db.run(this.#sql.touch, ...values) > 0)
  }

  destroy(key: string): boolean {
    if (!isStorable(key)) return false
    const now = this.#now()
    return this.#atomically('destroy', (db) => {
      const removed = db.get(this.#sql.destroy, key, now)
      this.#setOwner(db, key, undefined)
      const isOldLive = this.#tables.fallback && db.get(this.#sql.findOld, key, now) !== undefined
      if (isOldLive) db.run(this.#sql.hide, key, '{}', EPOCH)
      return removed === undefined ? isOldLive === true : Boolean(removed.live)
    })
  }

  /**
   * Removes expired records in transactions of 500 at most, with pauses between them. Besides, some
   * rows of the user index whose record others have removed, which do not count.
   */
  async sweep({ limit = Infinity }: { limit?: number } = {}): Promise<number> {
    const removed = await inSteps(this.#clock, limit, async (most) => {
      const now = this.#now()
      const moments = this.#tables.fallback === undefined ? [now] : [now, now]
      const rows = this.#atomically('sweep', (db) => {
        const swept = db.all(this.#sql.sweep, ...moments, most)
        for (const { sid } of swept) this.#setOwner(db, String(sid), undefined)
        return swept
      })
      for (const { sid, text } of rows) {
        const told = text === null ? {} : { text: String(text) }
        this.#reports.send({ type: 'expired', key: String(sid), ...told })
      }
      return rows.length
    })
    if (this.#tables.userIndex) await this.#dropOrphans()
    return removed
  }

  /** In the order of the keys, a page at a time. */
  async *entries(): AsyncGenerator<{ key: string } & Stored, void, undefined> {
    const page = (sql: string, key: string) =>
      this.#run('entries', (db) => db.all(sql, key, this.#now()))
    for (let rows = page(this.#sql.from, ''); rows.length > 0; ) {
      let last = ''
      for (const row of rows) {
        last = String(row.sid)
        const stored = this.#stored(last, row)
        if (stored !== undefined) yield { key: last, ...stored }
      }
      rows = page(this.#sql.after, last)
    }
  }

  async keysOfUser(user: string): Promise<string[]> {
    const rows = this.#run('keysOfUser', (db) =>
      db.all(this.#sql.keysOfOwner, ownerOf(user), this.#now()),
    )
    return rows.map(({ sid }) => String(sid))
  }

  /** Reports `expired` from sweeps, and `unreadable` for rows whose expiry is no moment. */
  onReport(listener: (report: StoreReport) => void): () => void {
    return this.#reports.listen(listener)
  }

  /** Closes the file of option `filename`. A database of option `db` stays open. */
  async close(): Promise<void> {
    if (!this.#source.isOwn) return
    this.#isClosed = true
    const connection = this.#connection
    this.#connection = undefined
    if (connection) this.#coded('close', () => connection.close())
  }

  /** What the old table has, which from now on is here. */
  #copied(db: SqliteConnection, key: string): Stored | undefined {
    const now = this.#now()
    const row = db.get(this.#sql.findOld, key, now)
    const found = row && this.#stored(key, row)
    if (found === undefined) return undefined
    const values = [key, payload('load', found.text), moment(found.expiresAt)]
    if (db.run(this.#sql.copy, ...values) > 0) return found
    // It has ended here; or another process was faster, and may have changed it since.
    const here = db.get(this.#sql.load, key, now)
    return here && this.#stored(key, here)
  }

  async #dropOrphans(): Promise<void> {
    for (let step = 0; step < ORPHAN_STEPS; step++) {
      if (step > 0) await pause(this.#clock, 10 * Math.random())
      const after = this.#checkedTo
      const isMore = this.#run('sweep', (db) => {
        const { last, length } = db.get(this.#sql.pageOfOwned, after) ?? {}
        if (typeof last !== 'string') return false
        db.run(this.#sql.dropOrphans, after, last)
        this.#checkedTo = last
        return Number(length) === ORPHAN_PAGE
      })
      if (isMore) continue
      this.#checkedTo = ''
      return
    }
  }

  /** What is kept for a user. @throws CoatcheckError if nothing is */
  #owner(op: string, user: string | undefined): string | undefined {
    if (user === undefined || this.#tables.userIndex) return user && ownerOf(user)
    throw new CoatcheckError(
      'ERR_UNSUPPORTED',
      "SqliteStore: with 'userIndex: false' it cannot keep the sessions of users.",
      { op, store: 'SqliteStore', outcome: 'failed' },
    )
  }

  /** Written after the record, in the same transaction. */
  #setOwner(db: SqliteConnection, key: string, owner: string | undefined): void {
    if (!this.#tables.userIndex) return
    if (owner === undefined) db.run(this.#sql.disown, key)
    else db.run(this.#sql.own, key, owner)
  }

  #stored(key: string, { text, expiry }: Readonly<Record<string, unknown>>): Stored | undefined {
    const isMoment = typeof expiry === 'string' && MOMENT.test(expiry)
    const expiresAt = isMoment ? Date.parse(expiry) : Number.NaN
    if (!Number.isNaN(expiresAt)) return { text: String(text), expiresAt }
    this.#reports.send({ type: 'unreadable', key })
    return undefined
  }

  #atomically<T>(op: string, work: (db: SqliteConnection) => T): T {
    return this.#run(op, (db) => db.atomically(() => work(db)))
  }

  #run<T>(op: string, work: (db: SqliteConnection) => T): T {
    return this.#coded(op, () => {
      try {
        return work(this.#open())
      } catch (error) {
        if (!this.#autoMigrate || !lacksTable(error)) throw error
      }
      // Before the first use, or somebody has dropped it: nothing of the work has been kept.
      this.#make()
      return work(this.#open())
    })
  }

  #make(): void {
    const db = this.#open()
    const missing = missingOf(this.#tables, db)
    // Somebody else may be making the same.
    if (missing.length > 0) db.atomically(() => db.exec(missing.join('\n')))
  }

  #open(): SqliteConnection {
    if (this.#isClosed) throw new CoatcheckError('ERR_CLOSED', 'This SqliteStore has been closed.')
    this.#connection ??= new SqliteConnection(this.#source.open(), this.#wal)
    return this.#connection
  }

  #coded<T>(op: string, run: () => T): T {
    try {
      return run()
    } catch (error) {
      throw sqliteError(op, error)
    }
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString()
  }
}

/**
 * What is bound for a text. The column of better-sqlite3-session-store has the type `JSON`, which
 * makes numbers of texts that look like one ('007'); bytes stay what they are.
 */
function payload(op: string, text: string): SqliteValue {
  if (!isStorable(text)) throw unstorable(op, 'text')
  return /^[\s\d+.-]/.test(text) ? Buffer.from(text) : text
}

/**
 * Rounded up, as the ISO text that better-sqlite3-session-store writes. Of NaN, which is no moment,
 * it would be a RangeError; a record with such an end is dead in every store.
 */
function moment(ms: number): string {
  return new Date(Math.min(Math.max(Math.ceil(ms), 0), LATEST) || 0).toISOString()
}

function unstorable(op: string, what: 'key' | 'text'): CoatcheckError {
  return new CoatcheckError(
    what === 'key' ? 'ERR_UNSUPPORTED' : 'ERR_NOT_SERIALIZABLE',
    `SqliteStore: the ${what} has a NUL or a lone surrogate, which SQLite does not keep.`,
    { op, store: 'SqliteStore', outcome: 'failed' },
  )
}
