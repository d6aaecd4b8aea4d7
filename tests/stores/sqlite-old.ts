import { createRequire } from 'node:module'
import expressSession from 'express-session'

const require = createRequire(import.meta.url)

/** better-sqlite3-session-store itself, with promises. */
export interface OldStore {
  get(sid: string): Promise<object | null>
  set(sid: string, session: object): Promise<void>
  touch(sid: string, session: object): Promise<void>
  destroy(sid: string): Promise<void>
  clear(): Promise<void>
  clearExpiredSessions(): void
}

/** Makes its table, as each of its processes does. It has no timer here, which nobody could end. */
export function oldStore(client: object): OldStore {
  const Store = require('better-sqlite3-session-store')(expressSession)
  const { startInterval } = Store.prototype
  Store.prototype.startInterval = () => {}
  const store = new Store({ client })
  Store.prototype.startInterval = startInterval
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
    clear: () => call('clear'),
    clearExpiredSessions: () => store.clearExpiredSessions(),
  }
}
