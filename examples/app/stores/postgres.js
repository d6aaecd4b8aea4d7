// STORE=postgres://localhost/shop: the sessions in a table of a PostgreSQL database.
import { PostgresStore } from 'coatcheck/stores/postgres'

export const driver = 'pg'
export const advice = 'Is it running? STORE=postgres://user:password@host:port/database names it.'

/** A store in the database of `url`, and what closes its pool. */
export async function open(url) {
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 3000 })
  // Without a listener the loss of an idle connection would end the process.
  pool.on('error', (error) => console.error(`PostgreSQL: ${error.code ?? error.message}`))
  const store = new PostgresStore({ pool })
  // Now and not with the first visitor: a wrong URL shows at the start.
  await store.migrate()
  return { store, close: () => pool.end() }
}
