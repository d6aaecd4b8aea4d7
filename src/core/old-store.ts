import { types } from 'node:util'

/**
 * A store made for express-session, by what is called of it. Every store that extends
 * `express-session`'s `Store` fits, and so does any object with these methods.
 */
export interface ExpressSessionStore {
  get(key: string, callback: (error?: unknown, session?: unknown) => void): unknown
  set(key: string, session: object, callback: (error?: unknown) => void): unknown
  destroy(key: string, callback: (error?: unknown) => void): unknown
  /** Where there is none, the whole record is written again. */
  touch?(key: string, session: object, callback: (error?: unknown) => void): unknown
}

/** Whether `store` has the methods that every store of express-session has. */
export function isOldStore(store: unknown): store is ExpressSessionStore {
  const methods = store as Record<string, unknown> | null | undefined
  return ['get', 'set', 'destroy'].every((name) => typeof methods?.[name] === 'function')
}

/** The session of a key; whatever else a store says is a miss. */
export async function getOld(store: ExpressSessionStore, key: string): Promise<object | undefined> {
  const answer = await ask(store, 'get', [key])
  return typeof answer === 'object' && answer !== null ? answer : undefined
}

/**
 * Calls a method of an old store and waits for its answer. The first one counts: stores answer
 * twice when something throws, or by the callback and by a promise.
 *
 * A method that declares a callback answers by it. Its promise can only fail: an async method that
 * hands its callback on to a client is over before the client has answered. One that declares none
 * answers by its promise.
 */
export function ask(
  store: ExpressSessionStore,
  method: 'get' | 'set' | 'touch' | 'destroy',
  given: readonly unknown[],
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const run = store[method] as (...given: unknown[]) => unknown
    const fail = (error: unknown) => {
      if (isMiss(method, error)) resolve(undefined)
      else reject(error)
    }
    let returned: unknown
    try {
      returned = run.call(store, ...given, (error?: unknown, answer?: unknown) => {
        if (error) fail(error)
        else resolve(answer)
      })
    } catch (error) {
      return fail(error)
    }
    if (run.length <= given.length) {
      if (isThenable(returned)) returned.then(resolve, fail)
    } else if (types.isPromise(returned)) {
      // Not any thenable: to ask the query objects of some drivers is to run them once more.
      returned.catch(fail)
    }
  })
}

/** Stores in files have nothing to get or to remove then. */
function isMiss(method: string, error: unknown): boolean {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown }
  // A server behind a unix socket that is down: nothing is known of the record.
  const isAbsent = code === 'ENOENT' && syscall !== 'connect'
  return (method === 'get' || method === 'destroy') && isAbsent
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

/** What stores throw that parse JSON. */
export function isUnreadable(error: unknown): boolean {
  return (error as { name?: unknown } | null | undefined)?.name === 'SyntaxError'
}
