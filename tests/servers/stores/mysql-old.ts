import { createRequire } from 'node:module'
import expressSession from 'express-session'
import type mysql from 'mysql2/promise'

const require = createRequire(import.meta.url)

/** The statement by which express-mysql-session makes its table, for a table of this name. */
export function oldTable(table: string): string {
  return `CREATE TABLE IF NOT EXISTS \`${table}\` (
    \`session_id\` varchar(128) COLLATE utf8mb4_bin NOT NULL,
    \`expires\` int(11) unsigned NOT NULL,
    \`data\` mediumtext COLLATE utf8mb4_bin,
    PRIMARY KEY (\`session_id\`)
  ) ENGINE=InnoDB`
}

/** express-mysql-session itself. */
export interface OldStore {
  get(sid: string): Promise<object | null>
  set(sid: string, session: object): Promise<void>
  touch(sid: string, session: object): Promise<void>
  destroy(sid: string): Promise<void>
  clear(): Promise<void>
  clearExpiredSessions(): Promise<void>
}

export async function oldStore(
  pool: mysql.Pool,
  table: string,
  columnNames: object = {},
): Promise<OldStore> {
  const Store = require('express-mysql-session')(expressSession)
  const names = { session_id: 'session_id', expires: 'expires', data: 'data', ...columnNames }
  const options = {
    clearExpired: false,
    schema: { tableName: table, columnNames: names },
  }
  const store = new Store(options, pool)
  await store.onReady()
  return store
}
