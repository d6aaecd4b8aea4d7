import { describe, expect, it } from 'vitest'
import { CookieStore } from '../../src/stores/cookie.js'
import { FileStore } from '../../src/stores/file.js'
import { JwtStore } from '../../src/stores/jwt.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { MongoStore } from '../../src/stores/mongodb.js'
import { MySQLStore } from '../../src/stores/mysql.js'
import { PostgresStore } from '../../src/stores/postgres.js'
import { RedisStore } from '../../src/stores/redis.js'
import { SqliteStore } from '../../src/stores/sqlite.js'
import { FakeClock } from '../../src/testing/index.js'
import { read, rowsOf } from '../support/docs.js'
import { FakeRedis, faces } from './fake-redis.js'
import { FakeCollection } from './mongo-collection.js'
import { FakePool as MySQLPool } from './mysql-pool.js'
import { FakePool } from './postgres-pool.js'

const keys = 'x'.repeat(32)
const client = faces.nodeRedis(new FakeRedis(new FakeClock()))

/** What JavaScript lets a program pass, each store as its page has it. Memcached has its own test. */
const stores: Record<string, [new (options: never) => object, object]> = {
  cookie: [CookieStore, { keys }],
  file: [FileStore, { path: 'sessions' }],
  jwt: [JwtStore, { keys }],
  memory: [MemoryStore, {}],
  mongodb: [MongoStore, { collection: new FakeCollection() }],
  mysql: [MySQLStore, { pool: new MySQLPool() }],
  postgres: [PostgresStore, { pool: new FakePool() }],
  redis: [RedisStore, { client }],
  sqlite: [SqliteStore, { filename: 'sessions.db' }],
}

const old: Record<string, [of: string, names: string[]]> = {
  file: ['session-file-store', ['retries', 'reapInterval', 'logFn', 'encoder', 'keyFunction']],
  mongodb: ['connect-mongo', ['mongoUrl', 'ttl']],
  mysql: ['express-mysql-session', ['schema', 'expiration', 'clearExpired', 'host', 'password']],
  postgres: ['connect-pg-simple', ['tableName', 'schemaName', 'ttl', 'conString', 'errorLog']],
  redis: ['connect-redis', ['ttl', 'serializer']],
  sqlite: ['better-sqlite3-session-store', ['client', 'expired']],
}

function make(name: string, more: object): () => object {
  const [Store, options] = stores[name]!
  return () => new Store({ ...options, ...more } as never)
}

describe.each(Object.keys(stores))('the options of the store %s', (name) => {
  it('are no others than its page has: a misspelt one is an error that names them', () => {
    const listed = rowsOf(read(`docs/stores/${name}.md`)).map((row) => row.name)
    const attempt = make(name, { tabel: 'hunter2' })
    expect(attempt).toThrow(expect.objectContaining({ name: 'OptionError', code: 'ERR_OPTION' }))
    const message = String(thrown(attempt))
    const told = /: unknown option 'tabel'; there are (.*)\.$/.exec(message)?.[1]
    expect(told?.split(', ').sort()).toEqual(listed.sort())
    expect(message).not.toContain('hunter2')
  })

  it('may be left undefined, whatever their name', () => {
    expect(make(name, { tabel: undefined })).not.toThrow()
  })
})

describe.each(Object.entries(old))('the store %s', (name, [of, names]) => {
  it.each(names)(`refuses %s of ${of}, and says what takes its place`, (option) => {
    const message = String(thrown(make(name, { [option]: 'hunter2' })))
    expect(message).toMatch(new RegExp(`'${option}' is one of ${of}, and must be left out: .{9,}`))
    expect(message).not.toContain('hunter2')
  })
})

it('no SQL is printed for another table than the one that was named', () => {
  for (const Store of [MySQLStore, PostgresStore, SqliteStore]) {
    expect(() => Store.schema({ tableName: 'web' } as never)).toThrow("'tableName'")
  }
})

it('a client that nobody has awaited is named as what it is', () => {
  const make = () => new RedisStore({ client: Promise.resolve(client) } as never)
  expect(make).toThrow('it is a promise')
})

function thrown(attempt: () => unknown): unknown {
  try {
    attempt()
  } catch (error) {
    return error
  }
  return undefined
}
