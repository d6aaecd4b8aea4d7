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
import type { Answer, Send, Value } from './internal/mysql-client.js'
import { hasLost, isTaken, lacksTable, mysqlError, wasFaster } from './internal/mysql-errors.js'
import {
  creationOf,
  IS_INDEXED,
  indexingOf,
  type MySQLTables,
  schemaOf,
  tableNames,
} from './internal/mysql-schema.js'
import {
  type MySQLStatements,
  ORPHAN_PAGE,
  REPLACING,
  statementsOf,
  TAKING,
  TOUCHED,
} from './internal/mysql-statements.js'
import {
  type MySQLStoreOptions,
  type MySQLTableOptions,
  mysqlStoreSettings,
  mysqlTables,
} from './internal/mysql-store-options.js'
import {
  isKey,
  payload,
  seconds,
  step,
  stored,
  unstorable,
  type Values,
} from './internal/mysql-values.js'
import { Reports } from './internal/reports.js'
import { patiently } from './internal/sql-attempts.js'
import { inSteps } from './internal/sql-steps.js'
import { ORPHAN_AGE, ownerOf } from './internal/sql-user-index.js'

export type { KnexTableOptions } from './internal/knex-table.js'
export type { MySQLPoolLike } from './internal/mysql-client.js'
export type { MySQLStoreOptions, MySQLTableOptions }

/** How many steps through the user index a sweep makes: the next one goes on there. */
const ORPHAN_STEPS = 10

/** How often an operation begins again that finds rows of others coming and going. */
const MOST_ROUNDS = 10

/**
 * Keeps records in a table of MySQL (5.7 or later) or MariaDB (10.3 or later): that of
 * express-mysql-session, which may work on it at the same time, or one that it makes. Lives are
 * rounded up to seconds.
 *
 * Each statement is a transaction of its own. It has no timer and opens nothing; the pool stays the
 * caller's.
 *
 * Errors: `ERR_STORE` with the driver's error as its `cause`, without what it tells of the data;
 * `ERR_NOT_SERIALIZABLE` and `ERR_RECORD_TOO_LARGE` for what the table cannot hold.
 */
export class MySQLStore implements Store, Sweepable, Enumerable, ByUser, Reporting {
  readonly #send: Send
  readonly #clock: Clock
  readonly #tables: MySQLTables
  readonly #autoMigrate: boolean
  readonly #sql: MySQLStatements
  readonly #reports = new Reports()
  #making: Promise<void> | undefined
  /** Where in the user index the next sweep goes on. Sweepers of several processes share the work. */
  #checkedTo = String.fromCharCode(48 + Math.random() * 75)

