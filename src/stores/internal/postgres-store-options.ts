import type { Clock } from '../../core/clock.js'
import { systemClock } from '../../core/clock.js'
import { type KnexTableOptions, knexTable } from './knex-table.js'
import { type PgLike, type PostgresJsLike, type Send, sender } from './postgres-client.js'
import { LONGEST_NAME, type PostgresTables } from './postgres-schema.js'
import { checkName } from './sql-identifier.js'
import {
  checkClock,
  checkNames,
  checkOptions,
  type OldOptions,
  wrongOption,
} from './store-options.js'

/** Where a `PostgresStore` keeps its records. */
export interface PostgresStoreOptions {
  /** A Pool of `pg`; a Client, which does not survive the loss of its connection; PGlite. */
  pool?: PgLike
  /** What `postgres()` of the package `postgres` (Postgres.js) gives. Either this or `pool`. */
  sql?: PostgresJsLike
  /**
   * Whether a connection prepares each statement once, by a name, so that the server neither parses
   * nor plans it again. Behind a pooler that does not allow it the store notices and stops. False:
   * for a pooler that then keeps a connection for the program alone, such as Amazon's RDS Proxy.
   * @default true
   */
  prepare?: boolean
  /**
   * The table of the records. One of connect-pg-simple is used as it is.
   * @default 'session'
   */
  table?: string
  /** The schema that the tables are in. @default the search path of the connection */
  schema?: string
  /**
   * Whether the table `<table>_by_user` is kept, which `list` and `revokeUser` need. False: for a
   * database in which no table can be made, beside one of connect-pg-simple.
   * @default true
   */
  userIndex?: boolean
  /**
   * Whether a table that is missing is made when it is first needed. False: that is an error, and
   * `migrate()` or the SQL of `PostgresStore.schema()` makes it.
   * @default true
   */
  autoMigrate?: boolean
  /**
   * A table of connect-session-knex in the same database and schema: a session that is not in
   * `table` is looked for there, and copied. For as long as old sessions may live.
   * @default none
   */
  fallback?: KnexTableOptions
  /** Injected by tests. @default the clock of the machine */
  clock?: Clock
}

/** The tables that a `PostgresStore` works on. */
export type PostgresTableOptions = Pick<PostgresStoreOptions, 'table' | 'schema' | 'userIndex'>

/** Options, complete and checked. */
export interface PostgresStoreSettings {
  readonly send: Send
  readonly client: unknown
  readonly tables: PostgresTables
  readonly autoMigrate: boolean
  readonly clock: Clock
}

const NAME = 'PostgresStore'

const OPTIONS = [
  'pool',
  'sql',
  'prepare',
  'table',
  'schema',
  'userIndex',
  'autoMigrate',
  'fallback',
  'clock',
]

const POOL = 'make a Pool of pg, and give it as pool'
const SWEEP = 'sweep() removes what has expired'

const OLD: OldOptions = {
  of: 'connect-pg-simple',
  instead: {
    tableName: 'use table',
    schemaName: 'use schema',
    createTableIfMissing: 'use autoMigrate',
    ttl: 'times are options of session(), or of LegacyStore',
    disableTouch: 'a touch is sent once a minute at most, and nobody waits for it',
    pruneSessionInterval: SWEEP,
    pruneSessionRandomizedInterval: SWEEP,
    errorLog: "listen to the event 'error' of the manager",
    conString: POOL,
    conObject: POOL,
    pgPromise: 'give its $pool as pool',
  },
}

/** @throws OptionError naming option, value and what is allowed */
export function postgresStoreSettings(options: PostgresStoreOptions): PostgresStoreSettings {
  const fallback = knexTable(NAME, options?.fallback, LONGEST_NAME)
  const tables = { ...postgresTables(options), fallback }
  const { autoMigrate = true, clock = systemClock, pool, sql } = options
  if (typeof autoMigrate !== 'boolean') {
    throw wrongOption(NAME, 'autoMigrate', autoMigrate, 'true or false')
  }
  return {
    send: sender(NAME, options),
    client: pool ?? sql,
    tables,
    autoMigrate,
    clock: checkClock(NAME, clock),
  }
}

/** @throws OptionError */
export function postgresTables(options: PostgresTableOptions): PostgresTables {
  checkOptions(NAME, options)
  checkNames(NAME, options, OPTIONS, OLD)
  const { table = 'session', schema, userIndex = true } = options
  if (typeof userIndex !== 'boolean') {
    throw wrongOption(NAME, 'userIndex', userIndex, 'true or false')
  }
  return {
    table: checkName(NAME, 'table', table, LONGEST_NAME),
    schema: schema === undefined ? undefined : checkName(NAME, 'schema', schema, LONGEST_NAME),
    userIndex,
  }
}
