import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import type { StoreReport } from '../../src/core/store.js'
import { type PgLike, PostgresStore } from '../../src/stores/postgres.js'
import { FakeClock, testStore } from '../../src/testing/index.js'
import { ahead } from '../testing/reference-store.js'
import { type Asked, FakePool, serverError } from './postgres-pool.js'

/** PostgreSQL in this process. Its types need a package of types that is not there. */
interface Lite extends PgLike {
  close(): Promise<void>
}

let db: Lite
let tables = 0

beforeAll(async () => {
  const { PGlite } = createRequire(import.meta.url)('@electric-sql/pglite')
  db = await PGlite.create()
}, 60_000)
afterAll(() => db.close())

testStore({ describe, it }, 'PostgresStore', {
  open() {
    const clock = new FakeClock()
    const table = `session ${tables++}`
    const open = (name = table) => new PostgresStore({ pool: db, table: name, clock })
    return {
      store: open(),
      clock,
      advance: (ms) => clock.advance(ms),
      another: () => open(),
      elsewhere: () => open(`${table}%`),
      async plant(key, garbage) {
        try {
          await db.query(`UPDATE "${table}" SET sess = $1 WHERE sid = $2`, [garbage, key])
        } catch {
          return false
        }
        return true
      },
      skewed: (ms) => new PostgresStore({ pool: db, table, clock: ahead(clock, ms) }),
      async dispose() {
        for (const name of [table, `${table}%`]) {
          await db.query(`DROP TABLE IF EXISTS "${name}", "${name}_by_user"`)
        }
      },
    }
  },
  lacks: {
    trips: 'tests/servers counts them',
    processes: 'PGlite is of one process',
    outage: 'PGlite is always there',
    blackHole: 'PGlite is always there',
    exits: 'PGlite is of one process',
    predecessor: 'tests/servers has it',
  },
})

