import type { KnexTable } from './knex-table.js'
import { derivedName, quoteName } from './sql-identifier.js'
import { userIndexTable } from './sql-user-index.js'

/** SQLite sets no limit to names; a longer one is a mistake. */
export const LONGEST_NAME = 128

/** The tables of one store. */
export interface SqliteTables {
  /** As the options name it. */
  readonly table: string
  /** Whether the user index is kept. */
  readonly userIndex: boolean
  /** Where old records are, if there is such a table. */
  readonly fallback?: KnexTable | undefined
}

/** The tables as they stand in statements. */
export interface TableNames {
  readonly records: string
  /** The side table; undefined: users are not indexed. */
  readonly owners: string | undefined
  readonly old: { readonly table: string; readonly column: string } | undefined
}

export function tableNames({ table, userIndex, fallback }: SqliteTables): TableNames {
  return {
    records: quoteName(table),
    owners: userIndex ? quoteName(userIndexTable(table, LONGEST_NAME)) : undefined,
    old: fallback && { table: quoteName(fallback.table), column: quoteName(fallback.column) },
  }
}

/** A table, and what it is looked for by. */
interface Table {
  readonly name: string
  readonly make: string
  readonly indexed: string
  readonly makeIndex: string
}

/**
 * better-sqlite3-session-store writes to its table without naming columns, so a table of records has
 * these three and no more. Its own has `JSON` as the type of `sess`, which to SQLite is a number:
 * see `payload` of the store.
 *
 * The side table lacks the `since` of other databases: one statement has the file for itself, so a
 * row without its record is an orphan at once.
 */
function tablesOf({ table, userIndex }: SqliteTables): Table[] {
  const records = tableOf(table, 'expire', ' ', [
    'sid TEXT NOT NULL PRIMARY KEY',
    'sess TEXT NOT NULL',
    'expire TEXT NOT NULL',
  ])
  if (!userIndex) return [records]
  const owners = tableOf(userIndexTable(table, LONGEST_NAME), 'owner', ' WITHOUT ROWID', [
    'sid TEXT NOT NULL PRIMARY KEY',
    'owner TEXT NOT NULL',
  ])
  return [records, owners]
}

function tableOf(table: string, indexed: string, end: string, columns: readonly string[]): Table {
  const name = quoteName(table)
  const index = quoteName(derivedName(table, `${indexed}_idx`, LONGEST_NAME))
  const body = `(\n  ${columns.join(',\n  ')}\n)${end.trimEnd()}`
  return {
    name: table,
    make: `CREATE TABLE IF NOT EXISTS ${name} ${body};`,
    indexed,
    makeIndex: `CREATE INDEX IF NOT EXISTS ${index} ON ${name} (${indexed});`,
  }
}

/** The tables and indexes of a store, as statements to be run by hand. */
export function schemaOf(tables: SqliteTables): string {
  const statements = tablesOf(tables).flatMap(({ make, makeIndex }) => [make, makeIndex])
  return `${statements.join('\n')}\n`
}

/** What of a database the schema is compared with. */
interface Reader {
  get(sql: string, ...values: string[]): object | undefined
}

/** The statements that make what is missing: none, if all is there. They may run again. */
export function missingOf(tables: SqliteTables, db: Reader): string[] {
  return tablesOf(tables).flatMap(({ name, make, indexed, makeIndex }) => {
    const isThere = db.get(IS_THERE, name) !== undefined
    if (!isThere) return [make, makeIndex]
    return db.get(IS_INDEXED, name, indexed) === undefined ? [makeIndex] : []
  })
}

/** Names are the same whatever their case. */
const IS_THERE =
  "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND lower(name) = lower(?)"

/** By any index that begins with the column, whatever its name is. */
const IS_INDEXED = `SELECT 1 FROM pragma_index_list(?) l, pragma_index_info(l.name) i
WHERE i.seqno = 0 AND lower(i.name) = ?`
