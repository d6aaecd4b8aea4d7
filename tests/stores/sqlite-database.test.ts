import { chmodSync, mkdirSync, readdirSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { StoreReport } from '../../src/core/store.js'
import { type SqliteLike, SqliteStore } from '../../src/stores/sqlite.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { serveApp } from '../support/serve.js'
import { type Database, drivers, freshFile, openFast, type SqliteDriver } from './sqlite-drivers.js'
import { oldStore } from './sqlite-old.js'

const HOUR = 60 * 60 * 1000
const entry = { text: '{"n":1}', expiresAt: Date.UTC(2100, 0, 1) }
const next = { text: '{"n":2}', expiresAt: Date.UTC(2100, 0, 1) }

function aFile(): string {
  const { filename, remove } = freshFile()
  onTestFinished(remove)
  return filename
}

function opened(driver: SqliteDriver, filename = aFile()): Database {
  const db = openFast(driver, filename)
  onTestFinished(() => {
    try {
      db.close()
    } catch {
      // The test has closed it.
    }
  })
  return db
}

function ended(filename: string): SqliteStore {
  const store = new SqliteStore({ filename })
  onTestFinished(() => store.close())
  return store
}

const thrownBy = (run: () => unknown): unknown => {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('Nothing was thrown.')
}

/** A database that notes what is prepared, run and executed. */
function watched(db: Database) {
  const [prepared, sent]: [string[], string[]] = [[], []]
  const watching: SqliteLike = {
    prepare(sql) {
      prepared.push(sql)
      const statement = db.prepare(sql)
      const noting =
        <Method extends 'run' | 'get' | 'all'>(method: Method) =>
        (...values: Parameters<(typeof statement)[Method]>) => {
          sent.push(sql.split(/[\s(]/, 1)[0]!)
          return statement[method](...values)
        }
      return { run: noting('run'), get: noting('get'), all: noting('all') } as never
    },
    exec: (sql) => db.exec(sql),
  }
  return { db: watching, prepared, sent }
}

describe('SqliteStore', () => {
  const db = { prepare() {}, exec() {} }

  it.each<[string, unknown, string]>([
    ['no options', undefined, 'the options must be an object'],
    ['no database', {}, "'db' or 'filename'"],
    ['two databases', { db, filename: 'x' }, "'db' or 'filename'"],
    ['a database that is none', { db: {} }, "option 'db'"],
    ['the package sqlite3', { db: { ...db, each() {} } }, 'sqlite3 answers later'],
    ['a file without a name', { filename: '' }, "option 'filename'"],
    ['a file that is no string', { filename: 1 }, "option 'filename'"],
    ['a file with a NUL', { filename: 'a\0b' }, "option 'filename'"],
    ['a URL', { filename: 'file:a.db?mode=memory' }, 'no URL'],
    ['a table that is no string', { db, table: 1 }, "option 'table'"],
    ['a table with a NUL', { db, table: 'a\0b' }, "option 'table'"],
    ['a table of 129 bytes', { db, table: 'x'.repeat(129) }, "option 'table'"],
    ['a flag that is none', { db, autoMigrate: 1 }, "option 'autoMigrate'"],
    ['an index that is none', { db, userIndex: 'no' }, "option 'userIndex'"],
    ['a log that is none', { db, wal: 'WAL' }, "option 'wal'"],
    ['another fallback', { db, fallback: { format: 'x' } }, 'fallback.format'],
    [
      'one table for both',
      { db, fallback: { format: 'knex' } },
      "another table than option 'table'",
    ],
    [
      'one table in two cases',
      { db, table: 'A', fallback: { format: 'knex', table: 'a' } },
      'another',
    ],
    ['a clock without now', { db, clock: {} }, "option 'clock'"],
  ])('refuses %s, and says which option it is', (_, options, message) => {
    const make = () => new SqliteStore(options as never)
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
    expect(make).toThrow(message)
  })

  it.each([
    [{ code: 'ERR_SQLITE_ERROR', errcode: 5 }, 'SQLITE_BUSY', true, 'failed'],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 266 }, 'SQLITE_IOERR', true, 'unknown'],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 1555 }, 'SQLITE_CONSTRAINT', false, 'failed'],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 99 }, 'SQLITE_99', false, 'failed'],
    [{ code: 'UNKNOWN_SQLITE_ERROR_1544', rawCode: 1544 }, 'SQLITE_READONLY', true, 'failed'],
    [{ code: 'SQLITE_IOERR_READ' }, 'SQLITE_IOERR', true, 'unknown'],
    [{ code: 'SQLITE_CORRUPT_INDEX' }, 'SQLITE_CORRUPT', false, 'failed'],
    [{}, 'no code', false, 'failed'],
  ])(
    'makes a number of node:sqlite the same error as a name: %j',
    (told, name, retryable, outcome) => {
      const failing = {
        prepare() {
          throw Object.assign(new Error('it is so'), told)
        },
        exec() {},
      }
      expect(thrownBy(() => new SqliteStore({ db: failing }).load('k'))).toMatchObject({
        code: 'ERR_STORE',
        message: expect.stringContaining(`(${name})`),
        retryable,
        outcome,
      })
    },
  )

  it('says that a text is too large', () => {
    const failing = {
      prepare() {
        throw Object.assign(new Error('too big'), { errcode: 18 })
      },
      exec() {},
    }
    expect(thrownBy(() => new SqliteStore({ db: failing }).create('k', entry))).toMatchObject({
      code: 'ERR_RECORD_TOO_LARGE',
      retryable: false,
    })
  })
})

