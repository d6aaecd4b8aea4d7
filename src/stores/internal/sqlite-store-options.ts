import type { Clock } from '../../core/clock.js'
import { systemClock } from '../../core/clock.js'
import { OptionError } from '../../errors.js'
import { type KnexTableOptions, knexTable } from './knex-table.js'
import { checkName } from './sql-identifier.js'
import { type SqliteLike, type SqliteSource, sqliteSource } from './sqlite-database.js'
import { LONGEST_NAME, type SqliteTables } from './sqlite-schema.js'
import {
  checkClock,
  checkNames,
  checkOptions,
  type OldOptions,
  wrongOption,
} from './store-options.js'

/** Where a `SqliteStore` keeps its records. */
export interface SqliteStoreOptions {
  /** An open database of better-sqlite3, `node:sqlite` or libsql. It stays the caller's. */
  db?: SqliteLike
  /**
   * The path of a file, made if it is not there, that the store opens when it is first used, by
   * `node:sqlite` where Node has it, else by better-sqlite3. Either this or `db`.
   */
  filename?: string
  /**
   * The table of the records. One of better-sqlite3-session-store is used as it is.
   * @default 'sessions'
   */
  table?: string
  /**
   * Whether the table `<table>_by_user` is kept, which `list` and `revokeUser` need.
   * @default true
   */
  userIndex?: boolean
  /**
   * Whether what is missing of the tables is made when it is first needed. False: that is an error,
   * and `migrate()` or the SQL of `SqliteStore.schema()` makes it.
   * @default true
   */
  autoMigrate?: boolean
  /**
   * Whether the file is switched to a write-ahead log, in which nobody who reads waits for who
   * writes. The file stays so. False: for a network drive, where it does not work.
   * @default true
   */
  wal?: boolean
  /**
   * A table of connect-session-knex in the same database: a session that is not in `table` is looked
   * for there, and copied. For as long as old sessions may live.
   * @default none
   */
  fallback?: KnexTableOptions
  /** Injected by tests. @default the clock of the machine */
  clock?: Clock
}

/** The tables that a `SqliteStore` works on. */
export type SqliteTableOptions = Pick<SqliteStoreOptions, 'table' | 'userIndex'>

/** Options, complete and checked. */
export interface SqliteStoreSettings {
  readonly source: SqliteSource
  readonly tables: SqliteTables
  readonly autoMigrate: boolean
  readonly wal: boolean
  readonly clock: Clock
}

const NAME = 'SqliteStore'

const OPTIONS = ['db', 'filename', 'table', 'userIndex', 'autoMigrate', 'wal', 'fallback', 'clock']

const OLD: OldOptions = {
  of: 'better-sqlite3-session-store',
  instead: { client: 'give it as db', expired: 'sweep() removes what has expired' },
}

/** @throws OptionError naming option, value and what is allowed */
export function sqliteStoreSettings(options: SqliteStoreOptions): SqliteStoreSettings {
  const fallback = knexTable(NAME, options?.fallback, LONGEST_NAME)
  const tables = { ...sqliteTables(options), fallback }
  if (fallback?.table.toLowerCase() === tables.table.toLowerCase()) {
    throw new OptionError(
      `${NAME}: option 'fallback.table' must be another table than option 'table', which is ` +
        "'sessions' by default for both",
    )
  }
  const { autoMigrate = true, wal = true, clock = systemClock } = options
  return {
    source: sqliteSource(NAME, options),
    tables,
    autoMigrate: flag('autoMigrate', autoMigrate),
    wal: flag('wal', wal),
    clock: checkClock(NAME, clock),
  }
}

/** @throws OptionError */
export function sqliteTables(options: SqliteTableOptions): SqliteTables {
  checkOptions(NAME, options)
  checkNames(NAME, options, OPTIONS, OLD)
  const { table = 'sessions', userIndex = true } = options
  return {
    table: checkName(NAME, 'table', table, LONGEST_NAME),
    userIndex: flag('userIndex', userIndex),
  }
}

function flag(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw wrongOption(NAME, option, value, 'true or false')
}
