import { inspect } from 'node:util'
import mariadbDriver, { type PoolConfig } from 'mariadb'
import callbackMysql from 'mysql2'
import mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { MySQLStore, type MySQLStoreOptions } from '../../../src/stores/mysql.js'
import { FakeClock } from '../../../src/testing/index.js'
import { mariadb } from '../../support/servers/mariadb.js'
import { hasServer, type RunningServer } from '../../support/servers/server.js'
import { oldStore, oldTable } from './mysql-old.js'

const HOUR = 60 * 60 * 1000
const SEEN = { text: '{"n":1}', expiresAt: 0 }

let server: RunningServer
let admin: mysql.Pool
let tables = 0

const freshTable = () => `s${tables++}`
const later = () => Date.now() + HOUR
const one = () => ({ text: '{"n":1}', expiresAt: later() })
const two = () => ({ text: '{"n":2}', expiresAt: later(), user: 'ada' })

function poolWith(settings: mysql.PoolOptions = {}): mysql.Pool {
  const pool = mysql.createPool({ uri: server.url, ...settings })
  onTestFinished(() => pool.end())
  return pool
}

function mariadbPool(settings: PoolConfig = {}) {
  const { host, port } = server
  const address = { host, port, user: 'root', database: 'coatcheck' }
  const pool = mariadbDriver.createPool({ ...address, minimumIdle: 1, ...settings })
  onTestFinished(() => pool.end())
  return pool
}

/** Connections on which this is run first. */
function poolAfter(statement: string, settings: mysql.PoolOptions = {}) {
  const pool = poolWith({ connectionLimit: 1, ...settings })
  let first: Promise<unknown> | undefined
  return {
    getConnection: () => pool.getConnection(),
    async execute(...args: never[]) {
      first ??= pool.query(statement)
      await first
      return (pool.execute as (...all: never[]) => unknown)(...args)
    },
  }
}

function open(options: Partial<MySQLStoreOptions> = {}): MySQLStore {
  return new MySQLStore({ pool: admin, table: freshTable(), ...options })
}

async function rowsOf(sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const [rows] = await admin.query(sql, values)
  return rows as Record<string, unknown>[]
}

/** Until a statement waits for a lock. The table of such waits is as old as its last reader. */
async function waiting(): Promise<void> {
  for (;;) {
    const [row] = await rowsOf(`SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'`)
    if (Number(row?.Value) > 0) return
  }
}