  /** @throws OptionError */
  constructor(options: MySQLStoreOptions) {
    const { send, clock, tables, autoMigrate } = mysqlStoreSettings(options)
    this.#send = send
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
  static schema(options: MySQLTableOptions = {}): string {
    return schemaOf(mysqlTables(options))
  }

  /**
   * Makes what is missing of the tables and their indexes, and leaves the rest alone. It can be
   * called by every process at every start.
   */
  migrate(): Promise<void> {
    return coded('migrate', async () => {
      await this.#make()
      const { table, columns } = this.#tables
      const { rows } = await this.#try(IS_INDEXED, [table, columns.expires])
      if (rows.length === 0) await this.#makeOnce(indexingOf(this.#tables))
    })
  }

  async load(key: string): Promise<Stored | undefined> {
    if (!isKey(key)) return undefined
    const { rows } = await this.#run('load', this.#sql.load, [key, this.#now()])
    const [row] = rows
    if (row !== undefined) return stored(row)
    return this.#tables.fallback && (await this.#copied(key))
  }

  async create(key: string, entry: Entry): Promise<boolean> {
    if (!isKey(key)) throw unstorable('create', 'key')
    const values = { key, text: payload('create', entry.text), end: this.#end(entry.expiresAt) }
    if (entry.user === undefined) return this.#createForNobody(values)
    return this.#createOwned({ ...values, owner: this.#owner('create', entry.user) })
  }

  async replace(key: string, { text, expiresAt, user }: Entry, seen: Stored): Promise<Replaced> {
    if (!isKey(key)) return 'gone'
    const [sql, owner] =
      user === undefined
        ? [this.#sql.replace, []]
        : [this.#sql.replaceOwned, [this.#owner('replace', user)]]
    const written = [payload('replace', text), this.#end(expiresAt), ...owner]
    for (let round = 1; round <= MOST_ROUNDS; round++) {
      const values = [...this.#forOwner(key), ...written, key, this.#now(), seen.text]
      const mark = markOf(await this.#run('replace', sql, values), REPLACING.replaced)
      if (mark === REPLACING.replaced) return 'replaced'
      if (mark === REPLACING.changed) return 'changed'
      if (mark !== REPLACING.notIndexed) return 'gone'
      // For nobody, until the next round gives it to whose record it then is.
      await this.#insert('replace', this.#sql.own, [key, null, this.#clock.now()])
    }
    return 'changed'
  }

  async touch(key: string, expiresAt: number): Promise<boolean> {
    if (!isKey(key)) return false
    const values = [this.#end(expiresAt), key, this.#now()]
    return markOf(await this.#run('touch', this.#sql.touch, values), TOUCHED) === TOUCHED
  }

  async destroy(key: string): Promise<boolean> {
    if (!isKey(key)) return false
    const named = [...this.#forOwner(key), key]
    if (this.#tables.fallback) return this.#hide(key)
    const live = await this.#run('destroy', this.#sql.destroyLive, [...named, this.#now()])
    if (live.count > 0) return true
    // Also what has expired by this clock: that of another machine may be behind.
    await this.#run('destroy', this.#sql.destroy, named)
    return false
  }

  /**
   * Removes expired records in transactions of 500 at most, with pauses between them. Besides, some
   * rows of the user index whose record others have removed, which do not count.
   */
  async sweep({ limit = Infinity }: { limit?: number } = {}): Promise<number> {
    let removed = 0
    await inSteps(this.#clock, limit, async (most) => {
      const now = this.#now()
      const found = await this.#run('sweep', this.#sql.expired(most), [
        now,
        ...(this.#tables.fallback ? [now] : []),
      ])
      const keys = found.rows.map(([key]) => String(key))
      if (keys.length === 0) return 0
      const { count } = await this.#run('sweep', this.#sql.sweep, [...step(keys), now])
      if (this.#tables.userIndex) {
        const before = this.#clock.now() - ORPHAN_AGE
        await this.#run('sweep', this.#sql.sweepOwners, [...step(keys), before])
      }
      removed += count
      // Another sweeper has taken the others, and nobody says which: nothing is told twice.
      for (const [key, text] of count < keys.length ? [] : found.rows) {
        const told = text === null ? {} : { text: String(text) }
        this.#reports.send({ type: 'expired', key: String(key), ...told })
      }
      return keys.length
    })
    if (this.#tables.userIndex) await this.#dropOrphans()
    return removed
  }

  /** In the order of the keys, a page at a time. */
  async *entries(): AsyncGenerator<{ key: string } & Stored, void, undefined> {
    let { rows } = await this.#run('entries', this.#sql.from, ['', this.#now()])
    for (let last: unknown; rows.length > 0; ) {
      for (const [key, ...row] of rows) {
        last = key
        yield { key: String(key), ...stored(row) }
      }
      rows = (await this.#run('entries', this.#sql.after, [String(last), this.#now()])).rows
    }
  }

  async keysOfUser(user: string): Promise<string[]> {
    const values = [ownerOf(user), this.#now()]
    const { rows } = await this.#run('keysOfUser', this.#sql.keysOfOwner, values)
    return rows.map(([key]) => String(key))
  }

  /** Reports `expired` from sweeps. */
  onReport(listener: (report: StoreReport) => void): () => void {
    return this.#reports.listen(listener)
  }

  async #createForNobody({ key, text, end }: Values): Promise<boolean> {
    for (let round = 1; round <= MOST_ROUNDS; round++) {
      if (await this.#insert('create', this.#sql.create, [key, end, text])) return true
      const values = [...this.#forOwner(key), text, end, key, this.#now()]
      const answer = await this.#run('create', this.#sql.takeOverForNobody, values)
      const mark = markOf(answer, TAKING.taken)
      if (mark === TAKING.taken) return true
      if (mark === TAKING.live) return false
    }
    return false
  }

  /** The row of the user index goes first: it may name a dead session, and misses no live one. */
  async #createOwned({ key, text, end, owner }: Values & { owner: string }): Promise<boolean> {
    const since = this.#clock.now()
    const isNamed = await this.#insert('create', this.#sql.own, [key, owner, since])
    // Who removes a record that was there before takes that row too: it has to be there still.
    const named = [key, end, text, key, owner]
    if (isNamed && (await this.#insert('create', this.#sql.createOwned, named))) return true
    // Rows are in the way, of a live record or left over. With one in both tables a statement
    // decides about both; a dead row is nobody's until then.
    for (let round = 1; round <= MOST_ROUNDS; round++) {
      const values = [key, text, end, owner, since, key, this.#now()]
      const mark = markOf(await this.#run('create', this.#sql.takeOver, values), TAKING.taken)
      if (mark === TAKING.taken) return true
      // A row that names its user stays: by now it may be that of the record.
      if (mark === TAKING.live) return false
      await this.#insert('create', this.#sql.own, [key, null, since])
      await this.#insert('create', this.#sql.create, [key, 0, '{}'])
    }
    return false
  }

  /** What the old table has, which from now on is here. */
  async #copied(key: string): Promise<Stored | undefined> {
    const now = this.#now()
    const found = await this.#run('load', this.#sql.findOld, [key, now, key])
    if (found.rows[0] === undefined) return undefined
    const record = stored(found.rows[0])
    const values = [key, this.#end(record.expiresAt), record.text]
    if (await this.#insert('load', this.#sql.create, values)) return record
    // Another request was faster, and may have changed it since.
    const { rows } = await this.#run('load', this.#sql.load, [key, now])
    return rows[0] && stored(rows[0])
  }

  /** Ends a record that the old table may have too, which then must not be copied again. */
  async #hide(key: string): Promise<boolean> {
    const now = this.#now()
    const { rows } = await this.#run('destroy', this.#sql.peek, [now, key, key, now])
    const [here, there] = (rows[0] ?? []).map((told) => told && String(told))
    if (there === 'live') await this.#run('destroy', this.#sql.hide, [key])
    else await this.#run('destroy', this.#sql.destroy, [...this.#forOwner(key), key])
    return (here ?? there) === 'live'
  }

  async #dropOrphans(): Promise<void> {
    const before = this.#clock.now() - ORPHAN_AGE
    for (let count = 0; count < ORPHAN_STEPS; count++) {
      const { rows } = await this.#run('sweep', this.#sql.ownerPage, [this.#checkedTo])
      const last = rows.at(-1)?.[0]
      if (last !== undefined) {
        const values = [this.#checkedTo, String(last), before]
        await this.#run('sweep', this.#sql.dropOrphans, values)
      }
      this.#checkedTo = rows.length < ORPHAN_PAGE ? '' : String(last)
      if (this.#checkedTo === '') return
    }
  }

  #owner(op: string, user: string): string {
    if (this.#tables.userIndex) return ownerOf(user)
    throw new CoatcheckError(
      'ERR_UNSUPPORTED',
      "MySQLStore: with 'userIndex: false' it cannot keep the sessions of users.",
      { op, store: 'MySQLStore', outcome: 'failed' },
    )
  }

  /** The parameter by which a statement finds the row of the user index, if there is one. */
  #forOwner(key: string): Value[] {
    return this.#tables.userIndex ? [key] : []
  }

  /** False: a row with this key is there, or one that it depends on is not. */
  async #insert(op: string, sql: string, values: readonly Value[]): Promise<boolean> {
    try {
      return (await this.#run(op, sql, values, isTaken)).count > 0
    } catch (error) {
      if (isTaken(error)) return false
      throw error
    }
  }

  /** @param foreseen of errors that the caller answers to: they come as they are */
  #run(
    op: string,
    sql: string,
    values: readonly Value[],
    foreseen?: (error: unknown) => boolean,
  ): Promise<Answer> {
    const run = async () => {
      try {
        return await this.#try(sql, values)
      } catch (error) {
        if (!this.#autoMigrate || !lacksTable(error)) throw error
      }
      // Before the first use, or somebody has dropped it: nothing of the statement has happened.
      this.#making ??= this.#make().finally(() => {
        this.#making = undefined
      })
      await this.#making
      return await this.#try(sql, values)
    }
    return coded(op, run, foreseen)
  }

  async #make(): Promise<void> {
    for (const statement of creationOf(this.#tables)) await this.#makeOnce(statement)
  }

  async #makeOnce(statement: string): Promise<void> {
    try {
      await this.#try(statement, [])
    } catch (error) {
      if (!wasFaster(error)) throw error
    }
  }

  #try(sql: string, values: readonly Value[]): Promise<Answer> {
    return patiently(this.#clock, hasLost, () => this.#send(sql, values))
  }

  #end(expiresAt: number): number {
    return seconds(expiresAt, this.#clock.now())
  }

  /** What ends later than this is live. */
  #now(): number {
    return Math.floor(this.#clock.now() / 1000)
  }
}

/**
 * A trigger on the table makes the server forget the mark of a statement that has written; that rows
 * were met tells it then. @param written the mark of a statement that writes
 */
function markOf({ mark, count }: Answer, written: number): number {
  return mark === 0 && count > 0 ? written : mark
}

async function coded<T>(
  op: string,
  run: () => Promise<T>,
  foreseen: (error: unknown) => boolean = () => false,
): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw foreseen(error) ? error : mysqlError(op, error)
  }
}
