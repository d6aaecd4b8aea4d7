import { createRequire } from 'node:module'
import pg from 'pg'
import postgresJs from 'postgres'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { StoreReport } from '../../../src/core/store.js'
import { PostgresStore, type PostgresStoreOptions } from '../../../src/stores/postgres.js'
import { FakeClock } from '../../../src/testing/index.js'
import { type Pooled, pgbouncer } from '../../support/servers/pgbouncer.js'
import { postgres } from '../../support/servers/postgres.js'
import { hasServer, type RunningServer } from '../../support/servers/server.js'
import { oldStore, oldTable } from './postgres-old.js'

const HOUR = 60 * 60 * 1000
const require = createRequire(import.meta.url)

let server: RunningServer
let admin: pg.Pool
let tables = 0

const freshTable = () => `s${tables++}`
const later = () => Date.now() + HOUR

function poolWith(settings: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: server.url, ...settings })
  onTestFinished(() => pool.end())
  return pool
}

function open(options: Partial<PostgresStoreOptions> = {}): PostgresStore {
  const client = options.sql === undefined ? { pool: admin } : {}
  return new PostgresStore({ ...client, table: freshTable(), ...options })
}

describe.skipIf(!hasServer(postgres))('PostgresStore', () => {
  beforeAll(async () => {
    server = await postgres.start()
    admin = new pg.Pool({ connectionString: server.url })
    admin.on('error', () => {})
  })
  afterAll(async () => {
    await admin?.end()
    await server?.stop()
  })

  describe('what two connections do to one record', () => {
    /** A replace that waits for a transaction which has done `sql` to the record. */
    async function replacedDuring(sql: string): Promise<string> {
      const table = freshTable()
      const store = open({ table })
      await store.create('k', { text: '{"n":1}', expiresAt: later() })
      const other = await admin.connect()
      try {
        await other.query('BEGIN')
        await other.query(sql.replace('TABLE', `"${table}"`))
        const replaced = store.replace(
          'k',
          { text: '{"n":2}', expiresAt: later() },
          { text: '{"n":1}', expiresAt: 0 },
        )
        await waiting(table)
        await other.query('COMMIT')
        return await replaced
      } finally {
        other.release()
      }
    }

    it('a replace that waited for a removal says gone', async () => {
      expect(await replacedDuring('DELETE FROM TABLE')).toBe('gone')
    })

    it('a replace that waited for an expiry says gone', async () => {
      expect(await replacedDuring('UPDATE TABLE SET expire = to_timestamp(0)')).toBe('gone')
    })

    it('a replace that waited for a write says changed', async () => {
      expect(await replacedDuring(`UPDATE TABLE SET sess = '{"n":9}'`)).toBe('changed')
    })

    it('a replace that waited for a touch replaces', async () => {
      expect(await replacedDuring(`UPDATE TABLE SET expire = expire + interval '1h'`)).toBe(
        'replaced',
      )
    })

    it('a replace that waited for a write that was undone replaces', async () => {
      const table = freshTable()
      const store = open({ table })
      await store.create('k', { text: '{"n":1}', expiresAt: later() })
      const other = await admin.connect()
      await other.query('BEGIN')
      await other.query(`DELETE FROM "${table}"`)
      const entry = { text: '{"n":2}', expiresAt: later(), user: 'ada' }
      const replaced = store.replace('k', entry, { text: '{"n":1}', expiresAt: 0 })
      await waiting(table)
      await other.query('ROLLBACK')
      other.release()
      expect(await replaced).toBe('replaced')
      expect(await store.keysOfUser('ada')).toEqual(['k'])
    })

    it('works at the levels of isolation that undo who comes second', async () => {
      for (const level of ['repeatable read', 'serializable']) {
        const options = `-c default_transaction_isolation=${level.replace(' ', '\\ ')}`
        const store = open({ pool: poolWith({ options }) })
        const expiresAt = later()
        await store.create('k', { text: '0', expiresAt })
        const add = async () => {
          for (;;) {
            const seen = (await store.load('k'))!
            const entry = { text: String(Number(seen.text) + 1), expiresAt, user: 'ada' }
            if ((await store.replace('k', entry, seen)) === 'replaced') return
          }
        }
        await Promise.all(Array.from({ length: 4 }, add))
        expect((await store.load('k'))?.text).toBe('4')
      }
    })

    /** Until some statement on the table waits for a lock. */
    async function waiting(table: string): Promise<void> {
      for (;;) {
        const { rows } = await admin.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1`,
          [`%"${table}"%`],
        )
        if (rows.length > 0) return
      }
    }
  })

  describe('beside connect-pg-simple', () => {
    const ZONES = ['UTC', 'America/St_Johns', 'Pacific/Chatham', 'Asia/Kathmandu']

    it.each(ZONES)('the same moments in the time zone %s', async (zone) => {
      const table = freshTable()
      await admin.query(await oldTable(table))
      const pool = poolWith({ options: `-c TimeZone=${zone}` })
      const [old, clock] = [oldStore(pool, table, 3600), new FakeClock(Date.now())]
      const store = open({ pool, table, clock })
      await old.set('theirs', { cookie: {}, a: 1 })
      const theirs = await store.load('theirs')
      expect(Math.abs(theirs!.expiresAt - later())).toBeLessThan(30_000)
      await store.create('ours', { text: '{"cookie":{}}', expiresAt: later() })
      expect(await old.get('ours')).toEqual({ cookie: {} })
      await clock.advance(2 * HOUR)
      expect(await store.load('theirs')).toBeUndefined()
      await store.touch('theirs', clock.now() + HOUR)
      await store.create('over', { text: '{"cookie":{}}', expiresAt: Date.now() - 2000 })
      expect(await old.get('over')).toBeUndefined()
    })

    it('a table that the store has made is one for it, in two time zones at once', async () => {
      const table = freshTable()
      const [here, there] = [poolWith(), poolWith({ options: '-c TimeZone=Pacific/Chatham' })]
      const store = open({ pool: here, table })
      await store.migrate()
      const old = oldStore(there, table, 3600)
      await old.set('theirs', { cookie: {}, a: 1 })
      expect((await store.load('theirs'))?.text).toBe('{"cookie":{},"a":1}')
      await store.create('ours', { text: '{"cookie":{}}', expiresAt: later() })
      expect(await old.get('ours')).toEqual({ cookie: {} })
    })

    it('its touch and its prune disturb nothing, and what it removes is gone', async () => {
      const table = freshTable()
      await admin.query(await oldTable(table))
      const [store, old] = [open({ table }), oldStore(admin, table, 3600)]
      const text = '{"cookie":{},"n":1}'
      for (const key of ['a', 'b']) {
        await store.create(key, { text, expiresAt: later(), user: 'ada' })
      }
      await store.create('over', { text, expiresAt: Date.now() - 5000, user: 'ada' })
      const seen = (await store.load('a'))!
      await old.touch('a', { cookie: {} })
      await old.prune()
      expect(
        await store.replace('a', { text: '{"n":2}', expiresAt: later(), user: 'ada' }, seen),
      ).toBe('replaced')
      await old.destroy('b')
      expect(await store.load('b')).toBeUndefined()
      expect(await store.keysOfUser('ada')).toEqual(['a'])
      expect(await store.touch('b', later())).toBe(false)
    })

    it('the sweep clears the index of what it has removed, and of nothing else', async () => {
      const clock = new FakeClock(Date.now())
      const table = freshTable()
      const store = open({ table, clock })
      const keys = Array.from({ length: 1200 }, (_, n) => `k${n}`)
      const expiresAt = clock.now() + 1000 * HOUR
      for (const key of keys) await store.create(key, { text: '{}', expiresAt, user: 'ada' })
      await admin.query(`DELETE FROM "${table}" WHERE sid <> 'k7'`)
      const indexed = async () =>
        Number((await admin.query(`SELECT count(*) FROM "${table}_by_user"`)).rows[0].count)
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
      ['jsonb', 'timestamptz'],
      ['jsonb', 'timestamp(0)'],
      ['text', 'timestamptz'],
      ['varchar', 'timestamp'],
      ['json', 'timestamptz(3)'],
    ]

    it.each(COLUMNS)('sess %s and expire %s', async (sess, expire) => {
      const table = freshTable()
      await admin.query(
        `CREATE TABLE "${table}" (sid varchar(255) PRIMARY KEY, sess ${sess}, expire ${expire}, extra int)`,
      )
      const sql = postgresJs(server.url)
      onTestFinished(() => sql.end())
      for (const client of [{ pool: admin }, { sql }]) {
        const store = open({ ...client, table })
        const entry = (text: string) => ({ text, expiresAt: later(), user: 'ada' })
        expect(await store.create('k', entry('{"b":[1,2],"a":"x"}'))).toBe(true)
        const found = (await store.load('k'))!
        expect(JSON.parse(found.text)).toEqual({ a: 'x', b: [1, 2] })
        expect(Math.abs(found.expiresAt - later())).toBeLessThan(30_000)
        expect(await store.replace('k', entry('{"c":1,"aa":2}'), found)).toBe('replaced')
        expect(await store.replace('k', entry('{}'), found)).toBe('changed')
        // What was written and not read since is known as it was written.
        const seen = { text: '{"c":1,"aa":2}', expiresAt: 0 }
        expect(await store.replace('k', entry('{"d":1}'), seen)).toBe('replaced')
        expect(await store.keysOfUser('ada')).toEqual(['k'])
        expect(await store.destroy('k')).toBe(true)
      }
    })

    it('U+0000 is kept by json, and a coded error of jsonb', async () => {
      const text = '{"secret-of-ada":"a\\u0000b"}'
      const store = open()
      await store.create('k', { text, expiresAt: later() })
      expect((await store.load('k'))?.text).toBe(text)
      const table = freshTable()
      await admin.query(
        `CREATE TABLE "${table}" (sid varchar PRIMARY KEY, sess jsonb, expire timestamp(6))`,
      )
      const refused = open({ table }).create('k', { text, expiresAt: later() })
      const error = await refused.catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'ERR_NOT_SERIALIZABLE', outcome: 'failed' })
      expect(require('node:util').inspect(error, { depth: 9 })).not.toContain('secret-of-ada')
    })
  })

  describe('poolers', () => {
    it('a new connection for each statement is enough', async () => {
      const pool = poolWith({ maxUses: 1 })
      const store = open({ pool })
      await store.migrate()
      const entry = { text: '{}', expiresAt: later(), user: 'ada' }
      expect(await store.create('k', entry)).toBe(true)
      expect(await store.replace('k', entry, { text: '{}', expiresAt: 0 })).toBe('replaced')
      expect(await store.keysOfUser('ada')).toEqual(['k'])
      expect(await store.destroy('k')).toBe(true)
    })

    it('a connection prepares a statement once, and the next time sends its name', async () => {
      const pool = poolWith({ max: 1 })
      const store = open({ pool })
      await store.create('k', { text: '{}', expiresAt: later() })
      for (let load = 0; load < 3; load++) expect((await store.load('k'))?.text).toBe('{}')
      const { rows } = await pool.query(
        `SELECT (generic_plans + custom_plans)::int AS "used" FROM pg_prepared_statements
        WHERE statement ~ '^SELECT t."sess"'`,
      )
      expect(rows).toEqual([{ used: 3 }])
    })

    it('a table whose columns have become others is no reason to fail', async () => {
      const pool = poolWith({ max: 1 })
      const store = open({ pool, table: 'altered' })
      const entry = { text: '{}', expiresAt: later() }
      await store.create('k', entry)
      expect(await store.touch('k', entry.expiresAt)).toBe(true)
      await pool.query('ALTER TABLE altered ALTER sid TYPE text')
      expect(await store.touch('k', entry.expiresAt)).toBe(true)
    })

    it('nothing of it stays on a connection with `prepare: false`', async () => {
      const pool = poolWith({ max: 1 })
      const state = async () => {
        const [{ rows: statements }, { rows: locks }, { rows: settings }] = [
          await pool.query('SELECT name FROM pg_prepared_statements'),
          await pool.query(`SELECT locktype FROM pg_locks WHERE locktype = 'advisory'`),
          // Those of a language show once it was used.
          await pool.query(
            `SELECT name, setting FROM pg_settings WHERE name NOT LIKE 'plpgsql.%' ORDER BY name`,
          ),
        ]
        return { statements, locks, settings }
      }
      const before = await state()
      const store = open({ pool, prepare: false })
      await store.migrate()
      await store.create('k', { text: '{}', expiresAt: later(), user: 'ada' })
      await store.sweep()
      expect(await state()).toEqual(before)
    })

    it.each([
      ['said to postgres()', { prepare: false }, {}],
      ['said to the store', {}, { prepare: false }],
    ])('postgres prepares nothing with `prepare: false` %s', async (_, settings, options) => {
      const sql = postgresJs(server.url, { ...settings, max: 1 })
      onTestFinished(() => sql.end())
      const store = open({ sql, ...options })
      const entry = { text: '{"a":"x"}', expiresAt: later(), user: 'ada' }
      expect(await store.create('k', entry)).toBe(true)
      expect((await store.load('k'))?.text).toBe('{"a":"x"}')
      const ours = await sql.unsafe(
        `SELECT FROM pg_prepared_statements WHERE statement LIKE '%"sess"%'`,
      )
      expect(ours).toHaveLength(0)
    })

    it('a Client gets one statement after the other', async () => {
      const client = new pg.Client(server.url)
      await client.connect()
      onTestFinished(() => client.end())
      const warned: Error[] = []
      const listener = (warning: Error) => warned.push(warning)
      process.on('warning', listener)
      onTestFinished(() => void process.off('warning', listener))
      const store = open({ pool: client })
      const entry = { text: '{}', expiresAt: later() }
      await Promise.all(Array.from({ length: 20 }, (_, n) => store.create(`k${n}`, entry)))
      await expect(store.create('k', { ...entry, text: 'no JSON' })).rejects.toThrow()
      expect(await store.create('k', entry)).toBe(true)
      await new Promise((resolve) => setImmediate(resolve))
      expect(warned).toEqual([])
    })
  })

  describe.skipIf(!hasServer(pgbouncer))('PgBouncer in transaction mode', () => {
    let pooler: Pooled
    beforeAll(async () => {
      pooler = await pgbouncer.start()
    })
    afterAll(() => pooler?.stop())

    /** One connection to the pooler. */
    function client(): pg.Pool {
      const pool = new pg.Pool({ connectionString: pooler.url, max: 1 })
      onTestFinished(() => pool.end())
      return pool
    }

    it('a statement that the next connection does not have is sent whole', async () => {
      const table = freshTable()
      const [store, other] = [open({ pool: client(), table }), client()]
      await store.create('k', { text: '{}', expiresAt: later() })
      expect((await store.load('k'))?.text).toBe('{}')
      const holding = await other.connect()
      try {
        await holding.query('BEGIN')
        const { rows } = await holding.query(
          `SELECT FROM pg_prepared_statements WHERE name LIKE 'coatcheck%'`,
        )
        expect(rows.length, 'It holds the connection that has them.').toBeGreaterThan(0)
        expect((await store.load('k'))?.text).toBe('{}')
      } finally {
        holding.release(true)
      }
      expect(await store.destroy('k')).toBe(true)
    })

    it('a name that the connection has from another process is no obstacle', async () => {
      const table = freshTable()
      const [one, other] = [open({ pool: client(), table }), open({ pool: client(), table })]
      await one.create('k', { text: '{}', expiresAt: later() })
      expect(await other.create('k', { text: '{}', expiresAt: later() })).toBe(false)
      expect(await other.destroy('k')).toBe(true)
    })
  })

  describe('migrations', () => {
    const catalogue = async (table: string) =>
      (
        await admin.query(
          `SELECT relname, relkind, relpages * 0 AS pages FROM pg_class
           WHERE relname LIKE $1 AND relkind IN ('r', 'i') ORDER BY relname`,
          [`${table}%`],
        )
      ).rows

    it('ten at once make one table, and again nothing', async () => {
      const table = freshTable()
      const stores = Array.from({ length: 10 }, () => open({ pool: poolWith({ max: 1 }), table }))
      await Promise.all(stores.map((store) => store.migrate()))
      const made = await catalogue(table)
      expect(made.map(({ relname }) => relname)).toEqual([
        table,
        `${table}_by_user`,
        `${table}_by_user_owner_idx`,
        `${table}_by_user_pkey`,
        `${table}_expire_idx`,
        `${table}_pkey`,
      ])
      await stores[0]!.migrate()
      await admin.query(PostgresStore.schema({ table }))
      expect(await catalogue(table)).toEqual(made)
    })

    it('a migration waits for the one before it, of whatever table', async () => {
      const other = await admin.connect()
      onTestFinished(() => other.release())
      await other.query('BEGIN')
      await other.query(`SELECT pg_advisory_xact_lock(hashtext('coatcheck'), hashtext('migrate'))`)
      const migrated = open({ pool: poolWith() }).migrate()
      let isOver = false
      const over = () => {
        isOver = true
      }
      migrated.then(over, over)
      let isWaiting = false
      while (!isWaiting && !isOver) {
        const { rows } = await admin.query(
          `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`,
        )
        isWaiting = rows.length > 0
      }
      const wasOver = isOver
      await other.query('COMMIT')
      await migrated
      expect(wasOver).toBe(false)
    })

    it('the printed SQL makes the same', async () => {
      const [one, other] = [freshTable(), freshTable()]
      await open({ table: one }).migrate()
      await admin.query(PostgresStore.schema({ table: other }))
      const plain = (rows: object[], table: string) =>
        JSON.stringify(rows).replaceAll(table, 'TABLE')
      expect(plain(await catalogue(other), other)).toBe(plain(await catalogue(one), one))
    })

    it('two tables in one schema have indexes of their own, whatever their names', async () => {
      const long = 'x'.repeat(62)
      for (const table of [`${long}1`, `${long}2`, 'a"; DROP TABLE users; --', "o'b\\r%", 'Ü.b']) {
        const store = open({ table })
        await store.migrate()
        expect(await store.create('k', { text: '{}', expiresAt: later(), user: 'u' })).toBe(true)
        expect(await store.keysOfUser('u')).toEqual(['k'])
        await store.migrate()
        const { rows } = await admin.query(
          'SELECT count(*)::int AS n FROM pg_indexes WHERE tablename = $1',
          [table],
        )
        expect(rows[0].n, table).toBe(2)
      }
    })

    it('a table that is there is left alone but for an index that is missing', async () => {
      const table = freshTable()
      await admin.query(await oldTable(table))
      const store = open({ table })
      await store.migrate()
      const indexes = async () =>
        (await admin.query('SELECT indexname FROM pg_indexes WHERE tablename = $1', [table])).rows
          .length
      expect(await indexes()).toBe(2)
      await admin.query(`DROP INDEX "IDX_${table}_expire"`)
      await admin.query(`DROP TABLE "${table}_by_user"`)
      // What is made by itself, while requests wait, is no index on a large table.
      await store.create('k', { text: '{}', expiresAt: later() })
      expect(await indexes()).toBe(1)
      await store.migrate()
      expect(await indexes()).toBe(2)
    })

    it('in a schema', async () => {
      await admin.query('CREATE SCHEMA "my ""shop"')
      const store = open({ schema: 'my "shop', table: 'session' })
      expect(await store.create('k', { text: '{}', expiresAt: later(), user: 'u' })).toBe(true)
      expect(await store.keysOfUser('u')).toEqual(['k'])
    })

    it('a role without rights is told what to do, and works once that was done', async () => {
      const table = freshTable()
      await admin.query(await oldTable(table))
      await admin.query(`CREATE ROLE "${table}_app" LOGIN`)
      await admin.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON "${table}" TO "${table}_app"`)
      const pool = poolWith({
        user: `${table}_app`,
        connectionString: undefined,
        host: server.host,
        port: server.port,
        database: 'postgres',
      })
      const store = open({ pool, table })
      const entry = { text: '{}', expiresAt: later() }
      await expect(store.create('k', entry)).rejects.toMatchObject({
        code: 'ERR_STORE',
        message: expect.stringContaining('schema()'),
        cause: { code: '42501' },
      })
      const plain = open({ pool, table, userIndex: false })
      expect(await plain.create('k', entry)).toBe(true)
      await admin.query(PostgresStore.schema({ table }))
      await admin.query(`GRANT ALL ON "${table}_by_user" TO "${table}_app"`)
      expect(await store.create('l', { ...entry, user: 'ada' })).toBe(true)
      await store.migrate()
    })

    it('with autoMigrate false a missing table is an error that says so, each time', async () => {
      const table = freshTable()
      const store = open({ table, autoMigrate: false })
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
      await store.create('k', { text: '{}', expiresAt: later() })
      await admin.query(`DROP TABLE "${table}"`)
      const found = await Promise.all(Array.from({ length: 20 }, () => store.load('k')))
      expect(found).toEqual(Array(20).fill(undefined))
      expect(await store.create('k', { text: '{}', expiresAt: later() })).toBe(true)
    })

    it('a server that only reads still gives sessions, and says so to who writes', async () => {
      const table = freshTable()
      await open({ table }).create('k', { text: '{}', expiresAt: later() })
      const store = open({
        table,
        pool: poolWith({ options: '-c default_transaction_read_only=on' }),
      })
      expect((await store.load('k'))?.text).toBe('{}')
      const refused = [
        () => store.touch('k', later()),
        () => store.destroy('k'),
        () => store.replace('k', { text: '{}', expiresAt: later() }, { text: '{}', expiresAt: 0 }),
        () => store.create('l', { text: '{}', expiresAt: later() }),
        () => store.sweep(),
      ]
      for (const run of refused) {
        await expect(run()).rejects.toMatchObject({
          code: 'ERR_STORE',
          retryable: true,
          message: expect.stringContaining('only reads'),
        })
      }
    })

    it('a full disk is a coded error, and nothing has changed', async () => {
      const table = freshTable()
      const store = open({ table })
      await store.create('k', { text: '{"n":1}', expiresAt: later() })
      // What the server says when a file cannot grow.
      await admin.query(`CREATE FUNCTION "${table}_full"() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$`)
      await admin.query(
        `CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON "${table}" EXECUTE FUNCTION "${table}_full"()`,
      )
      const entry = { text: '{"n":2}', expiresAt: later(), user: 'ada' }
      await expect(store.create('l', entry)).rejects.toMatchObject({
        code: 'ERR_STORE',
        outcome: 'failed',
        message: expect.stringContaining('full'),
      })
      const seen = (await store.load('k'))!
      await expect(store.replace('k', entry, seen)).rejects.toMatchObject({ code: 'ERR_STORE' })
      expect((await store.load('k'))?.text).toBe('{"n":1}')
      expect(await store.keysOfUser('ada')).toEqual([])
      await admin.query(`DROP TRIGGER full_disk ON "${table}"`)
      expect(await store.replace('k', entry, seen)).toBe('replaced')
    })

    it('a restart of the server ends no process, though nobody listens to its pool', async () => {
      const pool = poolWith()
      const table = freshTable()
      const store = open({ pool, table })
      const reports: StoreReport[] = []
      store.onReport((report) => reports.push(report))
      await store.create('k', { text: '{}', expiresAt: later() })
      await server.kill()
      await expect(store.load('k')).rejects.toMatchObject({ code: 'ERR_STORE', retryable: true })
      await server.start()
      expect((await store.load('k'))?.text).toBe('{}')
      expect(reports).toMatchObject([
        { type: 'error', op: 'connect', error: { code: 'ERR_STORE' } },
      ])
    })
  })
})
