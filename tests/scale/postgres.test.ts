import type { Express } from 'express'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { SessionManager } from '../../src/index.js'
import { PostgresStore } from '../../src/stores/postgres.js'
import { FakeClock } from '../../src/testing/index.js'
import { oldTable } from '../servers/stores/postgres-old.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { postgres } from '../support/servers/postgres.js'
import { hasServer, type RunningServer } from '../support/servers/server.js'

const HOUR = 60 * 60 * 1000
const ROWS = 1_000_000

/** How the server goes through a table or an index, anywhere in a plan. */
interface Plan {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Cond'?: string
  readonly Plans?: readonly Plan[]
}

const scans = (plan: Plan): string[] => {
  const { 'Node Type': type, 'Relation Name': relation, Plans = [] } = plan
  // An index can be read from end to end, too.
  const isWhole = type.startsWith('Index') && plan['Index Cond'] === undefined
  const own = type.endsWith('Scan') && relation ? [isWhole ? `${type} of all` : type] : []
  return [...own, ...Plans.flatMap(scans)]
}

describe.skipIf(!hasServer(postgres)).each(['its own', 'that of connect-pg-simple'])(
  'a million records of PostgresStore in a table, %s',
  (whose) => {
    let server: RunningServer
    let pool: pg.Pool
    beforeAll(async () => {
      server = await postgres.start()
      pool = new pg.Pool({ connectionString: server.url })
      if (whose !== 'its own') await pool.query(await oldTable('session'))
      await new PostgresStore({ pool }).migrate()
      await pool.query(`INSERT INTO session (sid, sess, expire)
        SELECT md5(n::text), '{"cookie":{}}', now() + (n - 1000) * interval '1 minute'
        FROM generate_series(1, ${ROWS}) n`)
      await pool.query(`INSERT INTO session_by_user
        SELECT sid, 'user' || (row_number() OVER ()) % 300000, now() FROM session`)
      await pool.query(`CREATE TABLE sessions (sid varchar(255) PRIMARY KEY, sess json,
        expired timestamptz)`)
      await pool.query(`INSERT INTO sessions SELECT 'old' || sid, sess, expire FROM session`)
      await pool.query('CREATE INDEX ON sessions (expired)')
      await pool.query('VACUUM ANALYZE')
    })
    afterAll(async () => {
      await pool?.end()
      await server?.stop()
    })

    it.each(['without', 'with'])(
      'are found by an index in every statement, %s a fallback',
      async (how) => {
        const plans: [string, string[]][] = []
        const explaining = {
          async query(text: string, values?: unknown[]) {
            const client = await pool.connect()
            try {
              await client.query('BEGIN')
              const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${text}`, values)
              plans.push([text, scans(rows[0]['QUERY PLAN'][0].Plan)])
              // What a prepared statement may come to, with a plan for values that nobody knows.
              await client.query('SET LOCAL plan_cache_mode = force_generic_plan')
              await client.query(`PREPARE one AS ${text}`)
              const literals = values?.map((value) => client.escapeLiteral(String(value)))
              const generic = await client.query(`EXPLAIN (FORMAT JSON) EXECUTE one(${literals})`)
              await client.query('DEALLOCATE one')
              plans.push([`generic: ${text}`, scans(generic.rows[0]['QUERY PLAN'][0].Plan)])
              return await client.query(text, values)
            } finally {
              await client.query('ROLLBACK')
              client.release()
            }
          },
        }
        const fallback = how === 'with' ? { fallback: { format: 'knex' } as const } : {}
        const store = new PostgresStore({ pool: explaining, ...fallback })
        const key = (await pool.query('SELECT sid FROM session ORDER BY expire DESC LIMIT 1'))
          .rows[0].sid
        const seen = (await store.load(key))!
        const entry = { text: '{}', expiresAt: Date.now() + HOUR }
        const owned = { ...entry, user: 'user7' }
        expect(await store.create('new', entry)).toBe(true)
        expect(await store.create('new', owned)).toBe(true)
        expect(await store.replace(key, entry, seen)).toBe('replaced')
        expect(await store.replace(key, owned, seen)).toBe('replaced')
        expect(await store.touch(key, entry.expiresAt)).toBe(true)
        expect(await store.destroy(key)).toBe(true)
        expect((await store.keysOfUser('user7')).length).toBeGreaterThan(2)
        expect(await store.sweep({ limit: 500 })).toBe(500)
        if (how === 'with') await store.load(`old${key}`)
        let listed = 0
        for await (const _ of store.entries()) if (++listed === 150) break
        expect(plans.length).toBeGreaterThanOrEqual(how === 'with' ? 26 : 22)
        for (const [text, found] of plans) {
          expect(
            found.filter((node) => node === 'Seq Scan' || node.endsWith('of all')),
            text,
          ).toEqual([])
        }
        // What was explained is not nothing.
        expect(plans.flatMap(([, found]) => found)).toContain('Index Scan')
      },
    )

    it('a table without its index is seen to be read from end to end', async () => {
      const text = 'SELECT FROM session WHERE sess::text = $1'
      const { rows } = await pool.query(`EXPLAIN (FORMAT JSON) ${text}`, ['x'])
      expect(scans(rows[0]['QUERY PLAN'][0].Plan)).toContain('Seq Scan')
    })
  },
)

it.skipIf(!hasServer(postgres))(
  'the sweep removes 100,000 in transactions of 500 at most, and requests come in between',
  async () => {
    const server = await postgres.start()
    onTestFinished(() => server.stop())
    const pool = new pg.Pool({ connectionString: server.url })
    onTestFinished(() => pool.end())
    const store = new PostgresStore({ pool })
    await store.migrate()
    await pool.query(`INSERT INTO session SELECT 'k' || n, '{}', to_timestamp(n)
      FROM generate_series(1, 100000) n`)
    await pool.query(`INSERT INTO session_by_user SELECT sid, 'u', expire FROM session`)
    // The server itself notes what each transaction has removed.
    await pool.query(`CREATE TABLE removed (transaction bigint, rows int);
      CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO removed SELECT txid_current(), count(*) FROM gone; RETURN NULL;
      END $$;
      CREATE TRIGGER note AFTER DELETE ON session REFERENCING OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION note()`)
    const routes = (app: Express, sessions: SessionManager<AnyData>) => {
      app.get('/views', (req, res) => {
        const { session } = sessions.of(req)
        session.views = Number(session.views ?? 0) + 1
        res.json(session.views)
      })
    }
    // Its own sweeps are not due while this clock stands still.
    const { browser } = await serveApp(routes, { store, clock: new FakeClock(Date.now()) })
    const ada = browser()
    let views = 0
    const visit = async () => expect((await ada.get('/views')).json()).toBe(++views)
    await visit()

    let sweeping = true
    const swept = store.sweep().finally(() => {
      sweeping = false
    })
    // How far the sweep was, each time that a changed session had been answered.
    const progress = new Set<number>()
    while (sweeping) {
      await visit()
      progress.add((await pool.query('SELECT count(*)::int AS n FROM removed')).rows[0].n)
    }
    expect(await swept).toBe(100_000)
    expect(progress.size).toBeGreaterThan(10)
    const { rows } = await pool.query(
      'SELECT sum(rows)::int AS n FROM removed GROUP BY transaction HAVING sum(rows) > 0',
    )
    expect(Math.max(...rows.map(({ n }) => n))).toBe(500)
    expect(rows.reduce((sum, { n }) => sum + n, 0)).toBe(100_000)
    const owned = await pool.query('SELECT count(*)::int AS n FROM session_by_user')
    expect(owned.rows[0].n).toBe(0)
  },
)
