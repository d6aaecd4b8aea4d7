import type { Clock } from '../../core/clock.js'
import { systemClock } from '../../core/clock.js'
import { type KnexTableOptions, knexTable } from './knex-table.js'
import { type MySQLPoolLike, type Send, sender } from './mysql-client.js'
import { LONGEST_NAME, type MySQLColumns, type MySQLTables } from './mysql-schema.js'
import { checkName } from './sql-identifier.js'
import {
  checkClock,
  checkNames,
  checkOptions,
  type OldOptions,
  wrongOption,
} from './store-options.js'

/** Where a `MySQLStore` keeps its records. */
export interface MySQLStoreOptions {
  /** What `createPool()` of `mysql2`, `mysql2/promise` or `mariadb` gives. */
  pool: MySQLPoolLike
  /**
   * The table of the records, in the database of the pool. One of express-mysql-session is used as
   * it is.
   * @default 'sessions'
   */
  table?: string
  /**
   * The names of its columns: `schema.columnNames` of express-mysql-session.
   * @default { session_id: 'session_id', expires: 'expires', data: 'data' }
   */
  columns?: Partial<MySQLColumns>
  /**
   * Whether the table `<table>_by_user` is kept, which `list` and `revokeUser` need. False: for a
   * database in which no table can be made, beside one of express-mysql-session.
   * @default true
   */
  userIndex?: boolean
  /**
   * Whether a table that is missing is made when it is first needed. False: that is an error, and
   * `migrate()` or the SQL of `MySQLStore.schema()` makes it.
   * @default true
   */
  autoMigrate?: boolean
  /**
   * A table of connect-session-knex in the same database: a session that is not in `table` is looked
   * for there, and copied. For as long as old sessions may live. Its default name is that of `table`
   * too, so one of the two has to be named.
   * @default none
   */
  fallback?: KnexTableOptions
  /** Injected by tests. @default the clock of the machine */
  clock?: Clock
}

/** The tables that a `MySQLStore` works on. */
export type MySQLTableOptions = Pick<MySQLStoreOptions, 'table' | 'columns' | 'userIndex'>

/** Options, complete and checked. */
export interface MySQLStoreSettings {
  readonly send: Send
  readonly tables: MySQLTables
  readonly autoMigrate: boolean
  readonly clock: Clock
}

const NAME = 'MySQLStore'

const OPTIONS = ['pool', 'table', 'columns', 'userIndex', 'autoMigrate', 'fallback', 'clock']

const POOL = 'it is one of your pool, which you give as pool'
const SWEEP = 'sweep() removes what has expired'

const OLD: OldOptions = {
  of: 'express-mysql-session',
  instead: {
    schema: 'use table and columns',
    createDatabaseTable: 'use autoMigrate',
    expiration: 'times are options of session(), or of LegacyStore',
    clearExpired: SWEEP,
    checkExpirationInterval: SWEEP,
    disableTouch: 'a touch is sent once a minute at most, and nobody waits for it',
    endConnectionOnClose: 'your pool stays yours to close',
    host: POOL,
    port: POOL,
    user: POOL,
    password: POOL,
    database: POOL,
    charset: POOL,
    connectionLimit: POOL,
  },
}

const COLUMNS = ['session_id', 'expires', 'data'] as const

/** @throws OptionError naming option, value and what is allowed */
export function mysqlStoreSettings(options: MySQLStoreOptions): MySQLStoreSettings {
  const fallback = knexTable(NAME, options?.fallback, LONGEST_NAME)
  const tables = { ...mysqlTables(options), fallback }
  if (fallback?.table === tables.table) {
    const allowed = "another table than option 'table': both packages call theirs sessions"
    throw wrongOption(NAME, 'fallback.table', fallback.table, allowed)
  }
  const { autoMigrate = true, clock = systemClock, pool } = options
  if (typeof autoMigrate !== 'boolean') {
    throw wrongOption(NAME, 'autoMigrate', autoMigrate, 'true or false')
  }
  return { send: sender(NAME, pool), tables, autoMigrate, clock: checkClock(NAME, clock) }
}

/** @throws OptionError */
export function mysqlTables(options: MySQLTableOptions): MySQLTables {
  checkOptions(NAME, options)
  checkNames(NAME, options, OPTIONS, OLD)
  const { table = 'sessions', columns = {}, userIndex = true } = options
  if (typeof userIndex !== 'boolean') {
    throw wrongOption(NAME, 'userIndex', userIndex, 'true or false')
  }
  checkOptions(`${NAME}, option 'columns'`, columns)
  for (const name of Object.keys(columns)) {
    if (COLUMNS.some((known) => known === name)) continue
    throw wrongOption(NAME, `columns.${name}`, name, `one of ${COLUMNS.join(', ')}`)
  }
  const column = (name: (typeof COLUMNS)[number]) =>
    checked(`columns.${name}`, columns[name] ?? name)
  return {
    table: checked('table', table),
    columns: {
      session_id: column('session_id'),
      expires: column('expires'),
      data: column('data'),
    },
    userIndex,
  }
}

function checked(option: string, value: unknown): string {
  const name = checkName(NAME, option, value, LONGEST_NAME)
  // The server refuses such a name (ER_WRONG_TABLE_NAME), after the store was constructed.
  if (name.endsWith(' ')) throw wrongOption(NAME, option, value, 'a name that ends with no space')
  return name
}