describe.skipIf(!hasServer(mariadb))('MySQLStore', () => {
  beforeAll(async () => {
    server = await mariadb.start()
    admin = mysql.createPool(server.url)
  })
  afterAll(async () => {
    await admin?.end()
    await server?.stop()
  })

  describe('what two connections do to one record', () => {
    /** What an operation says that waits for a transaction which does `sql` to the record. */
    async function during<T>(
      sql: string,
      run: (store: MySQLStore) => Promise<T>,
      { ending = 'COMMIT', pool = admin as MySQLStoreOptions['pool'], table = freshTable() } = {},
    ): Promise<T> {
      await open({ table }).create('k', two())
      await admin.query(`UPDATE ${table} SET data = '{"n":1}'`)
      const store = open({ pool, table })
      const other = await admin.getConnection()
      try {
        await other.query('BEGIN')
        await other.query(sql.replace('TABLE', table))
        const answer = run(store)
        await waiting()
        await other.query(ending)
        return await answer
      } finally {
        other.release()
      }
    }

    for (const [whose, entry] of [
      ['nobody', one],
      ['a user', two],
    ] as const) {
      const replacing = (store: MySQLStore) => store.replace('k', entry(), SEEN)

      it(`a replace for ${whose} that waited for a removal says gone`, async () => {
        expect(await during('DELETE FROM TABLE', replacing)).toBe('gone')
      })

      it(`a replace for ${whose} that waited for an expiry says gone`, async () => {
        expect(await during('UPDATE TABLE SET expires = 1', replacing)).toBe('gone')
      })

      it(`a replace for ${whose} that waited for a write says changed`, async () => {
        expect(await during(`UPDATE TABLE SET data = '{"n":9}'`, replacing)).toBe('changed')
      })

      it(`a replace for ${whose} that waited for a touch replaces`, async () => {
        expect(await during('UPDATE TABLE SET expires = expires + 60', replacing)).toBe('replaced')
      })

      it(`a replace for ${whose} that waited for a removal which was undone replaces`, async () => {
        const told = await during('DELETE FROM TABLE', replacing, { ending: 'ROLLBACK' })
        expect(told).toBe('replaced')
      })
    }

    it.each(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'])(
      'the same at the level of isolation %s',
      async (level) => {
        const pool = poolAfter(`SET SESSION TRANSACTION ISOLATION LEVEL ${level}`)
        const replacing = (store: MySQLStore) => store.replace('k', two(), SEEN)
        expect(await during('DELETE FROM TABLE', replacing, { pool })).toBe('gone')
        const write = `UPDATE TABLE SET data = '{"n":9}'`
        expect(await during(write, replacing, { pool })).toBe('changed')
        const touch = 'UPDATE TABLE SET expires = expires + 60'
        expect(await during(touch, replacing, { pool })).toBe('replaced')
      },
    )

    it('a touch that waited for a removal finds nothing, and brings nothing back', async () => {
      const table = freshTable()
      const touch = (store: MySQLStore) => store.touch('k', later())
      expect(await during('DELETE FROM TABLE', touch, { table })).toBe(false)
      expect(await open({ table }).load('k')).toBeUndefined()
    })

    it.each([
      ['nobody', one],
      ['a user', two],
    ])('a create for %s succeeds over an expired row that a sweep takes away', async (_, entry) => {
      const table = freshTable()
      const store = open({ table })
      await store.create('k', { text: '{}', expiresAt: 0 })
      let taken = 0
      const pool = {
        getConnection: () => {},
        async execute(asked: { sql: string }, values: never) {
          if (asked.sql.startsWith('UPDATE') && taken === 0) {
            // Between the INSERT that met the row and the look at it.
            const [{ affectedRows }] = await admin.query<mysql.ResultSetHeader>(
              `DELETE FROM ${table} WHERE expires < 2`,
            )
            taken += affectedRows
          }
          return admin.execute(asked as never, values)
        },
      }
      expect(await open({ pool, table }).create('k', entry())).toBe(true)
      expect(taken).toBeGreaterThan(0)
      expect((await store.load('k'))?.text).toBe(entry().text)
      expect(await store.keysOfUser('ada')).toEqual(entry === two ? ['k'] : [])
    })

    it('a user keeps a session whose key was in use, and ends while it is made', async () => {
      const table = freshTable()
      const store = open({ table })
      await store.create('k', one())
      const pool = {
        getConnection: () => {},
        async execute(asked: { sql: string }, values: never) {
          // Between the row of the user index and that of the record.
          if (/^INSERT INTO `s\d+` /.test(asked.sql)) await store.destroy('k')
          return admin.execute(asked as never, values)
        },
      }
      expect(await open({ pool, table }).create('k', two())).toBe(true)
      expect(await store.keysOfUser('ada')).toEqual(['k'])
    })

    it('a user keeps a session that another request has under way meanwhile', async () => {
      const table = freshTable()
      const store = open({ table })
      await store.create('k', one())
      const pool = {
        getConnection: () => {},
        async execute(asked: { sql: string }, values: never) {
          if (asked.sql.startsWith('UPDATE')) await store.replace('k', two(), SEEN)
          return admin.execute(asked as never, values)
        },
      }
      expect(await open({ pool, table }).create('k', two())).toBe(false)
      expect(await store.keysOfUser('ada')).toEqual(['k'])
    })

    it('a dead lock is solved by doing it again', async () => {
      const table = freshTable()
      await open({ table }).create('k', { ...two(), text: '{"n":1}' })
      const lost: unknown[] = []
      const pool = {
        getConnection: () => {},
        execute: (asked: never, values: never) =>
          admin.execute(asked, values).catch((error) => {
            lost.push(error.errno)
            throw error
          }),
      }
      const other = await admin.getConnection()
      // The server undoes the one that has written less.
      await other.query(`CREATE TABLE ${table}_more (n int)`)
      await other.query('BEGIN')
      await other.query(`INSERT INTO ${table}_more SELECT seq FROM seq_1_to_100`)
      await other.query(`UPDATE ${table}_by_user SET since = since + 1`)
      const replaced = Promise.allSettled([open({ pool, table }).replace('k', two(), SEEN)])
      await waiting()
      await other.query(`UPDATE ${table} SET expires = expires + 1`)
      await other.query('COMMIT')
      other.release()
      expect(await replaced).toEqual([{ status: 'fulfilled', value: 'replaced' }])
      expect(lost).toContain(1213)
    })

    it('a sweep spares a record that has come meanwhile, and whose it is', async () => {
      const table = freshTable()
      const store = open({ table })
      for (const key of ['k', 'l']) await store.create(key, { ...two(), expiresAt: 0 })
      const pool = {
        getConnection: () => {},
        async execute(asked: { sql: string }, values: never) {
          // Between the look at what has expired and its removal.
          if (asked.sql.startsWith('DELETE FROM')) expect(await store.create('k', two())).toBe(true)
          return admin.execute(asked as never, values)
        },
      }
      expect(await open({ pool, table }).sweep()).toBe(1)
      expect((await store.load('k'))?.text).toBe('{"n":2}')
      expect(await store.keysOfUser('ada')).toEqual(['k'])
    })

    it('a sweep among 50 writers fails none of them', async () => {
      const table = freshTable()
      const clock = new FakeClock(Date.now())
      const store = open({ table, clock, pool: poolWith({ connectionLimit: 20 }) })
      const keys = Array.from({ length: 50 }, (_, n) => `k${n}`)
      const end = (ms: number) => clock.now() + ms
      for (let round = 0; round < 4; round++) {
        const entry = () => ({ text: '{"n":0}', expiresAt: end(HOUR), user: `u${round}` })
        const dead = Array.from({ length: 100 }, (_, n) =>
          store.create(`dead${round}-${n}`, { text: '{}', expiresAt: end(1000), user: 'u' }),
        )
        await Promise.all(dead)
        await clock.advance(2000)
        let swept = 0
        const sweeping = async () => {
          for (let times = 0; times < 3; times++) {
            const count = await store.sweep()
            swept += count
          }
        }
        const writing = async (key: string) => {
          await store.create(key, entry())
          const seen = (await store.load(key))!
          expect(await store.replace(key, { ...entry(), text: '{"n":1}' }, seen)).toBe('replaced')
          expect(await store.touch(key, end(2 * HOUR))).toBe(true)
          expect(await store.destroy(key)).toBe(true)
          expect(await store.create(key, entry())).toBe(true)
          expect(await store.destroy(key)).toBe(true)
        }
        await Promise.all([sweeping(), sweeping(), ...keys.map(writing)])
        expect(swept).toBe(100)
      }
      expect(await rowsOf(`SELECT 1 FROM ${table}`)).toEqual([])
    }, 60_000)
  })

  describe('pools', () => {
    const POOLS: [string, () => MySQLStoreOptions['pool']][] = [
      ['of mysql2 that counts matched rows', () => poolWith()],
      ['of mysql2 that counts changed rows', () => poolWith({ flags: ['-FOUND_ROWS'] })],
      [
        'of mysql2 with callbacks',
        () => {
          const pool = callbackMysql.createPool({ uri: server.url, flags: ['-FOUND_ROWS'] })
          onTestFinished(() => pool.promise().end())
          return pool
        },
      ],
      [
        'of mysql2 with other forms of answers',
        () =>
          poolWith({
            rowsAsArray: true,
            namedPlaceholders: true,
            bigNumberStrings: true,
            supportBigNumbers: true,
            decimalNumbers: true,
            multipleStatements: true,
            nestTables: true,
            typeCast: false,
            connectionLimit: 1,
          }),
      ],
      ['of mariadb', () => mariadbPool()],
      ['of mariadb that counts changed rows', () => mariadbPool({ foundRows: false })],
      [
        'of mariadb with other forms of answers',
        () =>
          mariadbPool({
            namedPlaceholders: true,
            metaAsArray: false,
            rowsAsArray: false,
            nestTables: '_',
            bigNumberStrings: true,
            insertIdAsNumber: true,
            autoJsonMap: true,
            connectionLimit: 1,
          }),
      ],
    ]

    it.each(POOLS)('%s: what changes nothing is not gone', async (_, pool) => {
      const store = open({ pool: pool() })
      const entry = two()
      expect(await store.create('k', entry)).toBe(true)
      expect(await store.create('k', entry)).toBe(false)
      const seen = (await store.load('k'))!
      expect(seen).toEqual({ text: '{"n":2}', expiresAt: Math.ceil(entry.expiresAt / 1000) * 1000 })
      for (let round = 0; round < 2; round++) {
        expect(await store.replace('k', entry, seen)).toBe('replaced')
        expect(await store.touch('k', entry.expiresAt)).toBe(true)
      }
      expect(await store.replace('k', entry, SEEN)).toBe('changed')
      expect(await store.keysOfUser('ada')).toEqual(['k'])
      expect(await store.replace('k', one(), seen)).toBe('replaced')
      expect(await store.keysOfUser('ada')).toEqual([])
      expect(await store.destroy('k')).toBe(true)
      expect(await store.destroy('k')).toBe(false)
      expect(await store.replace('k', entry, seen)).toBe('gone')
      await store.create('over', { text: '{}', expiresAt: 0 })
      expect(await store.sweep()).toBe(1)
    })

    it.each([
      ['of mysql2', () => poolWith({ charset: 'latin1' })],
      ['of mariadb', () => mariadbPool({ collation: 'LATIN1_SWEDISH_CI' })],
    ])('%s in another character set: letters that it would change are refused', async (_, pool) => {
      const store = open({ pool: pool() })
      expect(await store.create('k', one())).toBe(true)
      // Of U+0122 it would send a quotation mark.
      const text = '{"name":"\u0122,\u0122admin"}'
      const told = { code: 'ERR_UNSUPPORTED', outcome: 'failed' }
      await expect(store.replace('k', { ...one(), text }, SEEN)).rejects.toMatchObject(told)
      await expect(store.create('l', { ...one(), text })).rejects.toMatchObject(told)
      await expect(store.keysOfUser('Zoë')).rejects.toMatchObject(told)
      expect(await store.load('k')).toMatchObject({ text: '{"n":1}' })
    })

    it.each([
      ['of mysql2', () => poolWith()],
      ['of mariadb', () => mariadbPool()],
    ])('%s, with a trigger on the table: what was written is not gone', async (_, pool) => {
      const table = freshTable()
      const store = open({ pool: pool(), table })
      await store.migrate()
      await admin.query(`CREATE TABLE ${table}_seen (n int AUTO_INCREMENT PRIMARY KEY)`)
      await admin.query(
        `CREATE TRIGGER ${table}_t AFTER UPDATE ON ${table} FOR EACH ROW
         INSERT INTO ${table}_seen VALUES ()`,
      )
      await store.create('k', { text: '{}', expiresAt: 0, user: 'ada' })
      expect(await store.create('k', two())).toBe(true)
      expect(await store.create('k', two())).toBe(false)
      expect(await store.replace('k', one(), { ...SEEN, text: '{"n":2}' })).toBe('replaced')
      expect(await store.replace('k', two(), { ...SEEN, text: '{"n":2}' })).toBe('changed')
      expect(await store.replace('k', two(), SEEN)).toBe('replaced')
      expect(await store.keysOfUser('ada')).toEqual(['k'])
      expect(await store.touch('k', later() + HOUR)).toBe(true)
      expect(await store.touch('k', 0)).toBe(true)
      expect(await store.touch('k', later())).toBe(false)
      expect(await store.create('k', one())).toBe(true)
      expect(await store.keysOfUser('ada')).toEqual([])
    })

    it.each(['', 'ANSI,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES', 'TRADITIONAL,PIPES_AS_CONCAT'])(
      'the mode of the server makes no difference: %s',
      async (mode) => {
        const store = open({ pool: poolAfter(`SET SESSION sql_mode = '${mode}'`) })
        const text = `{"a":"\\\\' \\" \\u0000 ü 🧥 ; -- "}`
        expect(await store.create('k', { text, expiresAt: later(), user: 'ada' })).toBe(true)
        const seen = (await store.load('k'))!
        expect(seen.text).toBe(text)
        expect(await store.replace('k', two(), seen)).toBe('replaced')
        expect(await store.destroy('k')).toBe(true)
      },
    )
  })

  describe('beside express-mysql-session', () => {
    const NAMES = { session_id: 'the "id"', expires: 'ends`at', data: 'what it holds' }

    it('with other names of the table and its columns', async () => {
      const table = freshTable()
      const old = await oldStore(poolWith(), table, NAMES)
      const store = open({ table, columns: NAMES })
      const cookie = { expires: new Date(later()) }
      await old.set('theirs', { cookie, a: 1 })
      expect(JSON.parse((await store.load('theirs'))!.text)).toMatchObject({ a: 1 })
      await store.create('ours', { text: '{"cookie":{},"b":2}', expiresAt: later(), user: 'ada' })
      expect(await old.get('ours')).toEqual({ cookie: {}, b: 2 })
      await store.migrate()
      const [, index] = await rowsOf('SHOW INDEX FROM ??', [table])
      expect(index).toMatchObject({ Column_name: 'ends`at' })
    })

    it('its touch and its cleanup disturb nothing, and what it removes is gone', async () => {
      const table = freshTable()
      const old = await oldStore(poolWith(), table)
      const store = open({ table })
      for (const key of ['a', 'b', 'c']) await store.create(key, two())
      await store.create('over', { ...two(), expiresAt: Date.now() - 5000 })
      const seen = (await store.load('a'))!
      await old.touch('a', { cookie: { expires: new Date(later() + HOUR) } })
      await old.clearExpiredSessions()
      expect(await store.replace('a', two(), seen)).toBe('replaced')
      await old.destroy('b')
      expect(await store.load('b')).toBeUndefined()
      expect(await store.touch('b', later())).toBe(false)
      expect(await store.keysOfUser('ada')).toEqual(['a', 'c'])
      await old.clear()
      expect(await store.keysOfUser('ada')).toEqual([])
      // Its rows in the user index are in nobody's way.
      expect(await store.create('b', two())).toBe(true)
      expect(await store.keysOfUser('ada')).toEqual(['b'])
    })

    it('rows without data are of no session, and are not overwritten while they live', async () => {
      const table = freshTable()
      await admin.query(oldTable(table))
      await admin.query(`INSERT INTO ${table} VALUES ('k', ${2 ** 32 - 1}, NULL)`)
      const store = open({ table })
      const seen = (await store.load('k'))!
      expect(seen.text).toBe('')
      expect(await store.create('k', one())).toBe(false)
      expect(await store.replace('k', one(), seen)).toBe('replaced')
    })

    it('the sweep clears the index of what others have removed, and of nothing else', async () => {
      const clock = new FakeClock(Date.now())
      const table = freshTable()
      const store = open({ table, clock })
      await store.migrate()
      const seconds = Math.floor(clock.now() / 1000)
      await admin.query(`INSERT INTO ${table} VALUES ('k7', ?, '{}')`, [seconds + 10_000_000])
      await admin.query(
        `INSERT INTO ${table}_by_user SELECT CONCAT('k', seq), 'ada', ? FROM seq_1_to_1200`,
        [clock.now()],
      )
      const indexed = async () => (await rowsOf(`SELECT 1 FROM ${table}_by_user`)).length
      await store.sweep()
      expect(await indexed()).toBe(1200)
      await clock.advance(2 * HOUR)
      // The first one begins somewhere, the second at the beginning.
      for (let round = 0; round < 2; round++) await store.sweep()
      expect(await indexed()).toBe(1)
      expect(await store.keysOfUser('ada')).toEqual(['k7'])
    })
  })

  describe('on columns of other types', () => {
    const COLUMNS: [string, string][] = [
      ['json', 'int unsigned'],
      ['longtext', 'bigint'],
      ['mediumblob', 'int unsigned'],
      ['varchar(2000) COLLATE utf8mb4_general_ci', 'int'],
    ]

    it.each(COLUMNS)('data %s and expires %s', async (data, expires) => {
      const table = freshTable()
      await admin.query(
        `CREATE TABLE ${table} (session_id varchar(255) PRIMARY KEY, expires ${expires} NOT NULL,
         data ${data}, extra int) CHARACTER SET utf8mb4`,
      )
      for (const pool of [poolWith(), mariadbPool()]) {
        const store = open({ pool, table })
        const entry = (text: string) => ({ text, expiresAt: Date.now() + HOUR, user: 'ada' })
        expect(await store.create('k', entry('{"b":[1,2],"a":"ü 🧥 \\u0000"}'))).toBe(true)
        const found = (await store.load('k'))!
        expect(JSON.parse(found.text)).toEqual({ a: 'ü 🧥 \0', b: [1, 2] })
        expect(await store.replace('k', entry('{"C":1}'), found)).toBe('replaced')
        expect(await store.replace('k', entry('{}'), { ...found, text: '{"c":1}' })).toBe('changed')
        expect(await store.replace('k', entry('{}'), { ...found, text: '{"C":1} ' })).toBe(
          'changed',
        )
        expect(await store.replace('k', entry('{}'), { ...found, text: '{"C":1}' })).toBe(
          'replaced',
        )
        expect(await store.keysOfUser('ada')).toEqual(['k'])
        expect(await store.destroy('k')).toBe(true)
      }
    })

    it.each([
      ['mediumtext CHARACTER SET latin1', '{"secret-of-ada":"🧥"}', 'ERR_NOT_SERIALIZABLE'],
      ['json', 'no JSON, secret-of-ada', 'ERR_NOT_SERIALIZABLE'],
      ['varchar(30)', `{"secret-of-ada":"${'x'.repeat(50)}"}`, 'ERR_RECORD_TOO_LARGE'],
    ])('what %s does not take is a coded error that quotes nothing', async (data, text, code) => {
      const table = freshTable()
      await admin.query(
        `CREATE TABLE ${table} (session_id varchar(255) PRIMARY KEY, expires int NOT NULL,
         data ${data}) CHARACTER SET utf8mb4`,
      )
      for (const pool of [poolWith(), mariadbPool()]) {
        const store = open({ pool, table })
        const error = await store.create('k', { text, expiresAt: later() }).catch((e) => e)
        expect(error).toMatchObject({ code, outcome: 'failed' })
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('secret-of-ada')
        await store.create('k', { text: '{}', expiresAt: later() })
        const seen = (await store.load('k'))!
        const refused = store.replace('k', { text, expiresAt: later() }, seen)
        await expect(refused).rejects.toMatchObject({ code })
        expect((await store.load('k'))?.text).toBe('{}')
        await store.destroy('k')
      }
    })
  })

  describe('migrations', () => {
    const indexes = async (table: string) =>
      (
        await rowsOf(
          `SELECT INDEX_NAME AS name, COLUMN_NAME AS col FROM information_schema.STATISTICS
           WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY 1`,
          [table],
        )
      ).map(({ name, col }) => `${name} ${col}`)

    it('ten at once make one table, and again nothing', async () => {
      const table = freshTable()
      const stores = Array.from({ length: 10 }, () =>
        open({ pool: poolWith({ connectionLimit: 1 }), table }),
      )
      await Promise.all(stores.map((store) => store.migrate()))
      const made = await indexes(table)
      expect(made).toEqual(['PRIMARY session_id', `${table}_expires_idx expires`])
      expect(await indexes(`${table}_by_user`)).toEqual(['owner_idx owner', 'PRIMARY sid'])
      await stores[0]!.migrate()
      expect(await indexes(table)).toEqual(made)
    })

    it('ten at once add one index to a table that is there', async () => {
      const table = freshTable()
      await admin.query(oldTable(table))
      const stores = Array.from({ length: 10 }, () =>
        open({ pool: poolWith({ connectionLimit: 1 }), table }),
      )
      await Promise.all(stores.map((store) => store.migrate()))
      expect(await indexes(table)).toEqual(['PRIMARY session_id', `${table}_expires_idx expires`])
    })

    it('the printed SQL makes the same', async () => {
      const [one, other] = [freshTable(), freshTable()]
      await open({ table: one }).migrate()
      const pool = poolWith({ multipleStatements: true })
      for (let round = 0; round < 2; round++) await pool.query(MySQLStore.schema({ table: other }))
      for (const end of ['', '_by_user']) {
        const sql = 'SHOW CREATE TABLE ??'
        const [made] = await rowsOf(sql, [one + end])
        const [printed] = await rowsOf(sql, [other + end])
        expect(String(printed!['Create Table']).replaceAll(other, one)).toBe(made!['Create Table'])
      }
    })

    it('two tables have indexes of their own, whatever their names', async () => {
      const long = 'x'.repeat(62)
      for (const table of [
        `${long}1`,
        `${long}2`,
        'a`; DROP TABLE users; --',
        `o'b\\r%"?`,
        'Ü.b',
      ]) {
        const store = open({ table })
        await store.migrate()
        expect(await store.create('k', two()), table).toBe(true)
        expect(await store.keysOfUser('ada')).toEqual(['k'])
        await store.migrate()
        expect(await indexes(table), table).toHaveLength(2)
        expect(await store.sweep()).toBe(0)
      }
    })

    it('a table that is there is left alone but for an index that is missing', async () => {
      const table = freshTable()
      await admin.query(oldTable(table))
      const store = open({ table })
      const before = await rowsOf('SHOW COLUMNS FROM ??', [table])
      // What is made by itself, while requests wait, is no index on a large table.
      await store.create('k', two())
      expect(await indexes(table)).toEqual(['PRIMARY session_id'])
      await store.migrate()
      expect(await indexes(table)).toHaveLength(2)
      const plain = (rows: object[]) => rows.map((row) => ({ ...row, Key: '' }))
      expect(plain(await rowsOf('SHOW COLUMNS FROM ??', [table]))).toEqual(plain(before))
      // Whatever the index is called.
      await admin.query(`ALTER TABLE ${table} RENAME INDEX ${table}_expires_idx TO mine`)
      await store.migrate()
      expect(await indexes(table)).toHaveLength(2)
    })

    it('a user without rights is told what to do, and works once that was done', async () => {
      const table = freshTable()
      await admin.query(oldTable(table))
      await admin.query(`CREATE USER ${table}@localhost`)
      await admin.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${table}@localhost`)
      const pool = poolWith({ user: table })
      const store = open({ pool, table })
      await expect(store.create('k', two())).rejects.toMatchObject({
        code: 'ERR_STORE',
        message: expect.stringContaining('schema()'),
        cause: { errno: 1142 },
      })
      const plain = open({ pool, table, userIndex: false })
      expect(await plain.create('k', one())).toBe(true)
      expect(await plain.replace('k', one(), SEEN)).toBe('replaced')
      expect(await plain.destroy('k')).toBe(true)
      expect(await plain.sweep()).toBe(0)
      await poolWith({ multipleStatements: true }).query(MySQLStore.schema({ table }))
      await admin.query(
        `GRANT SELECT, INSERT, UPDATE, DELETE ON ${table}_by_user TO ${table}@localhost`,
      )
      expect(await store.create('l', two())).toBe(true)
    })

    it('with autoMigrate false a missing table is an error that says so, each time', async () => {
      const store = open({ autoMigrate: false })
      for (let round = 0; round < 2; round++) {
        await expect(store.load('k')).rejects.toMatchObject({
          code: 'ERR_STORE',
          message: expect.stringContaining('migrate()'),
        })
      }
      await store.migrate()
      expect(await store.load('k')).toBeUndefined()
    })
  })

  describe('faults', () => {
    it('a dropped table is made again, by one of many', async () => {
      const table = freshTable()
      const store = open({ table })
      await store.create('k', two())
      for (const dropped of [table, `${table}_by_user`]) {
        await admin.query(`DROP TABLE ${dropped}`)
        const found = await Promise.all(
          Array.from({ length: 20 }, (_, n) => store.create(`${dropped}${n}`, two())),
        )
        expect(found).toEqual(Array(20).fill(true))
      }
    })

    it('a server that only reads still gives sessions, and says so to who writes', async () => {
      const table = freshTable()
      await open({ table }).create('k', one())
      await admin.query(`CREATE USER ${table}@localhost`)
      await admin.query(`GRANT ALL ON coatcheck.* TO ${table}@localhost`)
      const store = open({ table, pool: poolWith({ user: table }) })
      await admin.query('SET GLOBAL read_only = 1')
      onTestFinished(async () => void (await admin.query('SET GLOBAL read_only = 0')))
      expect((await store.load('k'))?.text).toBe('{"n":1}')
      const refused = [
        () => store.touch('k', later()),
        () => store.destroy('k'),
        () => store.replace('k', two(), SEEN),
        () => store.create('l', one()),
        () => store.create('m', two()),
      ]
      for (const run of refused) {
        await expect(run()).rejects.toMatchObject({
          code: 'ERR_STORE',
          retryable: true,
          outcome: 'failed',
          message: expect.stringContaining('only reads'),
        })
      }
    })

    it('a full disk is a coded error, and nothing has changed', async () => {
      const table = freshTable()
      const store = open({ table })
      await store.create('k', one())
      // What the server says when a file cannot grow.
      const full = `FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1021`
      await admin.query(`CREATE TRIGGER ${table}_i BEFORE INSERT ON ${table} ${full}`)
      await admin.query(`CREATE TRIGGER ${table}_u BEFORE UPDATE ON ${table} ${full}`)
      await expect(store.create('l', two())).rejects.toMatchObject({
        code: 'ERR_STORE',
        outcome: 'failed',
        retryable: true,
        message: expect.stringContaining('full'),
      })
      const seen = (await store.load('k'))!
      await expect(store.replace('k', two(), seen)).rejects.toMatchObject({ code: 'ERR_STORE' })
      expect((await store.load('k'))?.text).toBe('{"n":1}')
      expect(await store.keysOfUser('ada')).toEqual([])
      await admin.query(`DROP TRIGGER ${table}_i`)
      await admin.query(`DROP TRIGGER ${table}_u`)
      expect(await store.replace('k', two(), seen)).toBe('replaced')
      expect(await store.keysOfUser('ada')).toEqual(['k'])
    })

    it('a restart of the server ends no process, though nobody listens to its pools', async () => {
      const table = freshTable()
      const stores = [poolWith(), mariadbPool({ acquireTimeout: 1000 })].map((pool) =>
        open({ pool, table }),
      )
      for (const [n, store] of stores.entries()) await store.create(`k${n}`, two())
      await server.kill()
      for (const store of stores) {
        await expect(store.load('k0')).rejects.toMatchObject({ code: 'ERR_STORE', retryable: true })
      }
      await server.start()
      for (const store of stores) {
        const found = async () => (await store.load('k0').catch(() => undefined))?.text
        await expect.poll(found, { timeout: 20_000 }).toBe('{"n":2}')
      }
    }, 60_000)
  })

  describe('with a table of connect-session-knex behind it', () => {
    const text = '{"cookie":{},"n":1}'

    async function setUp(zone = '+00:00', flags: string[] = []) {
      const clock = new FakeClock(Math.floor(Date.now() / 1000) * 1000)
      const old = freshTable()
      await admin.query(
        `CREATE TABLE ${old} (sid varchar(255) PRIMARY KEY, sess json, expired datetime)`,
      )
      const moment = (ms: number) =>
        new Date(clock.now() + ms).toISOString().slice(0, 19).replace('T', ' ')
      for (const [key, ms] of [
        ['a', HOUR],
        ['b', HOUR],
        ['over', 0],
      ] as const) {
        await admin.query(`INSERT INTO ${old} VALUES (?, ?, ?)`, [key, text, moment(ms)])
      }
      const fallback = { format: 'knex', table: old } as const
      const pool = poolAfter(`SET time_zone = '${zone}'`, { flags })
      const store = open({ pool, table: freshTable(), clock, fallback })
      const theirs = () => rowsOf(`SELECT * FROM ${old} ORDER BY sid`)
      return { store, clock, theirs, before: await theirs() }
    }

    it.each(['+00:00', '-03:30', '+12:45'])(
      'finds and copies a live session, in the time zone %s, and writes nothing there',
      async (zone) => {
        const { store, clock, theirs, before } = await setUp(zone)
        expect(await store.load('a')).toEqual({ text, expiresAt: clock.now() + HOUR })
        expect(await store.load('over')).toBeUndefined()
        expect(await store.load('unknown')).toBeUndefined()
        const entry = { text: '{"n":2}', expiresAt: clock.now() + HOUR, user: 'ada' }
        expect(await store.replace('a', entry, { text, expiresAt: 0 })).toBe('replaced')
        expect((await store.load('a'))?.text).toBe('{"n":2}')
        expect(await theirs()).toEqual(before)
      },
    )

    it('copies it once for all who ask at the same moment', async () => {
      const { store } = await setUp()
      const found = await Promise.all([store.load('a'), store.load('a'), store.load('a')])
      expect(found.map((one) => one?.text)).toEqual([text, text, text])
    })

    it.each([
      ['matched', []],
      ['changed', ['-FOUND_ROWS']],
    ])(
      'a session that has ended here stays so, with a pool that counts %s rows',
      async (_, flags) => {
        const { store } = await setUp('+00:00', flags)
        await store.load('a')
        for (const key of ['a', 'b']) {
          expect(await store.destroy(key)).toBe(true)
          expect(await store.destroy(key)).toBe(false)
          expect(await store.load(key)).toBeUndefined()
          expect(await store.touch(key, later())).toBe(false)
        }
        expect(await store.sweep()).toBe(0)
        expect(await store.load('a')).toBeUndefined()
        expect(await store.load('b')).toBeUndefined()
      },
    )

    it('a session that has expired here stays so, until it has expired there', async () => {
      const { store, clock } = await setUp()
      await store.load('a')
      await store.touch('a', clock.now() + 60_000)
      await clock.advance(60_000)
      expect(await store.load('a')).toBeUndefined()
      expect(await store.sweep()).toBe(0)
      expect(await store.load('a')).toBeUndefined()
      await clock.advance(HOUR)
      expect(await store.sweep()).toBe(1)
      expect(await store.load('a')).toBeUndefined()
    })
  })

  describe('the sweep', () => {
    it('removes 100,000 in transactions of 500 at most, and lets others in between', async () => {
      const table = freshTable()
      const steps: number[] = []
      const pool = {
        getConnection: () => {},
        async execute(asked: { sql: string }, values: never) {
          const answer = await admin.execute(asked as never, values)
          if (asked.sql.startsWith('DELETE FROM')) {
            steps.push((answer[0] as mysql.ResultSetHeader).affectedRows)
          }
          return answer
        },
      }
      const store = open({ table, pool })
      await store.migrate()
      await admin.query(
        `INSERT INTO ${table} SELECT CONCAT('k', seq), seq, '{}' FROM seq_1_to_100000`,
      )
      await admin.query(`INSERT INTO ${table}_by_user SELECT session_id, 'u', 0 FROM ${table}`)
      await store.create('live', { text: '{}', expiresAt: later(), user: 'u' })
      let between = 0
      let sweeping = true
      const swept = store.sweep().finally(() => {
        sweeping = false
      })
      while (sweeping) {
        expect((await store.load('live'))?.text).toBe('{}')
        between++
      }
      expect(await swept).toBe(100_000)
      expect(Math.max(...steps)).toBe(500)
      expect(between).toBeGreaterThan(10)
      expect(await rowsOf(`SELECT sid FROM ${table}_by_user`)).toEqual([{ sid: 'live' }])
    }, 120_000)
  })
})
