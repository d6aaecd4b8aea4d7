import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { type SqliteLike, SqliteStore } from '../../src/stores/sqlite.js'
import { type Database, driverOf, freshFile, openFast } from '../stores/sqlite-drivers.js'
import { oldStore } from '../stores/sqlite-old.js'
import { root } from '../support/docs.js'
import { installed } from './installed.js'

const HOUR = 60 * 60 * 1000
const ROWS = 1_000_000
const EXPIRED = 100_000

describe('a million records of SqliteStore in the table of better-sqlite3-session-store', () => {
  const { filename, remove } = freshFile()
  let db: Database
  beforeAll(async () => {
    db = openFast(driverOf('better-sqlite3'), filename)
    oldStore(db)
    await new SqliteStore({ db, wal: false }).migrate()
    // Nobody else is there yet, and nothing to lose.
    db.exec('PRAGMA cache_size = -200000')
    db.prepare('PRAGMA journal_mode = OFF').all()
    // 100,000 that have expired, in no order of their keys.
    const numbers = `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT ${ROWS})`
    const key = "printf('%08x%08x', n * 2654435761 % 4294967296, n)"
    const end = `strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ((n - ${EXPIRED}) * 10) || ' seconds', '-1 minute')`
    db.exec(`BEGIN;
        INSERT INTO sessions ${numbers} SELECT ${key}, '{"cookie":{}}', ${end} FROM n;
        INSERT INTO sessions_by_user SELECT sid, 'user' || (rowid % 300000) FROM sessions;
        CREATE TABLE old (sid varchar(255) PRIMARY KEY, sess json, expired datetime);
        CREATE INDEX old_expired_index ON old (expired);
        INSERT INTO old SELECT 'old' || sid, sess, expire FROM sessions;
        COMMIT`)
    db.prepare('PRAGMA journal_mode = DELETE').all()
  })
  afterAll(() => {
    db?.close()
    remove()
  })

  /** What the planner says, of everything that a store prepares. */
  async function plansOf(fallback: boolean): Promise<[sql: string, plan: string[]][]> {
    const asked = new Set<string>()
    const watching: SqliteLike = {
      prepare(sql) {
        asked.add(sql)
        return db.prepare(sql)
      },
      exec: (sql) => db.exec(sql),
    }
    Object.defineProperty(watching, 'inTransaction', { value: true })
    db.exec('SAVEPOINT looking')
    const behind = fallback ? { fallback: { format: 'knex', table: 'old' } as const } : {}
    const store = new SqliteStore({ db: watching, ...behind })
    const { sid } = db.prepare('SELECT sid FROM sessions ORDER BY expire DESC').get() as {
      sid: string
    }
    const entry = { text: '{}', expiresAt: Date.now() + HOUR, user: 'user7' }
    const seen = store.load(sid)!
    expect(store.create('new', entry)).toBe(true)
    expect(store.replace(sid, entry, seen)).toBe('replaced')
    expect(store.replace(sid, entry, seen)).toBe('changed')
    expect(store.touch(sid, entry.expiresAt)).toBe(true)
    expect((await store.keysOfUser('user7')).length).toBeGreaterThan(2)
    expect(store.destroy(sid)).toBe(true)
    if (fallback) {
      expect(store.load(`old${sid}`)).toBeDefined()
      expect(store.destroy(`old${sid}`)).toBe(true)
    }
    expect(await store.sweep({ limit: 10 })).toBe(10)
    let listed = 0
    for await (const _ of store.entries()) if (++listed === 150) break
    db.exec('ROLLBACK TO looking; RELEASE looking')
    return [...asked]
      .filter((sql) => /^(?:SELECT|INSERT|UPDATE|DELETE)/.test(sql))
      .map((sql) => [sql, planOf(sql)])
  }

  function planOf(sql: string): string[] {
    const values = sql.split('?').slice(1).fill('0')
    const rows = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values)
    return rows.map((row) => (row as { detail: string }).detail)
  }

  /** Reading a table, or an index of it, from end to end; or sorting what was found. */
  const isLong = (step: string) => /^SCAN (?!p$)|TEMP B-TREE/.test(step)

  it.each([
    ['without', 'before'],
    ['with', 'before'],
    ['without', 'after'],
    ['with', 'after'],
  ])('are found by an index in every statement, %s a fallback, %s ANALYZE', async (how, when) => {
    if (when === 'after') db.exec('ANALYZE')
    const plans = await plansOf(how === 'with')
    expect(plans.length).toBeGreaterThanOrEqual(how === 'with' ? 16 : 13)
    for (const [sql, plan] of plans) expect(plan.filter(isLong), sql).toEqual([])
    // What was explained is not nothing.
    const searches = plans.filter(([, plan]) => plan.some((step) => step.startsWith('SEARCH')))
    expect(searches.length).toBeGreaterThanOrEqual(10)
    const { sweep } = Object.fromEntries(
      plans.flatMap(([sql, plan]) => (sql.includes('LIMIT ?') ? [['sweep', plan]] : [])),
    )
    expect(sweep).toContainEqual(expect.stringMatching(/sessions_expire_idx \(expire<\?\)/))
  })

  it('a statement without an index is seen to read from end to end', () => {
    expect(planOf('SELECT sid FROM sessions WHERE sess = ?').filter(isLong)).toHaveLength(1)
    const unsorted = 'SELECT sid FROM sessions WHERE expire > ? ORDER BY sess'
    expect(planOf(unsorted)).toContain('USE TEMP B-TREE FOR ORDER BY')
  })

  it('the sweep removes 100,000 by 500 at most, and lets requests in between', async () => {
    const steps: number[] = []
    const watching: SqliteLike = {
      prepare(sql) {
        const statement = db.prepare(sql)
        if (!sql.startsWith('DELETE') || !sql.includes('LIMIT')) return statement
        return {
          all(...values: (string | number)[]) {
            const rows = statement.all(...values)
            steps.push(rows.length)
            return rows
          },
        } as never
      },
      exec: (sql) => db.exec(sql),
    }
    const other = openFast(driverOf('better-sqlite3'), filename)
    // Whoever finds the file locked fails at once.
    other.exec('PRAGMA busy_timeout = 1')
    const visitors = new SqliteStore({ db: other })
    const expiresAt = Date.now() + HOUR
    visitors.create('visitor', { text: '0', expiresAt, user: 'ada' })
    let requests = 0
    const clock = {
      ...systemClock,
      async pause() {
        const seen = visitors.load('visitor')!
        const entry = { text: String(++requests), expiresAt, user: 'ada' }
        expect(visitors.replace('visitor', entry, seen)).toBe('replaced')
      },
    }
    try {
      const swept = await new SqliteStore({ db: watching, clock }).sweep()
      expect(swept).toBeGreaterThanOrEqual(EXPIRED)
      expect(swept).toBeLessThan(EXPIRED + 1000)
      expect(Math.max(...steps)).toBe(500)
      expect(requests).toBeGreaterThanOrEqual(EXPIRED / 500)
      expect(visitors.load('visitor')?.text).toBe(String(requests))
      const rest = db.prepare('SELECT count(*) AS n FROM sessions_by_user').get()
      expect(rest).toEqual({ n: ROWS - swept + 1 })
    } finally {
      other.close()
    }
  })
})

describe.each(['22', '24'])('better-sqlite3 13 on Node %s', (version) => {
  it('passes every test of SqliteStore', async () => {
    const node = join(await installed('node', version), 'bin/node')
    const folder = await installed('better-sqlite3', '13')
    expect(await passed(node, folder)).toBeGreaterThan(500)
  })
})

/** How many tests pass, if all do. */
function passed(node: string, betterSqlite3: string): Promise<number> {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', '--project', 'fast', 'tests/stores/sqlite', '--reporter=json']
  const env = { ...process.env, NODE_OPTIONS: '', VITEST: undefined, BETTER_SQLITE3: betterSqlite3 }
  const options = { cwd: root, env, maxBuffer: 1 << 28, encoding: 'utf8' } as const
  return new Promise((resolve, reject) => {
    execFile(node, [...args, '--testTimeout=60000'], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${stdout.slice(0, 5000)}\n${stderr}`))
      else resolve(JSON.parse(stdout.slice(stdout.indexOf('{'))).numPassedTests)
    })
  })
}
