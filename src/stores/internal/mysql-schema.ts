import type { KnexTable } from './knex-table.js'
import { derivedName, quoteName } from './sql-identifier.js'
import { userIndexTable } from './sql-user-index.js'

/** In characters for the server; here in bytes, which are no fewer. */
export const LONGEST_NAME = 64

/** The columns of the records, as the options name them. */
export interface MySQLColumns {
  readonly session_id: string
  readonly expires: string
  readonly data: string
}

/** The tables of one store. */
export interface MySQLTables {
  /** As the options name it. */
  readonly table: string
  readonly columns: MySQLColumns
  /** Whether the user index is kept. */
  readonly userIndex: boolean
  /** Where old records are, if there is such a table. */
  readonly fallback?: KnexTable | undefined
}

/** The tables as they stand in statements. */
export interface TableNames {
  readonly records: string
  readonly sid: string
  readonly expires: string
  readonly data: string
  /** The side table; undefined: users are not indexed. */
  readonly owners: string | undefined
  readonly old: { readonly table: string; readonly column: string } | undefined
}

const quoted = (name: string) => quoteName(name, '`')

export function tableNames({ table, columns, userIndex, fallback }: MySQLTables): TableNames {
  return {
    records: quoted(table),
    sid: quoted(columns.session_id),
    expires: quoted(columns.expires),
    data: quoted(columns.data),
    owners: userIndex ? quoted(userIndexTable(table, LONGEST_NAME)) : undefined,
    old: fallback && { table: quoted(fallback.table), column: quoted(fallback.column) },
  }
}

const indexName = (table: string) => quoted(derivedName(table, 'expires_idx', LONGEST_NAME))

/** What makes the tables where they are missing. Each statement commits by itself. */
export function creationOf(tables: MySQLTables): string[] {
  const { records, sid, expires, data, owners } = tableNames(tables)
  const end = 'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin'
  const statements = [
    // That of express-mysql-session, and an index.
    `CREATE TABLE IF NOT EXISTS ${records} (
  ${sid} varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  ${expires} int unsigned NOT NULL,
  ${data} mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  PRIMARY KEY (${sid}),
  KEY ${indexName(tables.table)} (${expires})
) ${end}`,
  ]
  if (owners === undefined) return statements
  statements.push(
    `CREATE TABLE IF NOT EXISTS ${owners} (
  \`sid\` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  \`owner\` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  \`since\` bigint NOT NULL,
  PRIMARY KEY (\`sid\`),
  KEY \`owner_idx\` (\`owner\`)
) ${end}`,
  )
  return statements
}

/** The same as a text, to be run by hand. */
export function schemaOf(tables: MySQLTables): string {
  return creationOf(tables)
    .map((statement) => `${statement};\n`)
    .join('')
}

/** Whether `expires` is indexed, whatever the name of the index is; parameters: table, column. */
export const IS_INDEXED = `SELECT 1 FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND COLUMN_NAME = ? AND SEQ_IN_INDEX = 1 LIMIT 1`

export function indexingOf(tables: MySQLTables): string {
  const { records, expires } = tableNames(tables)
  return `CREATE INDEX ${indexName(tables.table)} ON ${records} (${expires})`
}
