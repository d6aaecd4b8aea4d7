import { createRequire } from 'node:module'
import mysql from 'mysql2/promise'
import { real } from '../../express-session/implementations.js'
import type { OldStoreKind, SessionModule } from '../../express-session/old-stores/old-store.js'
import { mariadb } from '../../support/servers/mariadb.js'

const require = createRequire(import.meta.url)

interface MySQLStore {
  onReady(): Promise<void>
  close(): Promise<void>
}

export const expressMysqlSession: OldStoreKind = {
  name: 'express-mysql-session',
  server: mariadb,
  endsBy: 'app',
  async open() {
    const server = await mariadb.start()
    const pool = mysql.createPool(server.url)
    const stores: MySQLStore[] = []
    const store = (session: SessionModule) => {
      const Store = require('express-mysql-session')(session)
      const { host, port } = server
      const made: MySQLStore = new Store({
        ...{ host, port, user: 'root', database: 'coatcheck' },
        // Its timer would keep the process alive.
        clearExpired: false,
      })
      stores.push(made)
      return made
    }
    // It makes the table beside the first requests, which fail to find it.
    await store(real.session).onReady()
    return {
      server,
      store,
      async textOf(id) {
        const sql = 'SELECT CAST(data AS CHAR) AS text FROM sessions WHERE session_id = ?'
        const [rows] = await pool.query(sql, [id])
        return (rows as { text: string }[])[0]?.text
      },
      async close() {
        const closing = stores.map((made) => made.onReady().then(() => made.close()))
        // Connections that died with a server may never say that they have ended.
        const atMost = new Promise((resolve) => setTimeout(resolve, 5000).unref())
        await Promise.race([Promise.allSettled([...closing, pool.end()]), atMost])
        await server.stop()
      },
    }
  },
}
