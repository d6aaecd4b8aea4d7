import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { ConnectSessionKnexStore } from 'connect-session-knex'
import knexOf from 'knex'
import pg from 'pg'
import type { OldStoreKind } from '../../express-session/old-stores/old-store.js'
import { postgres } from '../../support/servers/postgres.js'

const require = createRequire(import.meta.url)

export const connectPgSimple: OldStoreKind = {
  name: 'connect-pg-simple',
  server: postgres,
  endsBy: 'app',
  async open() {
    const server = await postgres.start()
    const pool = new pg.Pool({ connectionString: server.url })
    // Without a listener the loss of an idle connection ends the process.
    pool.on('error', () => {})
    await pool.query(await readFile(require.resolve('connect-pg-simple/table.sql'), 'utf8'))
    return {
      server,
      store(session) {
        const Store = require('connect-pg-simple')(session)
        return new Store({ pool, pruneSessionInterval: false })
      },
      textOf: (id) => firstText(pool, 'SELECT sess::text AS text FROM session WHERE sid = $1', id),
      async close() {
        await pool.end()
        await server.stop()
      },
    }
  },
}

export const knexOnPostgres: OldStoreKind = {
  name: 'connect-session-knex on PostgreSQL',
  server: postgres,
  endsBy: 'app',
  async open() {
    const server = await postgres.start()
    const knex = knexOf({ client: 'pg', connection: server.url, log: { warn() {} } })
    const pool = new pg.Pool({ connectionString: server.url })
    pool.on('error', () => {})
    // One that finds its table: several that make it at once would fail.
    await new ConnectSessionKnexStore({ knex, cleanupInterval: 0 }).ready
    return {
      server,
      store: () => new ConnectSessionKnexStore({ knex, cleanupInterval: 0 }),
      textOf: (id) => firstText(pool, 'SELECT sess::text AS text FROM sessions WHERE sid = $1', id),
      async close() {
        await knex.destroy()
        await pool.end()
        await server.stop()
      },
    }
  },
}

async function firstText(pool: pg.Pool, sql: string, id: string): Promise<string | undefined> {
  const { rows } = await pool.query<{ text: string }>(sql, [id])
  return rows[0]?.text
}
