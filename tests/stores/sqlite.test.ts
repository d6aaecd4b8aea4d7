import { describe, it } from 'vitest'
import { SqliteStore } from '../../src/stores/sqlite.js'
import { FakeClock, testStore } from '../../src/testing/index.js'
import { startTypeScript } from '../support/typescript-process.js'
import { ahead } from '../testing/reference-store.js'
import { type Database, drivers, freshFile, openFast } from './sqlite-drivers.js'
import { oldStore } from './sqlite-old.js'
import type { SqliteJob } from './sqlite-process.js'

describe.each(drivers)('on $name', (driver) => {
  testStore({ describe, it }, 'SqliteStore', {
    async open() {
      const { filename, remove } = freshFile()
      const clock = new FakeClock(Date.now())
      const open: Database[] = []
      const opened = () => {
        const db = openFast(driver, filename)
        open.push(db)
        return db
      }
      const [db, past] = [opened(), opened()]
      // The table of the package that it replaces.
      const old = oldStore(past)
      const store = new SqliteStore({ db, clock, autoMigrate: false })
      await store.migrate()
      const start = (program: SqliteJob['program']) => {
        const job: SqliteJob = { driver: driver.name, filename, now: clock.now(), program }
        return startTypeScript(PROCESS, [JSON.stringify(job)])
      }
      return {
        store,
        clock,
        advance: (ms) => clock.advance(ms),
        another: () => new SqliteStore({ db: opened(), clock }),
        elsewhere: () => new SqliteStore({ db, table: 'sess%', clock }),
        plant(key, garbage) {
          past.prepare('UPDATE sessions SET sess = ? WHERE sid = ?').run(garbage, key)
        },
        async processes(programs) {
          const started = await Promise.all(programs.map(start))
          return Promise.all(started.map(async ({ line }) => JSON.parse(await line())))
        },
        exits: async (program) => (await start(program)).exit(),
        outage: {
          begin() {
            past.exec('ALTER TABLE sessions RENAME TO away')
            past.exec('CREATE VIEW sessions AS SELECT sid FROM away')
          },
          end() {
            past.exec('DROP VIEW sessions')
            past.exec('ALTER TABLE away RENAME TO sessions')
          },
        },
        skewed: (ms) => new SqliteStore({ db, clock: ahead(clock, ms) }),
        predecessor: {
          forms: ['plain'],
          async write(_, key, text, expiresAt) {
            const session = { cookie: {}, ...JSON.parse(text) }
            const maxAge = { value: expiresAt - Date.now(), enumerable: false }
            Object.defineProperty(session.cookie, 'maxAge', maxAge)
            await old.set(key, session)
          },
          async read(key) {
            const found = await old.get(key)
            return found === null ? undefined : JSON.stringify(found)
          },
        },
        dispose() {
          for (const db of open) db.close()
          remove()
        },
      }
    },
    lacks: {
      trips: 'there is no server to wait for',
      blackHole: 'SQLite answers at once',
    },
  })
})

const from = (path: string) => JSON.stringify(new URL(path, import.meta.url).pathname)

const PROCESS = `
  import { runJob } from ${from('./sqlite-process.ts')}
  await runJob(JSON.parse(process.argv[2]))`
