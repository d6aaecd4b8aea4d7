import mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MySQLStore } from '../../src/stores/mysql.js'
import { oldTable } from '../servers/stores/mysql-old.js'
import { mariadb } from '../support/servers/mariadb.js'
import { hasServer, type RunningServer } from '../support/servers/server.js'

const HOUR = 60 * 60 * 1000
const ROWS = 1_000_000

/** How the server reads one table of a statement. */
interface Step {
  readonly table: string | null
  /** `ALL` and `index` are all of it. */
  readonly type: string | null
  readonly key: string | null
  /** How many it expects to look at. */
  readonly rows: string | number | null
}

/** The steps that read a table from end to end; the two rows that a listing begins with are none. */
const scans = (plan: readonly Step[]): string[] =>
  plan
    .filter(({ type, rows }) => (type === 'ALL' || type === 'index') && Number(rows) > 1000)
    .map(({ table, type }) => `${table} ${type}`)

// The store's own table is the same with the index that `migrate()` adds to this one.
describe.skipIf(!hasServer(mariadb))(
  'a million records of MySQLStore in the table of express-mysql-session',
  () => {
    let server: RunningServer
    let pool: mysql.Pool
    beforeAll(async () => {
      server = await mariadb.start()
      pool = mysql.createPool(server.url)
      await pool.query('SET GLOBAL innodb_buffer_pool_size = 256 * 1024 * 1024')
      await pool.query(oldTable('sessions'))
      await new MySQLStore({ pool }).migrate()
      await pool.query(`CREATE TABLE old (sid varchar(255) PRIMARY KEY, sess json,
        expired datetime, KEY (expired)) COLLATE utf8mb4_bin`)
      const now = Math.floor(Date.now() / 1000)
      for (let at = 0; at < ROWS; at += 100_000) {
        // In the order of every index, which is the fastest.
        const rows = `seq_${at + 1}_to_${at + 100_000}`
        await pool.query(
          `INSERT INTO sessions (session_id, expires, data)
           SELECT CONCAT('k', LPAD(seq, 8, '0')), ? + seq DIV 100, '{"cookie":{}}' FROM ${rows}`,
          // The first hundredth has expired.
          [now - 100],
        )
        await pool.query(
          `INSERT INTO sessions_by_user (sid, owner, since)
           SELECT CONCAT('k', LPAD(seq, 8, '0')), CONCAT('user', LPAD(seq DIV 3, 8, '0')), 0
           FROM ${rows}`,
        )
      }
      await pool.query(
        `INSERT INTO old SELECT CONCAT('old', session_id), data,
         '1970-01-01' + INTERVAL expires SECOND FROM sessions ORDER BY session_id DESC LIMIT 100000`,
      )
      await pool.query('ANALYZE TABLE sessions, sessions_by_user, old')
    })
    afterAll(async () => {
      await pool?.end()
      await server?.stop()
    })

    async function planOf(sql: string, values: unknown[]): Promise<readonly Step[]> {
      const [rows] = await pool.execute(`EXPLAIN ${sql}`, values as never)
      return rows as unknown as Step[]
    }

    it.each(['without', 'with'])(
      'are found by an index in every statement, %s a fallback',
      async (how) => {
        const plans: [string, readonly Step[]][] = []
        const explaining = {
          getConnection: () => {},
          async execute(asked: { sql: string }, values: unknown[]) {
            plans.push([asked.sql, await planOf(asked.sql, values)])
            return pool.execute(asked as never, values as never)
          },
        }
        const fallback =
          how === 'with' ? { fallback: { format: 'knex', table: 'old' } as const } : {}
        const store = new MySQLStore({ pool: explaining, ...fallback })
        const key = how === 'with' ? 'k00999998' : 'k00999997'
        const seen = (await store.load(key))!
        const entry = { text: '{}', expiresAt: Date.now() + HOUR }
        const owned = { ...entry, user: 'user00300000' }
        for (const [name, given] of [
          [`${how} nobody`, entry],
          [`${how} user`, owned],
        ] as const) {
          expect(await store.create(name, given)).toBe(true)
          expect(await store.create(name, given)).toBe(false)
          await store.touch(name, 0)
          expect(await store.create(name, given)).toBe(true)
        }
        expect(await store.replace(key, entry, seen)).toBe('replaced')
        expect(await store.replace(key, owned, { ...entry })).toBe('replaced')
        expect(await store.touch(key, entry.expiresAt)).toBe(true)
        expect((await store.keysOfUser('user00300000')).length).toBeGreaterThan(2)
        expect(await store.destroy(key)).toBe(true)
        expect(await store.destroy(key)).toBe(false)
        expect(await store.sweep({ limit: 500 })).toBe(500)
        if (how === 'with') {
          expect(await store.load(`old${key}`)).toBeDefined()
          expect(await store.destroy('oldk00999990')).toBe(true)
        }
        let listed = 0
        for await (const _ of store.entries()) if (++listed === 150) break
        expect(plans.length).toBeGreaterThan(20)
        for (const [sql, plan] of plans) expect(scans(plan), sql).toEqual([])
        // What was explained is not nothing.
        const read = plans.flatMap(([, plan]) => plan.map(({ key }) => key))
        expect(read).toContain('PRIMARY')
        expect(read).toContain('sessions_expires_idx')
        expect(read).toContain('owner_idx')
      },
    )

    it('a table without its index is seen to be read from end to end', async () => {
      const plan = await planOf('DELETE FROM sessions WHERE data = ?', ['x'])
      expect(scans(plan)).toEqual(['sessions ALL'])
    })
  },
)
