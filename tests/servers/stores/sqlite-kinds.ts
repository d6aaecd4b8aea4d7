import { createRequire } from 'node:module'
import { SqliteStore } from '../../../src/stores/sqlite.js'
import { type Database, driverOf, freshFile, openFast } from '../../stores/sqlite-drivers.js'
import type { RunningServer, ServerKind } from '../../support/servers/server.js'
import { betterSqlite3SessionStore } from '../old-stores/sqlite-stores.js'
import type { StoreKind } from './kind.js'

const require = createRequire(import.meta.url)

/** In place of a server: a folder with the file of a database, whose path is the URL. */
export const databaseFile: ServerKind = {
  name: 'SQLite',
  missing: () => [],
  async start(): Promise<RunningServer> {
    const { filename, remove } = freshFile()
    return {
      host: '127.0.0.1',
      port: 0,
      url: filename,
      folder: undefined,
      isOurs: true,
      kill: async () => {},
      start: async () => {},
      stop: async () => remove(),
    }
  },
}

const shared = {
  module: import.meta.url,
  server: databaseFile,
  protocol: 'bytes',
  keeps: true,
  unproxied: 'there is no wire to a file',
} as const

const on = (driver: string): Pick<StoreKind, 'name' | 'connect'> => ({
  name: `SqliteStore on ${driver}`,
  async connect({ url }, { place, clock }) {
    const db = openFast(driverOf(driver), url)
    const where = { ...(place !== undefined && { table: place }), ...(clock && { clock }) }
    return { store: new SqliteStore({ db, ...where }), close: async () => db.close() }
  },
})

export const onBetterSqlite3: StoreKind = {
  ...shared,
  ...on('better-sqlite3'),
  exported: 'onBetterSqlite3',
  old: {
    ...betterSqlite3SessionStore,
    // On a file, which processes with ours open too.
    async open() {
      const server = await databaseFile.start()
      const open: Database[] = []
      const opened = () => {
        const db = openFast(driverOf('better-sqlite3'), server.url)
        open.push(db)
        return db
      }
      const reader = opened()
      return {
        server,
        store(session) {
          const Store = require('better-sqlite3-session-store')(session)
          const { startInterval } = Store.prototype
          Store.prototype.startInterval = () => {}
          const store = new Store({ client: opened() })
          Store.prototype.startInterval = startInterval
          return store
        },
        async textOf(id) {
          const sql =
            "SELECT sess FROM sessions WHERE sid = ? AND datetime('now') < datetime(expire)"
          return (reader.prepare(sql).get(id) as { sess: string } | undefined)?.sess
        },
        async close() {
          for (const db of open) db.close()
          await server.stop()
        },
      }
    },
  },
}

export const onLibsql: StoreKind = { ...shared, ...on('libsql'), exported: 'onLibsql' }
