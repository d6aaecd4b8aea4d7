import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { MySQLStore } from '../../src/stores/mysql.js'
import { FakeClock } from '../../src/testing/index.js'
import { FakePool, serverError } from './mysql-pool.js'

const entry = { text: '{"n":1}', expiresAt: Date.UTC(2100, 0, 1) }
const seen = { text: '{"n":0}', expiresAt: 0 }
const marked = (insertId: number) => ({ affectedRows: insertId, insertId })
const pool = new FakePool()

describe('MySQLStore', () => {
  it.each<[string, unknown, string]>([
    ['no options', undefined, 'the options must be an object'],
    ['no pool', {}, "option 'pool'"],
    ['a connection', { pool: { execute() {} } }, "option 'pool'"],
    ['a pool that cannot prepare', { pool: { query() {}, getConnection() {} } }, "option 'pool'"],
    ['a table that is no string', { pool, table: 1 }, "option 'table'"],
    ['a table without a name', { pool, table: '' }, "option 'table'"],
    ['a table with a NUL', { pool, table: 'a\0b' }, "option 'table'"],
    ['a table that ends with a space', { pool, table: 'a ' }, "option 'table'"],
    ['a table of 65 bytes', { pool, table: 'x'.repeat(65) }, "option 'table'"],
    ['columns that are none', { pool, columns: 'data' }, "option 'columns'"],
    ['an unknown column', { pool, columns: { sid: 'x' } }, 'columns.sid'],
    ['a column without a name', { pool, columns: { data: '' } }, "option 'columns.data'"],
    ['a flag that is none', { pool, autoMigrate: 1 }, "option 'autoMigrate'"],
    ['an index that is none', { pool, userIndex: 'no' }, "option 'userIndex'"],
    ['another fallback', { pool, fallback: { format: 'x' } }, 'fallback.format'],
    ['its own table behind it', { pool, fallback: { format: 'knex' } }, 'fallback.table'],
    ['a clock without now', { pool, clock: {} }, "option 'clock'"],
  ])('refuses %s, and says which option it is', (_, options, message) => {
    const make = () => new MySQLStore(options as never)
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
    expect(make).toThrow(message)
  })

  it('sends nothing before its first use', () => {
    const pool = new FakePool()
    new MySQLStore({ pool })
    expect(pool.asked).toEqual([])
  })

  it('needs one statement for each operation, and two for a new session of a user', async () => {
    const pool = new FakePool(({ sql }) => {
      if (sql.startsWith('SELECT')) return [['{}', '9999999999']]
      return marked(sql.includes('LEFT JOIN') ? 3 : 2)
    })
    const store = new MySQLStore({ pool })
    const sent = async (run: () => Promise<unknown>) => {
      const before = pool.asked.length
      await run()
      return pool.asked.length - before
    }
    expect(await sent(() => store.load('k'))).toBe(1)
    expect(await sent(() => store.create('k', entry))).toBe(1)
    expect(await sent(() => store.create('k', { ...entry, user: 'ada' }))).toBe(2)
    expect(await sent(() => store.replace('k', entry, seen))).toBe(1)
    expect(await sent(() => store.replace('k', { ...entry, user: 'ada' }, seen))).toBe(1)
    expect(await sent(() => store.touch('k', entry.expiresAt))).toBe(1)
    expect(await sent(() => store.destroy('k'))).toBe(1)
    expect(await sent(() => store.keysOfUser('ada'))).toBe(1)
  })

  it.each([
    [1, 'gone'],
    [2, 'changed'],
    [3, 'replaced'],
  ])('the mark %i of a replace is %s, however many rows were counted', async (mark, told) => {
    for (const affectedRows of [0, 1, 2]) {
      const pool = new FakePool(() => ({ affectedRows, insertId: mark }))
      expect(await new MySQLStore({ pool }).replace('k', entry, seen)).toBe(told)
    }
  })

  it('without a mark, rows that were met tell that a trigger has made the server forget it', async () => {
    const pool = new FakePool(() => ({ affectedRows: 0, insertId: 0 }))
    const store = new MySQLStore({ pool })
    expect(await store.replace('k', entry, seen)).toBe('gone')
    expect(await store.touch('k', entry.expiresAt)).toBe(false)
    pool.answer = () => ({ affectedRows: 1, insertId: 0 })
    expect(await store.replace('k', entry, seen)).toBe('replaced')
    expect(await store.touch('k', entry.expiresAt)).toBe(true)
  })

  it('refuses letters that the pool would send as others, and asks once', async () => {
    const pool = new FakePool(() => marked(3))
    const store = new MySQLStore({ pool })
    pool.letters = '22D83D'
    const told = { code: 'ERR_UNSUPPORTED', outcome: 'failed', retryable: false }
    const text = '{"name":"\u0122,\u0122admin"}'
    await expect(store.replace('k', { ...entry, text }, seen)).rejects.toMatchObject(told)
    await expect(store.create('k', { ...entry, user: 'Zoë' })).rejects.toMatchObject(told)
    expect(pool.asked).toEqual([])
    expect(await store.replace('k', entry, seen)).toBe('replaced')
    pool.letters = 'C4A2F09F9880'
    expect(await store.replace('k', { ...entry, text }, seen)).toBe('replaced')
    pool.letters = '22D83D'
    expect(await store.replace('k', { ...entry, text }, seen)).toBe('replaced')
    expect(pool.asked).toHaveLength(3)
  })

  it('a record without a row in the user index gets one, and then its user', async () => {
    const pool = new FakePool(({ sql }, index) =>
      sql.startsWith('INSERT') ? marked(0) : marked(index === 0 ? 4 : 3),
    )
    const store = new MySQLStore({ pool })
    expect(await store.replace('k', { ...entry, user: 'ada' }, seen)).toBe('replaced')
    expect(pool.asked.map(({ sql }) => sql.slice(0, 6))).toEqual(['UPDATE', 'INSERT', 'UPDATE'])
    expect(pool.asked[1]?.values.slice(0, 2)).toEqual(['k', null])
  })

  it('rounds up to seconds what is to come, and never what has been', async () => {
    const clock = new FakeClock(1_000_000_000_500)
    const pool = new FakePool(() => marked(2))
    const store = new MySQLStore({ pool, clock })
    const ends = async (ms: number) => {
      await store.touch('k', clock.now() + ms)
      return pool.asked.at(-1)?.values[0]
    }
    expect(await ends(1)).toBe(1_000_000_001)
    expect(await ends(501)).toBe(1_000_000_002)
    expect(await ends(0)).toBe(0)
    expect(await ends(-100)).toBe(0)
    expect(await ends(Number.NaN)).toBe(0)
    // What the column holds.
    expect(await ends(1e15)).toBe(2 ** 32 - 1)
  })

  it('sends no name of a user, no key and no text but as a parameter', async () => {
    const pool = new FakePool()
    const store = new MySQLStore({ pool })
    await store.create('a key', { ...entry, text: 'a text', user: 'a user' })
    await store.replace('a key', { ...entry, text: 'a text', user: 'a user' }, seen)
    await store.keysOfUser('a user')
    expect(pool.asked.map(({ sql }) => sql).join()).not.toMatch(/a key|a text|a user/)
  })

  it('quotes names, whatever is in them', async () => {
    const pool = new FakePool()
    const name = 'x`; DROP TABLE users; -- '
    const [table, columns] = [
      `${name}t`,
      { session_id: `${name}s`, expires: 'é`', data: `${name}d` },
    ]
    const fallback = { format: 'knex', table: `${name}k`, sidFieldName: `${name}f` } as const
    const store = new MySQLStore({ pool, table, columns, fallback })
    pool.answer = ({ sql }) => (sql.startsWith('SELECT') ? [] : marked(3))
    await store.migrate()
    await store.load('k')
    await store.create('k', { ...entry, user: 'ada' })
    await store.replace('k', { ...entry, user: 'ada' }, seen)
    await store.touch('k', 0)
    await store.destroy('k')
    await store.sweep()
    await store.keysOfUser('ada')
    for await (const _ of store.entries()) throw new Error('There is none.')
    expect(pool.asked.length).toBeGreaterThan(10)
    for (const { sql } of pool.asked) {
      // What is left without quoted names and texts.
      const plain = sql.replace(/`(?:[^`]|``)*`/g, '').replace(/'[^']*'/g, '')
      expect(plain).not.toMatch(/DROP|users|é/)
    }
    expect(MySQLStore.schema({ table, columns })).toContain('`x``; DROP TABLE users; -- t`')
  })

  it('tells of a failure without what drivers and servers put in of the data', async () => {
    const mark = 'MARK-of-ada'
    const pool = new FakePool(() => {
      throw serverError(1062 + 200, {
        message: `(conn:3, no: 1262) of ${mark}\nsql: INSERT - parameters:['${mark}']`,
        sqlMessage: undefined,
        sql: mark,
        parameters: [mark],
        sqlState: 'HY000',
        code: 'ER_X',
      })
    })
    const error = await new MySQLStore({ pool })
      .create(mark, { ...entry, text: `{"a":"${mark}"}` })
      .catch((e) => e)
    expect(error).toMatchObject({
      code: 'ERR_STORE',
      op: 'create',
      store: 'MySQLStore',
      retryable: false,
      outcome: 'failed',
      cause: { errno: 1262, code: 'ER_X', sqlState: 'HY000' },
    })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(mark)
  })

  it.each([
    [1366, 'ERR_NOT_SERIALIZABLE', false, 'failed'],
    [4025, 'ERR_NOT_SERIALIZABLE', false, 'failed'],
    [1406, 'ERR_RECORD_TOO_LARGE', false, 'failed'],
    [1153, 'ERR_RECORD_TOO_LARGE', false, 'failed'],
    [1290, 'ERR_STORE', true, 'failed'],
    [1021, 'ERR_STORE', true, 'failed'],
    [1040, 'ERR_STORE', true, 'failed'],
    [1142, 'ERR_STORE', false, 'failed'],
    [2013, 'ERR_STORE', true, 'unknown'],
    [45_028, 'ERR_STORE', true, 'unknown'],
  ])('makes %i a %s', async (errno, code, retryable, outcome) => {
    const pool = new FakePool(() => {
      throw serverError(errno)
    })
    const failed = new MySQLStore({ pool }).touch('k', 0)
    await expect(failed).rejects.toMatchObject({ code, retryable, outcome })
  })

  it.each([
    ['ECONNREFUSED', 'failed'],
    ['ECONNRESET', 'unknown'],
    ['PROTOCOL_CONNECTION_LOST', 'unknown'],
  ])('a connection that ends with %s has %s', async (code, outcome) => {
    const pool = new FakePool(() => {
      throw Object.assign(new Error('lost'), { code })
    })
    const failed = new MySQLStore({ pool }).touch('k', 0)
    await expect(failed).rejects.toMatchObject({ code: 'ERR_STORE', retryable: true, outcome })
  })

  it('says what to do about a pool that answers by callbacks only', async () => {
    const pool = { execute: () => undefined, getConnection: () => {} }
    const failed = new MySQLStore({ pool }).load('k')
    await expect(failed).rejects.toThrow('mariadb/callback')
  })

  it.each([1213, 1205, 1020])('sends again what the server has undone with %i', async (errno) => {
    const pool = new FakePool((_, index) => {
      if (index < 9) throw serverError(errno)
      return marked(2)
    })
    const store = new MySQLStore({ pool, clock: { ...systemClock, pause: async () => {} } })
    expect(await store.touch('k', 0)).toBe(true)
    expect(pool.asked).toHaveLength(10)
    pool.answer = () => {
      throw serverError(errno)
    }
    await expect(store.touch('k', 0)).rejects.toMatchObject({ code: 'ERR_STORE', retryable: true })
    expect(pool.asked).toHaveLength(20)
  })

  it.each([
    [1146, 'That of option fallback is not made so'],
    [1142, 'A user that may'],
    [1044, 'no such database, or none that this user may use'],
    [1045, 'refuses this user or password'],
    [1046, 'the pool names no database'],
    [1049, 'no such database'],
    [1054, 'other columns'],
    [1290, 'only reads'],
    [1021, 'disk is full'],
  ])('says of the error %i what it is: %s', async (number, advice) => {
    const pool = new FakePool(() => {
      throw serverError(number)
    })
    const store = new MySQLStore({ pool, autoMigrate: false })
    await expect(store.load('k')).rejects.toThrow(advice)
  })

  it('makes tables that are missing once for all who wait, and forgets that it failed', async () => {
    let isMade = false
    let canMake = false
    const pool = new FakePool(({ sql }) => {
      if (sql.startsWith('CREATE')) {
        if (!canMake) throw serverError(1040)
        isMade = true
        return marked(0)
      }
      if (!isMade) throw serverError(1146)
      return []
    })
    const made = () => pool.asked.filter(({ sql }) => sql.startsWith('CREATE')).length
    const store = new MySQLStore({ pool })
    await expect(store.load('k')).rejects.toMatchObject({ code: 'ERR_STORE' })
    expect(made()).toBe(1)
    canMake = true
    await Promise.all([store.load('k'), store.load('k'), store.load('k')])
    expect(made()).toBe(3)
    isMade = false
    const plain = new MySQLStore({ pool, autoMigrate: false })
    await expect(plain.load('k')).rejects.toThrow('migrate()')
    expect(made()).toBe(3)
  })

  it('a migration adds the index of a table that has none, and goes on where others were faster', async () => {
    const pool = new FakePool(({ sql }) => {
      if (sql.startsWith('SELECT')) return []
      if (sql.startsWith('CREATE INDEX')) throw serverError(1061)
      if (sql.startsWith('CREATE TABLE')) throw serverError(1050)
      return marked(0)
    })
    await new MySQLStore({ pool }).migrate()
    expect(pool.asked.at(-1)?.sql).toBe(
      'CREATE INDEX `sessions_expires_idx` ON `sessions` (`expires`)',
    )
  })

  it('sweeps in steps of 500 at most, waits between them, and tells what it removed', async () => {
    let left = 1234
    const [pauses, steps]: [number[], number[]] = [[], []]
    const pool = new FakePool(({ sql }) => {
      const limit = /ORDER BY t.`expires` LIMIT (\d+)$/.exec(sql)?.[1]
      if (limit !== undefined) {
        const count = Math.min(left, Number(limit))
        steps.push(count)
        return Array.from({ length: count }, (_, n) => [`k${n}`, '{}'])
      }
      if (sql.startsWith('SELECT')) return []
      const removed = sql.startsWith('DELETE FROM') ? steps.at(-1)! : 0
      left -= removed
      return { affectedRows: removed, insertId: 0 }
    })
    const clock = Object.assign(new FakeClock(), {
      async pause(ms: number) {
        pauses.push(ms)
      },
    })
    const store = new MySQLStore({ pool, clock })
    const told: string[] = []
    store.onReport(({ type }) => told.push(type))
    expect(await store.sweep({ limit: 700 })).toBe(700)
    expect(steps).toEqual([500, 200])
    expect(await store.sweep()).toBe(534)
    expect(steps).toEqual([500, 200, 500, 34])
    expect(told).toEqual(Array(1234).fill('expired'))
    expect(new Set(pauses).size).toBe(2)
    // Prepared once, however many there are.
    const removals = pool.asked.filter(({ sql }) => sql.startsWith('DELETE FROM'))
    expect(new Set(removals.map(({ sql }) => sql)).size).toBe(1)
  })

  it('a sweep goes on where another one takes what it has found, and tells nothing twice', async () => {
    let found = 0
    const pool = new FakePool(({ sql }) => {
      if (sql.includes('ORDER BY t.`expires`')) {
        return Array.from({ length: found++ < 2 ? 500 : 3 }, (_, n) => [`k${n}`, '{}'])
      }
      if (sql.startsWith('SELECT')) return []
      return { affectedRows: sql.startsWith('DELETE FROM') ? 3 : 0, insertId: 0 }
    })
    const clock = Object.assign(new FakeClock(), { pause: async () => {} })
    const store = new MySQLStore({ pool, clock })
    const told: string[] = []
    store.onReport(({ type }) => told.push(type))
    expect(await store.sweep()).toBe(9)
    expect(told).toHaveLength(3)
  })

  it('without an index of users stores the sessions of nobody, and has no keysOfUser', async () => {
    const pool = new FakePool(() => marked(3))
    const store = new MySQLStore({ pool, userIndex: false })
    expect(store.keysOfUser).toBeUndefined()
    const refused = store.create('k', { ...entry, user: 'ada' })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    expect(await store.create('k', entry)).toBe(true)
    expect(await store.replace('k', entry, seen)).toBe('replaced')
    expect(await store.destroy('k')).toBe(true)
    expect(pool.asked.map(({ sql }) => sql).join()).not.toContain('by_user')
    expect(MySQLStore.schema({ userIndex: false })).not.toContain('by_user')
  })

  it.each(['a\0b', '\ud800', 'ends with a space '])(
    'a key that the column cannot tell: %j',
    async (key) => {
      const pool = new FakePool()
      const store = new MySQLStore({ pool })
      expect(await store.load(key)).toBeUndefined()
      expect(await store.replace(key, entry, seen)).toBe('gone')
      expect(await store.touch(key, entry.expiresAt)).toBe(false)
      expect(await store.destroy(key)).toBe(false)
      await expect(store.create(key, entry)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
      expect(pool.asked).toEqual([])
    },
  )
})
