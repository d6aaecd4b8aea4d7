import { createRequire } from 'node:module'
import { ConnectSessionKnexStore } from 'connect-session-knex'
import knexOf from 'knex'
import type { OldStoreKind } from '../../express-session/old-stores/old-store.js'

const require = createRequire(import.meta.url)

interface Database {
  prepare(sql: string): {
    get(...values: unknown[]): unknown
    run(...values: unknown[]): unknown
  }
  close(): void
}

export const betterSqlite3SessionStore: OldStoreKind = {
  name: 'better-sqlite3-session-store',
  // SQLite asks the date of the machine itself.
  endsBy: 'server',
  async open() {
    const database: Database = new (require('better-sqlite3'))(':memory:')
    return {
      store(session) {
        const Store = require('better-sqlite3-session-store')(session)
        const { startInterval } = Store.prototype
        // Its timer cannot be ended otherwise.
        Store.prototype.startInterval = () => {}
        const store = new Store({ client: database })
        Store.prototype.startInterval = startInterval
        return store
      },
      async textOf(id) {
        const sql = "SELECT sess FROM sessions WHERE sid = ? AND datetime('now') < datetime(expire)"
        return (database.prepare(sql).get(id) as { sess: string } | undefined)?.sess
      },
      async age(id, ms) {
        const row = database.prepare('SELECT expire FROM sessions WHERE sid = ?').get(id)
        if (row === undefined) return
        const expire = Date.parse((row as { expire: string }).expire) - ms
        const update = database.prepare('UPDATE sessions SET expire = ? WHERE sid = ?')
        update.run(new Date(expire).toISOString(), id)
      },
      async close() {
        database.close()
      },
    }
  },
}

export const knexOnSqlite: OldStoreKind = {
  name: 'connect-session-knex on SQLite',
  endsBy: 'app',
  async open() {
    const knex = knexOf({
      client: 'better-sqlite3',
      connection: { filename: ':memory:' },
      useNullAsDefault: true,
      // One connection, or each would have a database of its own.
      pool: { min: 1, max: 1 },
    })
    await new ConnectSessionKnexStore({ knex, cleanupInterval: 0 }).ready
    return {
      store: () => new ConnectSessionKnexStore({ knex, cleanupInterval: 0 }),
      textOf: async (id) => (await knex('sessions').where({ sid: id }).first())?.sess,
      close: () => knex.destroy(),
    }
  },
}
