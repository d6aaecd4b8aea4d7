import { checkName } from './sql-identifier.js'
import { checkOptions, wrongOption } from './store-options.js'

/** Where sessions of connect-session-knex are. */
export interface KnexTableOptions {
  format: 'knex'
  /** Its option `tableName`. @default 'sessions' */
  table?: string
  /** Its option `sidFieldName`. @default 'sid' */
  sidFieldName?: string
}

/**
 * The table of connect-session-knex (`sid`, `sess`, `expired`) as a place where a store looks for
 * what it has not. It is only read; a program that still writes there sees nothing of what is
 * written here.
 *
 * A record that is found there is copied before it is answered, unless a row for its key is here,
 * live or not. So a row here hides the one there for good, and every store keeps to this:
 *
 * - what ends, leaves an expired row while the one there is live, or the next load would find a
 *   session that has been signed out
 * - a sweep leaves such a row alone
 */
export interface KnexTable {
  readonly table: string
  readonly column: string
}

/** @param longest in bytes. @throws OptionError */
export function knexTable(store: string, value: unknown, longest: number): KnexTable | undefined {
  if (value === undefined) return undefined
  checkOptions(`${store}, option 'fallback'`, value)
  const { format, table = 'sessions', sidFieldName = 'sid' } = value as KnexTableOptions
  if (format !== 'knex') throw wrongOption(store, 'fallback.format', format, "'knex'")
  return {
    table: checkName(store, 'fallback.table', table, longest),
    column: checkName(store, 'fallback.sidFieldName', sidFieldName, longest),
  }
}
