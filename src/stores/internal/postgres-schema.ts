import type { KnexTable } from './knex-table.js'
import { derivedName, quoteName } from './sql-identifier.js'
import { userIndexTable } from './sql-user-index.js'

/** NAMEDATALEN - 1: the server cuts what is longer. */
export const LONGEST_NAME = 63

/** The tables of one store. */
export interface PostgresTables {
  /** As the options name it. */
  readonly table: string
  /** Absent: the first of the search path that has it. */
  readonly schema: string | undefined
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

export function tableNames(tables: PostgresTables): TableNames {
  const { table, schema, userIndex, fallback } = tables
  const owners = userIndex ? userIndexTable(table, LONGEST_NAME) : undefined
  return {
    records: qualified(schema, table),
    owners: owners && qualified(schema, owners),
    old: fallback && {
      table: qualified(schema, fallback.table),
      column: quoteName(fallback.column),
    },
  }
}

/** With its schema, if there is one. */
export function qualified(schema: string | undefined, table: string): string {
  return schema === undefined ? quoteName(table) : `${quoteName(schema)}.${quoteName(table)}`
}

/** The tables and indexes of a store, as statements to be run by hand. */
export function schemaOf(tables: PostgresTables): string {
  const statements = tablesOf(tables).flatMap((table) => [
    table.make('IF NOT EXISTS '),
    table.makeIndex('IF NOT EXISTS '),
  ])
  return `${statements.join('\n')}\n`
}

/**
 * The same as one statement, which is one transaction: a pooler between here and the server may
 * hand each transaction to another connection, so the lock has to be one of the transaction.
 *
 * @param how `missing` makes tables that are not there; `all` also the indexes of those that are,
 * for which writers of a large table have to wait
 */
export function migrationOf(tables: PostgresTables, how: 'missing' | 'all'): string {
  const steps = tablesOf(tables).flatMap((table) =>
    how === 'missing'
      ? unless(table.isThere, table.make(''), table.makeIndex(''))
      : [...unless(table.isThere, table.make('')), ...unless(table.isIndexed, table.makeIndex(''))],
  )
  return inDo([
    "PERFORM pg_advisory_xact_lock(hashtext('coatcheck'), hashtext('migrate'));",
    ...steps,
  ])
}

interface Table {
  make(ifNotExists: string): string
  makeIndex(ifNotExists: string): string
  /** Conditions. */
  readonly isThere: string
  readonly isIndexed: string
}

/**
 * Keys have the default collation, as in the table of connect-pg-simple: an index of one collation
 * is of no use to a join that compares by another.
 */
function tablesOf({ table, schema, userIndex }: PostgresTables): Table[] {
  const records = tableOf(schema, table, 'expire', [
    '"sid" varchar NOT NULL PRIMARY KEY',
    '"sess" json NOT NULL',
    // connect-pg-simple has a timestamp without time zone, which means another moment to each
    // connection's TimeZone, and two in the hour that a summer time ends with. It takes either.
    '"expire" timestamptz NOT NULL',
  ])
  if (!userIndex) return [records]
  const owners = tableOf(schema, userIndexTable(table, LONGEST_NAME), 'owner', [
    '"sid" varchar NOT NULL PRIMARY KEY',
    '"owner" text COLLATE "C" NOT NULL',
    '"since" timestamptz NOT NULL',
  ])
  return [records, owners]
}

function tableOf(
  schema: string | undefined,
  table: string,
  indexed: string,
  columns: readonly string[],
): Table {
  const name = qualified(schema, table)
  const indexName = quoteName(derivedName(table, `${indexed}_idx`, LONGEST_NAME))
  return {
    make: (ifNotExists) => `CREATE TABLE ${ifNotExists}${name} (\n  ${columns.join(',\n  ')}\n);`,
    makeIndex: (ifNotExists) =>
      `CREATE INDEX ${ifNotExists}${indexName} ON ${name} (${quoteName(indexed)});`,
    isThere: `to_regclass(${literal(name)}) IS NOT NULL`,
    // Whatever its name is.
    isIndexed: `EXISTS (
  SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
  WHERE i.indrelid = to_regclass(${literal(name)}) AND a.attname = ${literal(indexed)}
)`,
  }
}

function unless(condition: string, ...statements: readonly string[]): string[] {
  return [`IF NOT (${condition}) THEN`, ...statements, 'END IF;']
}

/** A string constant, also where the server reads backslashes in one as escapes. */
function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`
  return text.includes('\\') ? `E${quoted}` : quoted
}

function inDo(statements: readonly string[]): string {
  const body = `BEGIN\n${statements.join('\n')}\nEND\n`
  let mark = '$migrate$'
  for (let n = 1; body.includes(mark); n++) mark = `$migrate${n}$`
  return `DO ${mark}\n${body}${mark}`
}