describe.each(drivers)('SqliteStore on $name', (driver) => {
  it('answers at once, and throws at once', () => {
    const store = new SqliteStore({ db: opened(driver) })
    expect(store.create('k', entry)).toBe(true)
    expect(store.load('k')).toEqual(entry)
    expect(store.replace('k', next, entry)).toBe('replaced')
    expect(store.touch('k', 0)).toBe(true)
    expect(store.destroy('k')).toBe(false)
    expect(() => store.create('a\0b', entry)).toThrow('NUL')
  })

  it('touches nothing before its first use, and prepares each statement once', async () => {
    const { db, prepared, sent } = watched(opened(driver))
    const store = new SqliteStore({ db })
    expect(prepared).toEqual([])
    const use = async (key: string) => {
      store.load(key)
      store.create(key, entry)
      store.replace(key, { ...next, user: 'ada' }, entry)
      store.touch(key, entry.expiresAt)
      await store.keysOfUser('ada')
      store.destroy(key)
      await store.sweep()
    }
    await use('a')
    const first = prepared.length
    await use('b')
    expect(prepared.length).toBe(first)
    sent.length = 0
    store.load('c')
    store.touch('c', 0)
    expect(sent).toEqual(['SELECT', 'UPDATE'])
  })

  it('asks node:sqlite for rows that have names', () => {
    const db = opened(driver)
    const asked: boolean[] = []
    const arrays: SqliteLike = {
      prepare: (sql) =>
        Object.assign(db.prepare(sql), { setReturnArrays: (on: boolean) => asked.push(on) }),
      exec: (sql) => db.exec(sql),
    }
    expect(new SqliteStore({ db: arrays }).load('k')).toBeUndefined()
    expect(new Set(asked)).toEqual(new Set([false]))
  })

  it('makes one transaction of each operation, of as few statements as there are', () => {
    const { db, sent } = watched(opened(driver))
    const store = new SqliteStore({ db })
    const statementsOf = (run: () => unknown) => {
      sent.length = 0
      run()
      return sent.join(' ')
    }
    store.destroy('warm')
    const [first, last] = ['BEGIN', 'COMMIT']
    expect(statementsOf(() => store.create('k', entry))).toBe(`${first} INSERT DELETE ${last}`)
    expect(statementsOf(() => store.create('k', entry))).toBe(`${first} INSERT ${last}`)
    const owned = { ...entry, user: 'ada' }
    expect(statementsOf(() => store.create('u', owned))).toBe(`${first} INSERT INSERT ${last}`)
    expect(statementsOf(() => store.replace('u', { ...next, user: 'ada' }, owned))).toBe(
      `${first} UPDATE INSERT ${last}`,
    )
    expect(statementsOf(() => store.replace('u', next, owned))).toBe(
      `${first} UPDATE SELECT ${last}`,
    )
    expect(statementsOf(() => store.destroy('u'))).toBe(`${first} DELETE DELETE ${last}`)
  })

  it('has readers and writers get along, and writers wait for each other', () => {
    const filename = aFile()
    const [db, other] = [opened(driver, filename), opened(driver, filename)]
    db.exec('PRAGMA busy_timeout = 0')
    const store = new SqliteStore({ db })
    store.create('k', entry)
    expect(db.prepare('PRAGMA journal_mode').get()).toMatchObject({ journal_mode: 'wal' })
    expect(db.prepare('PRAGMA busy_timeout').get()).toMatchObject({ timeout: 5000 })
    db.exec('PRAGMA busy_timeout = 1')
    other.exec('BEGIN IMMEDIATE')
    expect(store.load('k')).toEqual(entry)
    const error = thrownBy(() => store.touch('k', next.expiresAt))
    expect(error).toMatchObject({ code: 'ERR_STORE', retryable: true, outcome: 'failed' })
    expect(error).toMatchObject({ message: expect.stringContaining('SQLITE_BUSY') })
    other.exec('COMMIT')
    expect(store.touch('k', next.expiresAt)).toBe(true)
    // What the program has chosen stays.
    new SqliteStore({ db }).load('k')
    expect(db.prepare('PRAGMA busy_timeout').get()).toMatchObject({ timeout: 1 })
  })

  it.each<[string, (store: SqliteStore) => unknown]>([
    ['a touch', (store) => store.touch('k', entry.expiresAt)],
    ['a create', (store) => store.create('other', entry)],
    ['a migration', (store) => store.create('first', entry)],
  ])('%s that finds the file locked does not keep what it has seen', async (what, write) => {
    const filename = aFile()
    const [locking, waiting] = [opened(driver, filename), opened(driver, filename)]
    waiting.exec('PRAGMA busy_timeout = 1')
    const [one, other] = [locking, waiting].map((db) => new SqliteStore({ db })) as [
      SqliteStore,
      SqliteStore,
    ]
    if (what !== 'a migration') {
      one.create('k', entry)
      other.load('k')
    }
    locking.exec('BEGIN IMMEDIATE')
    expect(thrownBy(() => write(other))).toMatchObject({ code: 'ERR_STORE', retryable: true })
    locking.exec('COMMIT')
    one.create('k', entry)
    expect(other.load('k')).toEqual(entry)
    expect(one.destroy('k')).toBe(true)
    expect(other.load('k')).toBeUndefined()
    expect(other.create('k', next)).toBe(true)
    expect(one.load('k')).toEqual(next)
  })

  it('leaves the mode of the file alone where that is asked for, or one is chosen', () => {
    for (const [mode, wal] of [
      ['delete', false],
      ['truncate', true],
    ] as const) {
      const db = opened(driver)
      db.prepare(`PRAGMA journal_mode = ${mode}`).all()
      const store = new SqliteStore({ db, wal })
      expect(store.create('k', entry)).toBe(true)
      expect(db.prepare('PRAGMA journal_mode').get()).toMatchObject({ journal_mode: mode })
    }
  })

  it('makes tables that are missing, again when somebody drops them, or says so', async () => {
    const db = opened(driver)
    const store = new SqliteStore({ db })
    expect(store.load('k')).toBeUndefined()
    const drops = ['DROP TABLE sessions', 'DROP TABLE sessions_by_user']
    for (const drop of [...drops, drops.join(';')]) {
      expect(store.create('k', { ...entry, user: 'ada' })).toBe(true)
      db.exec(drop)
      expect(store.load('k')).toEqual(drop === drops[1] ? entry : undefined)
      store.destroy('k')
      expect(await store.keysOfUser('ada')).toEqual([])
    }
    db.exec(drops.join(';'))
    const plain = new SqliteStore({ db, autoMigrate: false })
    const error = thrownBy(() => plain.load('k'))
    expect(error).toMatchObject({
      code: 'ERR_STORE',
      message: expect.stringContaining('migrate()'),
    })
    db.exec(SqliteStore.schema())
    expect(plain.load('k')).toBeUndefined()
  })

  it('has the file for itself while it makes tables, before it has written one', async () => {
    const filename = aFile()
    const [db, other] = [opened(driver, filename), opened(driver, filename)]
    other.exec('PRAGMA busy_timeout = 1')
    const met: unknown[] = []
    const watching: SqliteLike = {
      prepare: (sql) => db.prepare(sql),
      exec(sql) {
        if (sql.startsWith('CREATE')) met.push(thrownBy(() => other.exec('CREATE TABLE b (n)')))
        return db.exec(sql)
      },
    }
    await new SqliteStore({ db: watching }).migrate()
    expect(met).toMatchObject([{ message: 'database is locked' }])
    other.exec('CREATE TABLE b (n)')
  })

  it('makes the index that a table lacks, once, whatever the name of one that is there', async () => {
    const db = opened(driver)
    const indexes = () =>
      db
        .prepare("SELECT name FROM sqlite_master WHERE type = 'index' AND sql > '' ORDER BY name")
        .all()
        .map((row) => (row as { name: string }).name)
    oldStore(db)
    const store = new SqliteStore({ db })
    await store.migrate()
    await store.migrate()
    expect(indexes()).toEqual(['sessions_by_user_owner_idx', 'sessions_expire_idx'])
    db.exec('DROP INDEX sessions_expire_idx; CREATE INDEX mine ON sessions (expire, sid)')
    await store.migrate()
    expect(indexes()).toEqual(['mine', 'sessions_by_user_owner_idx'])
  })

  it('quotes names, whatever is in them', async () => {
    const db = opened(driver)
    db.exec('CREATE TABLE victims (n int)')
    const name = `x"; DROP TABLE victims; -- '\\`
    const old = `y"; DROP TABLE victims; -- '\\`
    db.exec(`CREATE TABLE "${old.replace('"', '""')}" ("${old.replace('"', '""')}" TEXT PRIMARY KEY,
      sess json, expired datetime)`)
    const fallback = { format: 'knex', table: old, sidFieldName: old } as const
    const store = new SqliteStore({ db, table: name, fallback })
    await store.migrate()
    expect(store.create('k', { ...entry, user: 'ada' })).toBe(true)
    expect(store.replace('k', { ...next, user: 'ada' }, entry)).toBe('replaced')
    expect(await store.keysOfUser('ada')).toEqual(['k'])
    expect(store.load('other')).toBeUndefined()
    expect(store.destroy('k')).toBe(true)
    expect(await store.sweep()).toBe(0)
    expect(SqliteStore.schema({ table: name })).toContain('"x""; DROP TABLE victims; --')
    expect(db.prepare('SELECT count(*) AS n FROM victims').get()).toMatchObject({ n: 0 })
  })

  it('says that a table of the same name is of somebody else, and leaves it alone', async () => {
    const db = opened(driver)
    db.exec('CREATE TABLE sessions (sid varchar(255) PRIMARY KEY, sess json, expired datetime)')
    const store = new SqliteStore({ db })
    for (const run of [
      () => store.load('k'),
      () => store.create('k', entry),
      () => store.destroy('k'),
    ]) {
      expect(thrownBy(run)).toMatchObject({
        code: 'ERR_STORE',
        message: expect.stringContaining('other columns'),
      })
    }
    await expect(store.sweep()).rejects.toMatchObject({ code: 'ERR_STORE' })
    await expect(store.migrate()).rejects.toMatchObject({ code: 'ERR_STORE' })
  })

  it('keeps its changes apart from those of a transaction around it', () => {
    const db = opened(driver)
    const store = new SqliteStore({ db })
    store.create('k', entry)
    db.exec('BEGIN')
    expect(store.replace('k', next, entry)).toBe('replaced')
    expect(store.create('k', next)).toBe(false)
    db.exec('COMMIT')
    expect(store.load('k')).toEqual(next)
  })

  it('undoes what it has begun, and leaves no transaction open', () => {
    const db = opened(driver)
    const store = new SqliteStore({ db })
    store.create('k', { ...entry, user: 'ada' })
    db.exec(`CREATE TRIGGER no AFTER INSERT ON sessions_by_user
      BEGIN SELECT RAISE(ABORT, 'not this one'); END`)
    expect(() => store.create('other', { ...entry, user: 'bob' })).toThrow('SQLITE_CONSTRAINT')
    expect(store.load('other')).toBeUndefined()
    db.exec('BEGIN; COMMIT')
    expect(store.replace('k', next, entry)).toBe('replaced')
  })

  it('a full disk is a coded error, and keeps what is there', () => {
    const db = opened(driver)
    const store = new SqliteStore({ db })
    store.create('k', { ...entry, user: 'ada' })
    db.exec('PRAGMA max_page_count = 1')
    const large = { ...next, text: JSON.stringify({ secret: 'MARK'.repeat(10_000) }) }
    for (const run of [
      () => store.create('other', large),
      () => store.replace('k', large, entry),
    ]) {
      const error = thrownBy(run)
      expect(error).toMatchObject({ code: 'ERR_STORE', retryable: true, outcome: 'failed' })
      expect(error).toMatchObject({ message: expect.stringContaining('full') })
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('MARK')
    }
    expect(store.load('k')).toEqual(entry)
    expect(store.load('other')).toBeUndefined()
    db.exec('PRAGMA max_page_count = 100000')
    expect(store.replace('k', large, entry)).toBe('replaced')
  })

  it('a full disk is an error page, and not a page with a lost change', async () => {
    const db = opened(driver)
    const { origin } = await serveApp(
      (app, sessions) => {
        app.get('/fill', (req, res) => {
          sessions.of(req).session.pad = 'x'.repeat(40_000)
          res.send('filled')
        })
        app.get('/', (req, res) => {
          const { session } = sessions.of(req)
          session.n = Number(session.n ?? 0) + 1
          res.json(session.n)
        })
      },
      { store: new SqliteStore({ db }) },
    )
    const ada = new CookieClient(origin)
    await ada.get('/')
    db.exec('PRAGMA max_page_count = 1')
    for (const browser of [ada, new CookieClient(origin)]) {
      const refused = await browser.get('/fill')
      expect(refused.status).toBe(500)
      expect(refused.setCookies).toEqual([])
      expect(refused.text).not.toContain('filled')
    }
    db.exec('PRAGMA max_page_count = 100000')
    expect((await ada.get('/fill')).status).toBe(200)
    expect((await ada.get('/')).json()).toBe(2)
  })

  it('a file that is read-only is read', () => {
    const db = opened(driver)
    const store = new SqliteStore({ db })
    store.create('k', entry)
    db.exec('PRAGMA query_only = 1')
    expect(store.load('k')).toEqual(entry)
    const error = thrownBy(() => store.create('other', entry))
    expect(error).toMatchObject({
      code: 'ERR_STORE',
      message: expect.stringContaining('read-only'),
    })
    db.exec('PRAGMA query_only = 0')
    expect(store.create('other', entry)).toBe(true)
  })

  it('a database that the program has closed is a coded error, and ends no process', () => {
    const db = opened(driver)
    const store = new SqliteStore({ db })
    const load = () => store.load('k')
    const touch = () => store.touch('k', entry.expiresAt)
    store.create('k', entry)
    load()
    touch()
    db.close()
    // What has been prepared before goes on with libsql; the rest would end the process.
    const create = () => store.create('other', entry)
    for (const run of [load, touch, create, () => store.replace('k', next, entry), load]) {
      expect(thrownBy(run)).toMatchObject({
        code: 'ERR_STORE',
        message: expect.stringContaining('the program has closed the database'),
        outcome: 'failed',
      })
    }
  })

  it('a file that is no database is a coded error', () => {
    const filename = aFile()
    writeFileSync(filename, 'This is no database, and longer than the header of one. '.repeat(50))
    const store = new SqliteStore({ db: unprepared(filename) })
    expect(thrownBy(() => store.load('k'))).toMatchObject({
      code: 'ERR_STORE',
      message: expect.stringContaining('no database'),
    })

    function unprepared(name: string): Database {
      const db = driver.open(name)
      onTestFinished(() => db.close())
      return db
    }
  })

  it('gives what is no moment as a miss, and tells of it', async () => {
    const db = opened(driver)
    const store = new SqliteStore({ db })
    const reports: StoreReport[] = []
    store.onReport((report) => reports.push(report))
    store.create('k', entry)
    store.create('sound', entry)
    db.exec("UPDATE sessions SET expire = 'soon' WHERE sid = 'k'")
    expect(store.load('k')).toBeUndefined()
    const keys: string[] = []
    for await (const { key } of store.entries()) keys.push(key)
    expect(keys).toEqual(['sound'])
    expect(reports).toEqual([
      { type: 'unreadable', key: 'k' },
      { type: 'unreadable', key: 'k' },
    ])
  })

  it('writes moments that have an order as texts', () => {
    const db = opened(driver)
    const store = new SqliteStore({ db })
    const ends = () =>
      (db.prepare('SELECT expire FROM sessions').get() as { expire: string }).expire
    store.create('k', { ...entry, expiresAt: Number.POSITIVE_INFINITY })
    expect(ends()).toBe('9999-12-31T23:59:59.999Z')
    store.touch('k', Date.UTC(2099, 0, 1) + 0.2)
    expect(ends()).toBe('2099-01-01T00:00:00.001Z')
    expect(store.load('k')?.expiresAt).toBe(Date.UTC(2099, 0, 1) + 1)
    store.touch('k', -1e15)
    expect(ends()).toBe('1970-01-01T00:00:00.000Z')
    expect(store.load('k')).toBeUndefined()
    expect(store.create('k', { ...entry, expiresAt: Number.NaN })).toBe(true)
    expect(ends()).toBe('1970-01-01T00:00:00.000Z')
  })

  it('sweeps in steps of 500 at most, and lets others in between them', async () => {
    const filename = aFile()
    const [db, db2] = [opened(driver, filename), opened(driver, filename)]
    const clock = Object.assign(new FakeClock(), { pause: async () => between() })
    const store = new SqliteStore({ db, clock })
    const other = new SqliteStore({ db: db2, clock })
    let between = () => {}
    db.exec('PRAGMA busy_timeout = 1; PRAGMA synchronous = OFF')
    const dead = { text: '{}', expiresAt: clock.now() - 1 }
    store.create('live', { ...entry, text: '0' })
    db.exec('BEGIN')
    for (let n = 0; n < 1234; n++) store.create(`k${n}`, n < 9 ? { ...dead, user: 'ada' } : dead)
    db.exec('COMMIT')
    const left: number[] = []
    const count = db2.prepare("SELECT count(*) AS n FROM sessions WHERE sid <> 'live'")
    between = () => {
      left.push((count.get() as { n: number }).n)
      const seen = other.load('live')!
      const text = String(Number(seen.text) + 1)
      expect(other.replace('live', { ...entry, text }, seen)).toBe('replaced')
    }
    const told: StoreReport[] = []
    store.onReport((report) => told.push(report))
    expect(await store.sweep({ limit: 700 })).toBe(700)
    expect(left).toEqual([734])
    expect(await store.sweep()).toBe(534)
    expect(left).toEqual([734, 34])
    expect(told).toHaveLength(1234)
    expect(told[0]).toEqual({ type: 'expired', key: expect.any(String), text: '{}' })
    expect(store.load('live')?.text).toBe('2')
    expect(db.prepare('SELECT count(*) AS n FROM sessions_by_user').get()).toMatchObject({ n: 0 })
  })

  it('without an index of users stores the sessions of nobody, and has no keysOfUser', async () => {
    const db = opened(driver)
    const store = new SqliteStore({ db, userIndex: false })
    expect(store.keysOfUser).toBeUndefined()
    const refused = thrownBy(() => store.create('k', { ...entry, user: 'ada' }))
    expect(refused).toMatchObject({ code: 'ERR_UNSUPPORTED' })
    expect(store.create('k', entry)).toBe(true)
    expect(store.replace('k', next, entry)).toBe('replaced')
    expect(await store.sweep()).toBe(0)
    expect(store.destroy('k')).toBe(true)
    expect(SqliteStore.schema({ userIndex: false })).not.toContain('by_user')
  })

  describe('beside better-sqlite3-session-store', () => {
    it('its touch, its timer and its writes disturb nothing', async () => {
      const filename = aFile()
      const db = opened(driver, filename)
      const old = oldStore(opened(driver, filename))
      const store = new SqliteStore({ db })
      const text = '{"cookie":{},"n":1}'
      const expiresAt = Date.now() + HOUR
      for (const key of ['a', 'b']) store.create(key, { text, expiresAt, user: 'ada' })
      store.create('over', { text, expiresAt: Date.now() - 5000, user: 'ada' })
      const seen = store.load('a')!
      await old.touch('a', { cookie: {} })
      expect(store.load('a')!.expiresAt).toBeGreaterThan(expiresAt + 2 * HOUR)
      old.clearExpiredSessions()
      expect(store.replace('a', { text: '{"n":2}', expiresAt, user: 'ada' }, seen)).toBe('replaced')
      await old.destroy('b')
      expect(store.load('b')).toBeUndefined()
      expect(store.touch('b', expiresAt)).toBe(false)
      expect(await store.keysOfUser('ada')).toEqual(['a'])
      await old.set('a', { cookie: {}, n: 3 })
      expect(store.load('a')?.text).toBe('{"cookie":{},"n":3}')
      await old.clear()
      expect(store.load('a')).toBeUndefined()
    })

    it('reads and writes the table that the store has made, and no column is new', async () => {
      const db = opened(driver)
      const store = new SqliteStore({ db })
      await store.migrate()
      const old = oldStore(db)
      await old.set('theirs', { cookie: { maxAge: HOUR }, a: 1 })
      expect(store.load('theirs')?.text).toBe(`{"cookie":{"maxAge":${HOUR}},"a":1}`)
      store.create('ours', { text: '{"cookie":{}}', expiresAt: Date.now() + HOUR })
      expect(await old.get('ours')).toEqual({ cookie: {} })
      const columns = db.prepare('SELECT name FROM pragma_table_info(?)').all('sessions')
      expect(columns.map((row) => (row as { name: string }).name)).toEqual([
        'sid',
        'sess',
        'expire',
      ])
    })

    it.each(['007', '1.0', ' 5e3', '-1', '.5', '+1'])(
      'its column takes the text %o as it is',
      (text) => {
        const db = opened(driver)
        oldStore(db)
        const store = new SqliteStore({ db })
        store.create('k', { ...entry, text })
        const seen = store.load('k')!
        expect(seen.text).toBe(text)
        expect(store.replace('k', { ...next, text: '+1' }, seen)).toBe('replaced')
        expect(store.replace('k', next, { ...seen, text: '1' })).toBe('changed')
        expect(store.replace('k', next, { ...seen, text: '+1' })).toBe('replaced')
      },
    )

    it('the sweep clears the index of what it has removed, and of nothing else', async () => {
      const db = opened(driver)
      const store = new SqliteStore({ db })
      const keys = Array.from({ length: 1200 }, (_, n) => `k${n}`)
      store.create('k', entry)
      db.exec('BEGIN')
      for (const key of keys) store.create(key, { ...entry, user: 'ada' })
      db.exec(`DELETE FROM sessions WHERE sid <> 'k7'`)
      db.exec('COMMIT')
      // The first one begins somewhere, the second at the beginning.
      for (let round = 0; round < 2; round++) await store.sweep()
      const left = db.prepare('SELECT sid FROM sessions_by_user').all()
      expect(left.map((row) => (row as { sid: string }).sid)).toEqual(['k7'])
      expect(await store.keysOfUser('ada')).toEqual(['k7'])
    })
  })

  describe('with a table of connect-session-knex behind it', () => {
    const text = '{"cookie":{},"n":1}'

    function setUp() {
      const clock = new FakeClock()
      const db = opened(driver)
      db.exec('CREATE TABLE old (sid varchar(255) PRIMARY KEY, sess json, expired datetime)')
      const insert = db.prepare('INSERT INTO old VALUES (?, ?, ?)')
      for (const [key, ms] of [
        ['a', HOUR],
        ['b', HOUR],
        ['over', -1],
      ] as const) {
        insert.run(key, text, new Date(clock.now() + ms).toISOString())
      }
      const store = new SqliteStore({ db, clock, fallback: { format: 'knex', table: 'old' } })
      const rows = () => db.prepare('SELECT sid, sess, expired FROM old ORDER BY sid').all()
      const theirs = () => JSON.stringify(rows(), ['sid', 'sess', 'expired'])
      return { store, clock, theirs, before: theirs() }
    }

    it('says that the old table is not made where it is missing', () => {
      const store = new SqliteStore({
        db: opened(driver),
        fallback: { format: 'knex', table: 'o' },
      })
      expect(() => store.load('k')).toThrow('That of option fallback is not made so')
    })

    it('finds and copies a live session, and writes nothing there', async () => {
      const { store, clock, theirs, before } = setUp()
      expect(store.load('a')).toEqual({ text, expiresAt: clock.now() + HOUR })
      expect(store.load('over')).toBeUndefined()
      expect(store.load('unknown')).toBeUndefined()
      const changed = { text: '{"n":2}', expiresAt: clock.now() + HOUR }
      expect(store.replace('a', changed, { text, expiresAt: 0 })).toBe('replaced')
      expect(store.load('a')?.text).toBe('{"n":2}')
      expect(theirs()).toEqual(before)
    })

    it('a session that has ended here stays so, copied before or not, after a sweep too', async () => {
      const { store } = setUp()
      store.load('a')
      for (const key of ['a', 'b']) {
        expect(store.destroy(key)).toBe(true)
        expect(store.destroy(key)).toBe(false)
        expect(store.load(key)).toBeUndefined()
        expect(store.touch(key, entry.expiresAt)).toBe(false)
      }
      expect(await store.sweep()).toBe(0)
      expect(store.load('a')).toBeUndefined()
      expect(store.load('b')).toBeUndefined()
    })

    it('a session that has expired here stays so, until it has expired there', async () => {
      const { store, clock } = setUp()
      store.load('a')
      store.touch('a', clock.now() + 60_000)
      await clock.advance(60_000)
      expect(store.load('a')).toBeUndefined()
      expect(await store.sweep()).toBe(0)
      expect(store.load('a')).toBeUndefined()
      await clock.advance(HOUR)
      expect(await store.sweep()).toBe(1)
      expect(store.load('a')).toBeUndefined()
    })
  })
})

