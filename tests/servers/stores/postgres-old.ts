import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import expressSession from 'express-session'
import type pg from 'pg'

const require = createRequire(import.meta.url)

/** The statements of connect-pg-simple's manual, for a table of this name. */
export async function oldTable(table: string): Promise<string> {
  const sql = await readFile(require.resolve('connect-pg-simple/table.sql'), 'utf8')
  return sql
    .replaceAll('"session"', `"${table}"`)
    .replaceAll('session_pkey', `${table}_pkey`)
    .replaceAll('IDX_session_expire', `IDX_${table}_expire`)
}

/** connect-pg-simple itself, with promises. */
export interface OldStore {
  get(sid: string): Promise<object | undefined>
  set(sid: string, session: object): Promise<void>
  touch(sid: string, session: object): Promise<void>
  destroy(sid: string): Promise<void>
  prune(): Promise<void>
}

/** @param ttl in seconds, for sessions without an end of their own */
export function oldStore(pool: pg.Pool, tableName: string, ttl?: number): OldStore {
  const Store = require('connect-pg-simple')(expressSession)
  const store = new Store({ pool, tableName, ttl, pruneSessionInterval: false })
  const call = (method: string, ...args: unknown[]) =>
    new Promise<never>((resolve, reject) => {
      store[method](...args, (error: unknown, value: never) => {
        if (error) reject(error)
        else resolve(value)
      })
    })
  return {
    get: (sid) => call('get', sid),
    set: (sid, session) => call('set', sid, session),
    touch: (sid, session) => call('touch', sid, session),
    destroy: (sid) => call('destroy', sid),
    prune: () => call('pruneSessions'),
  }
}
