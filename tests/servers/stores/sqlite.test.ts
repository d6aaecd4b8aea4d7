import { ConnectSessionKnexStore } from 'connect-session-knex'
import knexOf from 'knex'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SqliteStore } from '../../../src/stores/sqlite.js'
import { driverOf, freshFile, openFast } from '../../stores/sqlite-drivers.js'
import { onBetterSqlite3, onLibsql } from './sqlite-kinds.js'
import { storeProcesses } from './suites/processes.js'
import { storeTurns } from './suites/turns.js'

describe.each([onBetterSqlite3, onLibsql])(
  'processes that share the file of $name lose nothing',
  storeProcesses,
)

storeTurns(onBetterSqlite3)

it('sessions of connect-session-knex are found where it has put them', async () => {
  const { filename, remove } = freshFile()
  onTestFinished(remove)
  const knex = knexOf({
    client: 'better-sqlite3',
    connection: { filename },
    useNullAsDefault: true,
  })
  onTestFinished(() => knex.destroy())
  const old = new ConnectSessionKnexStore({ knex, cleanupInterval: 0 })
  await old.ready
  const maxAge = 60 * 60 * 1000
  for (const [sid, age] of [
    ['live', maxAge],
    ['over', -5000],
  ] as const) {
    await old.set(sid, { cookie: { maxAge: age }, n: 1 } as never)
  }
  const db = openFast(driverOf('better-sqlite3'), filename)
  onTestFinished(() => db.close())
  const fallback = { format: 'knex' } as const
  const store = new SqliteStore({ db, table: 'native', fallback })
  const found = store.load('live')
  expect(JSON.parse(found!.text)).toEqual({ cookie: { maxAge }, n: 1 })
  expect(Math.abs(found!.expiresAt - Date.now() - maxAge)).toBeLessThan(60_000)
  expect(store.load('over')).toBeUndefined()
  expect(store.destroy('live')).toBe(true)
  expect(store.load('live')).toBeUndefined()
  expect(await old.get('live', () => {})).toMatchObject({ n: 1 })
})