describe('PostgresStore', () => {
  const entry = { text: '{"n":1}', expiresAt: Date.UTC(2100, 0, 1) }
  const seen = { text: '{"n":0}', expiresAt: 0 }

  it.each<[string, unknown, string]>([
    ['no options', undefined, 'the options must be an object'],
    ['no client', {}, "'pool' or 'sql'"],
    ['two clients', { pool: new FakePool(), sql: fakeSql().sql }, "'pool' or 'sql'"],
    ['a pool without query', { pool: {} }, "option 'pool'"],
    ['postgres as a pool', { pool: fakeSql().sql }, "for option 'sql'"],
    ['a pool as postgres', { sql: new FakePool() }, "for option 'pool'"],
    ['a table that is no string', { pool: new FakePool(), table: 1 }, "option 'table'"],
    ['a table without a name', { pool: new FakePool(), table: '' }, "option 'table'"],
    ['a table with a NUL', { pool: new FakePool(), table: 'a\0b' }, "option 'table'"],
    ['a table of 64 bytes', { pool: new FakePool(), table: 'ü'.repeat(32) }, "option 'table'"],
    ['a schema of 64 bytes', { pool: new FakePool(), schema: 'x'.repeat(64) }, "option 'schema'"],
    ['a flag that is none', { pool: new FakePool(), autoMigrate: 1 }, "option 'autoMigrate'"],
    ['no yes or no', { pool: new FakePool(), prepare: 'no' }, "option 'prepare'"],
    ['an index that is none', { pool: new FakePool(), userIndex: 'no' }, "option 'userIndex'"],
    ['another fallback', { pool: new FakePool(), fallback: { format: 'x' } }, 'fallback.format'],
    ['a clock without now', { pool: new FakePool(), clock: {} }, "option 'clock'"],
  ])('refuses %s, and says which option it is', (_, options, message) => {
    const make = () => new PostgresStore(options as never)
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
    expect(make).toThrow(message)
  })

  it('sends nothing and listens to nothing before its first use', () => {
    const pool = new FakePool()
    new PostgresStore({ pool })
    expect(pool.asked).toEqual([])
    expect(pool.listenerCount('error')).toBe(0)
  })

  it('sends no moment that the server does not know, such as one before 4713 BC', async () => {
    const pool = new FakePool()
    const store = new PostgresStore({ pool })
    const none = [-8e15, Number.NEGATIVE_INFINITY, Number.NaN]
    for (const expiresAt of none) await store.touch('k', expiresAt)
    for (const { values } of pool.asked) expect(values).toContain(0)
  })

  it('needs one statement for each operation, the same over both drivers', async () => {
    const pool = new FakePool()
    const { sql, asked } = fakeSql()
    for (const store of [new PostgresStore({ pool }), new PostgresStore({ sql })]) {
      await store.load('k')
      await store.create('k', entry)
      await store.create('k', { ...entry, user: 'ada' })
      await store.replace('k', entry, seen)
      await store.replace('k', { ...entry, user: 'ada' }, seen)
      await store.touch('k', entry.expiresAt)
      await store.destroy('k')
      await store.keysOfUser('ada')
    }
    expect(pool.asked).toHaveLength(8)
    expect(asked.map(({ text }) => text)).toEqual(pool.asked.map(({ text }) => text))
  })

  it('hands postgres a record as the text it is, to be prepared if the program allows that', async () => {
    const { sql, asked } = fakeSql()
    await new PostgresStore({ sql }).create('k', entry)
    expect(asked[0]).toMatchObject({ options: { prepare: true } })
    // 705 is the type `unknown`, for which postgres has no serializer.
    expect(asked[0]?.values[1]).toEqual({ value: '{"n":1}', type: 705 })
  })

  it('quotes names, whatever is in them', async () => {
    await db.query('CREATE TABLE victims (n int)')
    const name = `x"; DROP TABLE victims; -- $migrate$ '\\`
    const options = { pool: db, table: name, fallback: { format: 'knex', table: name } } as const
    const store = new PostgresStore(options)
    await store.migrate()
    expect(await store.create('k', { ...entry, user: 'ada' })).toBe(true)
    expect(await store.replace('k', entry, entry)).toBe('replaced')
    expect(await store.touch('k', entry.expiresAt)).toBe(true)
    expect(PostgresStore.schema({ table: name })).toContain('"x""; DROP TABLE victims; --')
    const { rows } = await db.query('SELECT count(*) AS n FROM victims')
    expect(rows).toHaveLength(1)
  })

  it('tells of a failure without what drivers and servers put in of the data', async () => {
    const mark = 'MARK-of-ada'
    const details = {
      detail: `Key (sid)=(${mark})`,
      where: mark,
      query: mark,
      parameters: [mark],
      params: [mark],
      severity: 'ERROR',
    }
    const pool = new FakePool(() => {
      throw serverError('23514', details)
    })
    const store = new PostgresStore({ pool })
    const error = await store.create(mark, { ...entry, text: `{"a":"${mark}"}` }).catch((e) => e)
    expect(error).toMatchObject({
      code: 'ERR_STORE',
      op: 'create',
      store: 'PostgresStore',
      retryable: false,
      outcome: 'failed',
      cause: { code: '23514', severity: 'ERROR' },
    })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(mark)
  })

  it.each([
    ['22P05', 'ERR_NOT_SERIALIZABLE', false, 'failed'],
    ['22P02', 'ERR_NOT_SERIALIZABLE', false, 'failed'],
    ['54000', 'ERR_RECORD_TOO_LARGE', false, 'failed'],
    ['22001', 'ERR_RECORD_TOO_LARGE', false, 'failed'],
    ['25006', 'ERR_STORE', true, 'failed'],
    ['53100', 'ERR_STORE', true, 'failed'],
    ['53300', 'ERR_STORE', true, 'failed'],
    ['57P01', 'ERR_STORE', true, 'failed'],
    ['08006', 'ERR_STORE', true, 'unknown'],
    ['ECONNREFUSED', 'ERR_STORE', true, 'failed'],
    ['ECONNRESET', 'ERR_STORE', true, 'unknown'],
    ['CONNECTION_CLOSED', 'ERR_STORE', true, 'unknown'],
  ])('makes %s a %s', async (state, code, retryable, outcome) => {
    const pool = new FakePool(() => {
      throw serverError(state)
    })
    const failed = new PostgresStore({ pool }).touch('k', 0)
    await expect(failed).rejects.toMatchObject({ code, retryable, outcome })
  })

  it.each(['40P01', '40001'])('sends again what the server has undone with %s', async (state) => {
    const pool = new FakePool((_, index) => {
      if (index < 9) throw serverError(state)
      return [{ sid: 'k' }]
    })
    const store = new PostgresStore({ pool, clock: { ...systemClock, pause: async () => {} } })
    expect(await store.touch('k', 0)).toBe(true)
    expect(pool.asked).toHaveLength(10)
    pool.answer = () => {
      throw serverError(state)
    }
    await expect(store.touch('k', 0)).rejects.toMatchObject({ code: 'ERR_STORE', retryable: true })
    expect(pool.asked).toHaveLength(20)
  })

  it.each([
    ['42P01', 'That of option fallback is not made so'],
    ['42501', 'A role that may'],
    ['42703', 'other columns'],
    ['25006', 'only reads'],
    ['53100', 'disk is full'],
    ['28P01', 'refuses this user or password'],
    ['28000', 'refuses this user or password'],
    ['3D000', 'no such database'],
    ['3F000', 'no such schema'],
  ])('says of the error %s what it is: %s', async (state, advice) => {
    const pool = new FakePool(() => {
      throw serverError(state)
    })
    const store = new PostgresStore({ pool, autoMigrate: false })
    await expect(store.load('k')).rejects.toThrow(advice)
  })

  it('says what to pass where a query answers with the rows alone, as that of pg-promise', async () => {
    const error = await new PostgresStore({ pool: { query: async () => [] as never } })
      .load('k')
      .catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_STORE', retryable: false, outcome: 'unknown' })
    expect(error.message).toContain('db.$pool')
  })

  it('makes tables that are missing once for all who wait, and forgets that it failed', async () => {
    let isMade = false
    let canMake = false
    const pool = new FakePool(({ text }) => {
      if (text.startsWith('DO')) {
        if (!canMake) throw serverError('53300')
        isMade = true
        return []
      }
      if (!isMade) throw serverError('42P01')
      return []
    })
    const store = new PostgresStore({ pool })
    await expect(store.load('k')).rejects.toMatchObject({ code: 'ERR_STORE' })
    canMake = true
    await Promise.all([store.load('k'), store.load('k'), store.load('k')])
    expect(pool.asked.filter(({ text }) => text.startsWith('DO'))).toHaveLength(2)
    const plain = new PostgresStore({ pool, autoMigrate: false })
    isMade = false
    await expect(plain.load('k')).rejects.toThrow('migrate()')
    expect(pool.asked.filter(({ text }) => text.startsWith('DO'))).toHaveLength(2)
  })

  it('makes the tables again if others were making them at the same moment', async () => {
    const pool = new FakePool((_, index) => {
      if (index === 0) throw serverError('23505')
      return []
    })
    await new PostgresStore({ pool }).migrate()
    expect(pool.asked).toHaveLength(2)
  })

  it('sweeps in steps of 500 at most, waits between them, and tells what it removed', async () => {
    let left = 1234
    const pauses: number[] = []
    const pool = new FakePool(({ text, values }) => {
      if (!text.includes('dead')) return []
      const count = Math.min(left, Number(values[1]))
      left -= count
      return Array.from({ length: count }, (_, n) => ({ sid: `k${n}`, text: '{}' }))
    })
    const clock = Object.assign(new FakeClock(), {
      async pause(ms: number) {
        pauses.push(ms)
      },
    })
    const store = new PostgresStore({ pool, clock })
    const told: string[] = []
    store.onReport(({ type }) => told.push(type))
    const steps = () =>
      pool.asked.flatMap(({ text, values }) => (text.includes('dead') ? values[1] : []))
    expect(await store.sweep({ limit: 700 })).toBe(700)
    expect(steps()).toEqual([500, 200])
    expect(await store.sweep()).toBe(534)
    expect(steps()).toEqual([500, 200, 500, 500])
    expect(told).toEqual(Array(1234).fill('expired'))
    expect(pauses).toHaveLength(2)
    expect(new Set(pauses).size).toBe(2)
  })

  it('listens to a pool that nobody listens to, and tells of lost connections', async () => {
    const pool = new FakePool()
    const store = new PostgresStore({ pool })
    const reports: StoreReport[] = []
    store.onReport((report) => reports.push(report))
    await store.load('k')
    await store.load('k')
    pool.emit('error', serverError('57P01', { detail: 'MARK' }))
    expect(reports).toMatchObject([{ type: 'error', op: 'connect', error: { code: 'ERR_STORE' } }])
    expect(inspect(reports, { depth: 9 })).not.toContain('MARK')
  })

  it('leaves a pool alone to which the program listens', async () => {
    const pool = new FakePool()
    pool.on('error', () => {})
    await new PostgresStore({ pool }).load('k')
    expect(pool.listenerCount('error')).toBe(1)
  })

  it('without an index of users stores the sessions of nobody, and has no keysOfUser', async () => {
    const table = `session ${tables++}`
    const store = new PostgresStore({ pool: db, table, userIndex: false })
    expect(store.keysOfUser).toBeUndefined()
    const refused = store.create('k', { ...entry, user: 'ada' })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    expect(await store.create('k', entry)).toBe(true)
    expect(await store.replace('k', entry, entry)).toBe('replaced')
    expect(await store.sweep()).toBe(0)
    expect(await store.destroy('k')).toBe(true)
    expect(PostgresStore.schema({ table, userIndex: false })).not.toContain('by_user')
  })

  describe('with a table of connect-session-knex behind it', () => {
    const HOUR = 60 * 60 * 1000
    const text = '{"cookie":{},"n":1}'

    async function setUp() {
      const clock = new FakeClock()
      const [table, old] = [`session ${tables++}`, `old ${tables++}`]
      await db.query(
        `CREATE TABLE "${old}" (sid varchar(255) PRIMARY KEY, sess json, expired timestamptz)`,
      )
      const insert = `INSERT INTO "${old}" VALUES ($1, $2, $3::timestamptz)`
      for (const [key, ms] of [
        ['a', HOUR],
        ['b', HOUR],
        ['over', -1],
      ] as const) {
        await db.query(insert, [key, text, new Date(clock.now() + ms).toISOString()])
      }
      const fallback = { format: 'knex', table: old } as const
      const store = new PostgresStore({ pool: db, table, clock, fallback })
      const theirs = async () => (await db.query(`SELECT * FROM "${old}" ORDER BY sid`)).rows
      return { store, clock, theirs, before: await theirs() }
    }

    it('finds and copies a live session, and writes nothing there', async () => {
      const { store, clock, theirs, before } = await setUp()
      expect(await store.load('a')).toEqual({ text, expiresAt: clock.now() + HOUR })
      expect(await store.load('over')).toBeUndefined()
      expect(await store.load('unknown')).toBeUndefined()
      const entry = { text: '{"n":2}', expiresAt: clock.now() + HOUR }
      expect(await store.replace('a', entry, { text, expiresAt: 0 })).toBe('replaced')
      expect((await store.load('a'))?.text).toBe('{"n":2}')
      expect(await theirs()).toEqual(before)
    })

    it('copies it once for all who ask at the same moment', async () => {
      const { store } = await setUp()
      const found = await Promise.all([store.load('a'), store.load('a'), store.load('a')])
      expect(found.map((one) => one?.text)).toEqual([text, text, text])
    })

    it('a session that has ended here stays so, copied before or not, after a sweep too', async () => {
      const { store } = await setUp()
      await store.load('a')
      for (const key of ['a', 'b']) {
        expect(await store.destroy(key)).toBe(true)
        expect(await store.destroy(key)).toBe(false)
        expect(await store.load(key)).toBeUndefined()
        expect(await store.touch(key, Date.UTC(2100, 0, 1))).toBe(false)
      }
      expect(await store.sweep()).toBe(0)
      expect(await store.load('a')).toBeUndefined()
      expect(await store.load('b')).toBeUndefined()
    })

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
})

/** Postgres.js as far as the store knows it. */
function fakeSql() {
  const asked: (Asked & { options?: object })[] = []
  const sql = Object.assign(() => {}, {
    typed: (value: never, type: number) => ({ value, type }),
    async unsafe(text: string, values: never[] = [], options: object = {}) {
      asked.push({ text, values, options })
      return []
    },
  })
  return { sql, asked }
}
