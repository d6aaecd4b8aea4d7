// STORE=mysql://localhost/shop: the sessions in a table of a MySQL or MariaDB database.
import { MySQLStore } from 'coatcheck/stores/mysql'

export const driver = 'mysql2'
export const advice = 'Is it running? STORE=mysql://user:password@host:port/database names it.'

/** A store in the database of `url`, and what closes its pool. */
export async function open(url) {
  const { default: mysql } = await import('mysql2/promise')
  const pool = mysql.createPool({ uri: url.replace(/^mariadb:/, 'mysql:'), connectTimeout: 3000 })
  const store = new MySQLStore({ pool })
  // Now and not with the first visitor: a wrong URL shows at the start.
  await store.migrate()
  return { store, close: () => pool.end() }
}