describe('a file that SqliteStore opens itself', () => {
  it('is made for its owner alone, whatever the umask, and closed by close()', async () => {
    const filename = aFile()
    const umask = process.umask(0)
    const store = ended(filename)
    try {
      expect(() => statSync(filename)).toThrow('ENOENT')
      expect(store.create('k', entry)).toBe(true)
    } finally {
      process.umask(umask)
    }
    for (const end of ['', '-wal', '-shm']) {
      expect((statSync(filename + end).mode & 0o777).toString(8)).toBe('600')
    }
    await store.close()
    await store.close()
    // Whoever closes a file last puts its log into it.
    expect(() => statSync(`${filename}-wal`)).toThrow('ENOENT')
    expect(thrownBy(() => store.load('k'))).toMatchObject({ code: 'ERR_CLOSED' })
    expect(ended(filename).load('k')).toEqual(entry)
  })

  it('can be in memory', () => {
    const store = ended(':memory:')
    expect(store.create('k', { ...entry, user: 'ada' })).toBe(true)
    expect(store.load('k')).toEqual(entry)
    expect(() => statSync(':memory:')).toThrow('ENOENT')
  })

  it('is left to the caller if the caller has opened it', async () => {
    const db = opened(drivers[0]!)
    const store = new SqliteStore({ db })
    store.create('k', entry)
    await store.close()
    expect(db.prepare('SELECT 1 AS one').get()).toMatchObject({ one: 1 })
    expect(store.load('k')).toEqual(entry)
  })

  it.runIf(process.platform === 'linux')(
    'that is no database stays open for no longer than the attempt',
    () => {
      const filename = aFile()
      writeFileSync(filename, 'This is no database, and longer than the header of one. '.repeat(50))
      const store = ended(filename)
      const openFiles = () =>
        readdirSync('/proc/self/fd').filter((fd) => {
          try {
            return readlinkSync(`/proc/self/fd/${fd}`) === filename
          } catch {
            return false
          }
        })
      for (let attempt = 0; attempt < 3; attempt++) {
        expect(thrownBy(() => store.load('k'))).toMatchObject({ code: 'ERR_STORE' })
      }
      expect(openFiles()).toEqual([])
      writeFileSync(filename, '')
      expect(store.create('k', entry)).toBe(true)
      expect(openFiles()).toHaveLength(1)
    },
  )

  it('that this process may only read is read, if it has no write-ahead log', async () => {
    const filename = aFile()
    const maker = new SqliteStore({ filename, wal: false })
    maker.create('k', entry)
    await maker.close()
    chmodSync(dirname(filename), 0o755)
    chmodSync(filename, 0o444)
    // The superuser may write whatever the mode says.
    const isRoot = process.geteuid?.() === 0
    if (isRoot) process.seteuid!(65_534)
    onTestFinished(() => {
      if (isRoot) process.seteuid!(0)
    })
    const store = new SqliteStore({ filename, wal: false })
    expect(store.load('k')).toEqual(entry)
    expect(thrownBy(() => store.create('other', entry))).toMatchObject({
      code: 'ERR_STORE',
      message: expect.stringContaining('read-only'),
    })
    await store.close()
  })

  it('that cannot be opened is a coded error, each time anew', () => {
    const folder = join(aFile(), 'not-there')
    const store = ended(join(folder, 'sessions.db'))
    expect(thrownBy(() => store.load('k'))).toMatchObject({
      code: 'ERR_STORE',
      op: 'load',
      message: expect.stringContaining('Does its folder exist'),
      cause: { code: 'ENOENT' },
    })
    mkdirSync(folder, { recursive: true })
    expect(store.create('k', entry)).toBe(true)
  })

  it('needs better-sqlite3 of the program where Node has no SQLite', () => {
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never)
    const folder = dirname(aFile())
    vi.spyOn(process, 'cwd').mockReturnValue(folder)
    const [main] = process.argv.splice(1, 1, join(folder, 'main.js'))
    onTestFinished(() => {
      vi.restoreAllMocks()
      process.argv.splice(1, 1, main!)
    })
    const filename = aFile()
    const error = thrownBy(() => ended(filename).load('k'))
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED' })
    expect(error).toMatchObject({ message: expect.stringContaining('better-sqlite3') })
    const module = join(folder, 'node_modules/better-sqlite3/index.js')
    mkdirSync(dirname(module), { recursive: true })
    writeFileSync(
      module,
      "module.exports = class { exec() { throw new Error('it is this one') } close() {} }",
    )
    expect(thrownBy(() => ended(filename).load('k'))).toMatchObject({
      cause: { message: 'it is this one' },
    })
  })
})
