import { createRequire } from 'node:module'
import pg from 'pg'
import postgresJs from 'postgres'
import { PostgresStore } from '../../../src/stores/postgres.js'
import { pgbouncer } from '../../support/servers/pgbouncer.js'
import { postgres } from '../../support/servers/postgres.js'
import type { RunningServer } from '../../support/servers/server.js'
import { connectPgSimple } from '../old-stores/postgres-stores.js'
import type { ConnectOptions, StoreKind } from './kind.js'
import { oldStore, oldTable } from './postgres-old.js'

const require = createRequire(import.meta.url)

/** Where an hour is not a whole number of hours from Greenwich. */
const FAR_AWAY = 'Asia/Kathmandu'

const shared = {
  module: import.meta.url,
  server: postgres,
  protocol: 'bytes',
  keeps: true,
  conformance: { realTime: false },
  lookalike: (place: string) => `${place.slice(0, -4)}%`,
  plant: (server: RunningServer, place: string, key: string, garbage: string) =>
    adminOf(server)
      .query(`UPDATE "${place}" SET sess = $1 WHERE sid = $2`, [garbage, key])
      // A column of JSON holds nothing else.
      .then(
        () => true,
        () => false,
      ),
} as const

/** A table that the store makes. */
export const onPg: StoreKind = {
  ...shared,
  name: 'PostgresStore on pg',
  exported: 'onPg',
  async connect({ url }, options) {
    const pool = new pg.Pool({ connectionString: url })
    return { store: new PostgresStore({ pool, ...own(options) }), close: () => pool.end() }
  },
  predecessor: (server, place) =>
    predecessor(server, place, () => new PostgresStore({ pool: adminOf(server), table: place })),
  old: connectPgSimple,
}

export const onPostgresJs: StoreKind = {
  ...shared,
  name: 'PostgresStore on postgres',
  exported: 'onPostgresJs',
  async connect({ url }, options) {
    const sql = postgresJs(url, { backoff: () => 0.02, onnotice: unexpected })
    const store = new PostgresStore({ sql, ...own(options) })
    return { store, close: () => sql.end({ timeout: 0 }) }
  },
}

/** Behind a pooler that knows no prepared statements. */
export const onPgBouncer: StoreKind = {
  ...onPg,
  name: 'PostgresStore behind PgBouncer',
  exported: 'onPgBouncer',
  server: pgbouncer,
}

/** The table of connect-pg-simple, with moments that depend on the time zone of the connection. */
export const onItsTable: StoreKind = {
  ...shared,
  name: "PostgresStore on connect-pg-simple's table",
  exported: 'onItsTable',
  async connect(at, options) {
    const pool = new pg.Pool({ connectionString: at.url, options: `-c TimeZone=${FAR_AWAY}` })
    await makeOldTable(pool, options.place ?? 'session')
    return { store: new PostgresStore({ pool, ...own(options) }), close: () => pool.end() }
  },
  predecessor: (server, place) => predecessor(server, place),
  old: {
    ...connectPgSimple,
    name: 'connect-pg-simple, far away',
    async open() {
      const records = await connectPgSimple.open()
      const { url } = records.server!
      const pool = new pg.Pool({ connectionString: url, options: `-c TimeZone=${FAR_AWAY}` })
      pool.on('error', () => {})
      return {
        ...records,
        store(session) {
          const Store = require('connect-pg-simple')(session)
          return new Store({ pool, pruneSessionInterval: false })
        },
        async close() {
          await pool.end()
          await records.close()
        },
      }
    },
  },
}

export const postgresKinds: readonly StoreKind[] = [onPg, onPostgresJs, onItsTable, onPgBouncer]

function own({ place, clock }: ConnectOptions) {
  return { ...(place !== undefined && { table: place }), ...(clock && { clock }) }
}

/** Postgres.js prints notices where nobody listens. */
function unexpected({ message }: postgresJs.Notice): never {
  throw new Error(`a notice: ${message}`)
}

async function makeOldTable(pool: pg.Pool, table: string): Promise<void> {
  try {
    await pool.query(await oldTable(table))
  } catch (error) {
    // Another instance has made it.
    if (!['42P07', '42P16', '23505'].includes((error as { code: string }).code)) throw error
  }
}

const admins = new Map<number, pg.Pool>()

function adminOf({ url, port }: RunningServer): pg.Pool {
  const known = admins.get(port)
  if (known) return known
  const pool = new pg.Pool({ connectionString: url, allowExitOnIdle: true })
  pool.on('error', () => {})
  admins.set(port, pool)
  return pool
}

/** connect-pg-simple with connections of the same time zone as the store under test. */
async function predecessor(server: RunningServer, place: string, maker?: () => PostgresStore) {
  const settings = maker === undefined ? { options: `-c TimeZone=${FAR_AWAY}` } : {}
  const pool = new pg.Pool({ connectionString: server.url, ...settings })
  await maker?.().migrate()
  return {
    forms: ['plain'],
    async write(_: string, key: string, text: string, expiresAt: number) {
      const seconds = (expiresAt - Date.now()) / 1000
      await oldStore(pool, place, seconds).set(key, JSON.parse(text))
    },
    async read(key: string) {
      const found = await oldStore(pool, place).get(key)
      return found && JSON.stringify(found)
    },
    close: () => pool.end(),
  }
}
