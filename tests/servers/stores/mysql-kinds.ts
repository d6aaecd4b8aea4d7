import mariadbDriver from 'mariadb'
import callbackMysql from 'mysql2'
import mysql from 'mysql2/promise'
import { MySQLStore } from '../../../src/stores/mysql.js'
import { mariadb } from '../../support/servers/mariadb.js'
import type { RunningServer } from '../../support/servers/server.js'
import { expressMysqlSession } from '../old-stores/mysql-store.js'
import type { ConnectOptions, StoreKind } from './kind.js'
import { oldStore, oldTable } from './mysql-old.js'

const shared = {
  module: import.meta.url,
  server: mariadb,
  protocol: 'bytes',
  keeps: true,
  conformance: { realTime: false, unit: 1000 },
  // The row of the user index comes first.
  counts: { signIn: 4 },
  lookalike: (place: string) => `${place.slice(0, -4)}%`,
  plant: async (server: RunningServer, place: string, key: string, garbage: string) => {
    const sql = `UPDATE \`${place}\` SET data = ? WHERE session_id = ?`
    // A text of the server, in UTF-8, holds nothing else.
    return adminOf(server)
      .execute(sql, [Buffer.from(garbage, 'latin1').toString(), key])
      .then(
        () => true,
        () => false,
      )
  },
} as const

/** The table that the store makes. */
export const onMysql2: StoreKind = {
  ...shared,
  name: 'MySQLStore on mysql2/promise',
  exported: 'onMysql2',
  async connect({ url }, options) {
    const pool = mysql.createPool(url)
    return { store: new MySQLStore({ pool, ...own(options) }), close: () => ended(pool.end()) }
  },
  predecessor: (server, place) => predecessor(server, place),
  old: expressMysqlSession,
}

export const onMysql2Callbacks: StoreKind = {
  ...shared,
  name: 'MySQLStore on mysql2, counting changed rows',
  exported: 'onMysql2Callbacks',
  async connect({ url }, options) {
    const pool = callbackMysql.createPool({ uri: url, flags: ['-FOUND_ROWS'] })
    const store = new MySQLStore({ pool, ...own(options) })
    return { store, close: () => ended(pool.promise().end()) }
  },
}

/** The table of express-mysql-session. */
export const onMariadb: StoreKind = {
  ...shared,
  name: "MySQLStore on mariadb, on express-mysql-session's table",
  exported: 'onMariadb',
  async connect({ host, port }, options) {
    const pool = mariadbDriver.createPool({
      host,
      port,
      user: 'root',
      database: 'coatcheck',
      // Otherwise it takes them in turns from the start, and each has to prepare its statements.
      minimumIdle: 1,
    })
    // It connects from the start on: not beside what a test counts.
    await pool.query('DO 1')
    return { store: new MySQLStore({ pool, ...own(options) }), close: () => ended(pool.end()) }
  },
  async predecessor(server, place) {
    await adminOf(server).query(oldTable(place))
    return predecessor(server, place)
  },
  old: expressMysqlSession,
}

export const mysqlKinds: readonly StoreKind[] = [onMysql2, onMysql2Callbacks, onMariadb]

function own({ place, clock }: ConnectOptions) {
  return { ...(place !== undefined && { table: place }), ...(clock && { clock }) }
}

/** Connections that died with a server may never say that they have ended. */
async function ended(ending: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const atMost = new Promise((resolve) => {
    timer = setTimeout(resolve, 1000)
  })
  await Promise.race([ending.catch(() => {}), atMost])
  clearTimeout(timer)
}

const admins = new Map<number, mysql.Pool>()

function adminOf({ url, port }: RunningServer): mysql.Pool {
  const known = admins.get(port)
  if (known) return known
  const pool = mysql.createPool(url)
  admins.set(port, pool)
  return pool
}

async function predecessor(server: RunningServer, place: string) {
  const pool = mysql.createPool(server.url)
  const store = await oldStore(pool, place)
  return {
    forms: ['plain'],
    async write(_: string, key: string, text: string, expiresAt: number) {
      // It takes the end from the cookie, and stores what JSON says.
      const cookie = { expires: new Date(expiresAt) }
      await store.set(key, { cookie, toJSON: () => JSON.parse(text) })
    },
    async read(key: string) {
      const found = await store.get(key)
      return found ? JSON.stringify(found) : undefined
    },
    close: () => pool.end(),
  }
}
