// The stores of both sides, with one driver where the old package leaves the choice.

import { createRequire } from 'node:module'
import { RedisStore as ConnectRedis } from 'connect-redis'
import expressSession, { type Store } from 'express-session'

const require = createRequire(import.meta.url)

/** A module of the build under test. */
type Load = (path: string) => Promise<Record<string, new (options: object) => object>>

interface Sides {
  readonly ours: (url: string, load: Load) => Promise<object>
  readonly theirs: { readonly name: string; readonly open: (url: string) => Promise<Store> }
}

async function nodeRedis(url: string) {
  const { createClient } = await import('redis')
  return createClient({ url }).connect()
}

async function pgPool(url: string) {
  const { default: pg } = await import('pg')
  return new pg.Pool({ connectionString: url, max: 10 })
}

async function mongoClient(url: string) {
  const { MongoClient } = await import('mongodb')
  return MongoClient.connect(url)
}

async function made(load: Load, file: string, name: string, options: object) {
  const { [name]: Store } = await load(`stores/${file}.js`)
  const store = new Store!(options)
  await (store as { migrate?(): Promise<void> }).migrate?.()
  return store
}

export const STORES = {
  redis: {
    ours: async (url, load) => made(load, 'redis', 'RedisStore', { client: await nodeRedis(url) }),
    theirs: {
      name: 'connect-redis',
      open: async (url) => new ConnectRedis({ client: await nodeRedis(url) }) as unknown as Store,
    },
  },
  memcached: {
    ours: (url, load) => made(load, 'memcached', 'MemcachedStore', { servers: url }),
    theirs: {
      name: 'connect-memcached',
      async open(url) {
        const Memcached = require('connect-memcached')(expressSession)
        return new Memcached({ hosts: url })
      },
    },
  },
  postgres: {
    ours: async (url, load) => made(load, 'postgres', 'PostgresStore', { pool: await pgPool(url) }),
    theirs: {
      name: 'connect-pg-simple',
      async open(url) {
        const PgStore = require('connect-pg-simple')(expressSession)
        return new PgStore({ pool: await pgPool(url), createTableIfMissing: true })
      },
    },
  },
  mysql: {
    async ours(url, load) {
      const mysql = await import('mysql2/promise')
      const pool = mysql.createPool({ uri: url, connectionLimit: 10 })
      return made(load, 'mysql', 'MySQLStore', { pool })
    },
    theirs: {
      name: 'express-mysql-session',
      async open(url) {
        const mysql = await import('mysql2/promise')
        const MySQLStore = require('express-mysql-session')(expressSession)
        const store = new MySQLStore({}, mysql.createPool({ uri: url, connectionLimit: 10 }))
        // It makes the table beside the first requests, which would fail to find it.
        await store.onReady()
        return store
      },
    },
  },
  mongodb: {
    async ours(url, load) {
      const client = await mongoClient(url)
      const collection = client.db().collection('sessions')
      return made(load, 'mongodb', 'MongoStore', { collection })
    },
    theirs: {
      name: 'connect-mongo',
      async open(url) {
        const { default: MongoStore } = await import('connect-mongo')
        return MongoStore.create({ client: (await mongoClient(url)) as never })
      },
    },
  },
  sqlite: {
    async ours(path, load) {
      const Database = require('better-sqlite3')
      return made(load, 'sqlite', 'SqliteStore', { db: new Database(path) })
    },
    theirs: {
      name: 'better-sqlite3-session-store',
      async open(path) {
        const Database = require('better-sqlite3')
        const SqliteStore = require('better-sqlite3-session-store')(expressSession)
        const db = new Database(path)
        // As ours does it, or each write would wait for the disk.
        db.pragma('journal_mode = WAL')
        return new SqliteStore({ client: db })
      },
    },
  },
} satisfies Record<string, Sides>

export type StoreName = keyof typeof STORES
