import { describe, expect, it } from 'vitest'
import { ask, type ExpressSessionStore, getOld } from '../../src/core/old-store.js'
import { fatal } from '../support/process-events.js'
import { turns } from '../support/turns.js'

type Get = ExpressSessionStore['get']
type Set = ExpressSessionStore['set']

const session = { cookie: {}, n: 1 }

function storeWith(methods: Partial<ExpressSessionStore>): ExpressSessionStore {
  return {
    get: (_key, callback) => callback(null, session),
    set: (_key, _session, callback) => callback(),
    destroy: (_key, callback) => callback(),
    ...methods,
  }
}

const codeError = (code: string) => Object.assign(new Error('no such file'), { code })

describe('an old store is heard', () => {
  it.each<[string, Get]>([
    ['by a callback at once', (_key, callback) => callback(null, session)],
    ['by a callback later', (_key, callback) => void setImmediate(callback, null, session)],
    ['by a promise alone', async (_key) => session],
    [
      'by both, with a callback that has a default',
      async (_key, callback = () => {}) => {
        callback(null, session)
        return 'what the callback gave'
      },
    ],
    [
      'by both, whichever way its arguments are declared',
      async (...given) => {
        given[1](null, session)
        return session
      },
    ],
    [
      'by its first callback of two',
      (_key, callback) => {
        callback(null, session)
        callback(new Error('the second answer'))
        callback(null, { other: true })
      },
    ],
    [
      'by its callback, if it throws after that',
      (_key, callback) => {
        callback(null, session)
        throw new Error('thrown after the answer')
      },
    ],
    [
      'by its callback, if its promise rejects after that',
      async (_key, callback) => {
        callback(null, session)
        throw new Error('rejected after the answer')
      },
    ],
  ])('%s', async (_, get) => {
    const unhandled = fatal('unhandledRejection')
    expect(await getOld(storeWith({ get }), 'key')).toBe(session)
    await turns()
    expect(unhandled).toEqual([])
  })

  it('by its callback, if its promise is over before its client has answered', async () => {
    const client = (callback: Parameters<Get>[1]) => void setImmediate(callback, null, session)
    const get: Get = async (_key, callback) => {
      client(callback)
      return undefined
    }
    expect(await getOld(storeWith({ get }), 'key')).toBe(session)
  })

  it('without asking a query that it returns: that would run it again', async () => {
    let runs = 0
    // biome-ignore lint/suspicious/noThenProperty: what query builders are
    const query = { catch: () => void runs++, then: () => void runs++ }
    const get: Get = (_key, callback) => {
      setImmediate(callback, null, session)
      return query
    }
    expect(await getOld(storeWith({ get }), 'key')).toBe(session)
    expect(runs).toBe(0)
  })

  it('with itself as this', async () => {
    class Remembering {
      readonly #kept = session
      get(_key: string, callback: Parameters<Get>[1]): void {
        callback(null, this.#kept)
      }
      set(): void {}
      destroy(): void {}
    }
    expect(await getOld(new Remembering(), 'key')).toBe(session)
  })
})

describe('an old store fails', () => {
  it.each<[string, Set]>([
    ['by its callback', (_key, _session, callback) => callback(new Error('lost'))],
    [
      'by a throw',
      () => {
        throw new Error('lost')
      },
    ],
    [
      'by its promise, though it has a callback',
      async (_key, _session, _callback) => {
        throw new Error('lost')
      },
    ],
    ['by a promise alone', async () => Promise.reject(new Error('lost'))],
    [
      'by both at once',
      async (_key, _session, callback) => {
        callback(new Error('lost'))
        throw new Error('the second failure')
      },
    ],
    [
      'once, if it is of two minds',
      (_key, _session, callback) => {
        callback(new Error('lost'))
        callback()
      },
    ],
  ])('%s', async (_, set) => {
    const unhandled = fatal('unhandledRejection')
    const failing = ask(storeWith({ set }), 'set', ['key', session])
    await expect(failing).rejects.toThrow('lost')
    await turns()
    expect(unhandled).toEqual([])
  })

  it('with what it says, even if that is no Error', async () => {
    const get: Get = (_key, callback) => callback('no connection')
    await expect(getOld(storeWith({ get }), 'key')).rejects.toBe('no connection')
  })
})

describe('a miss', () => {
  it.each([
    ['null', null],
    ['undefined', undefined],
    ['false', false],
    ['an empty string', ''],
    ['a word', 'OK'],
  ])('is also %s', async (_, answer) => {
    const byCallback: Get = (_key, callback) => callback(null, answer)
    expect(await getOld(storeWith({ get: byCallback }), 'key')).toBe(undefined)
    const byPromise: Get = async () => answer
    expect(await getOld(storeWith({ get: byPromise }), 'key')).toBe(undefined)
  })

  it.each<[string, Get]>([
    ['by the callback', (_key, callback) => callback(codeError('ENOENT'))],
    ['by a promise', async () => Promise.reject(codeError('ENOENT'))],
    [
      'by a throw',
      () => {
        throw codeError('ENOENT')
      },
    ],
  ])('is a file that is not there, %s', async (_, get) => {
    expect(await getOld(storeWith({ get }), 'key')).toBe(undefined)
  })

  it('is not a server that is down, though its socket is a file that is not there', async () => {
    const down = Object.assign(codeError('ENOENT'), { syscall: 'connect' })
    const store = storeWith({
      get: (_key, callback) => callback(down),
      destroy: (_key, callback) => callback(down),
    })
    await expect(getOld(store, 'key')).rejects.toBe(down)
    await expect(ask(store, 'destroy', ['key'])).rejects.toBe(down)
  })

  it('is no error when it is to be removed', async () => {
    const destroy = storeWith({ destroy: (_key, callback) => callback(codeError('ENOENT')) })
    expect(await ask(destroy, 'destroy', ['key'])).toBe(undefined)
  })

  it('is no excuse for a record that was not written', async () => {
    const set = storeWith({ set: (_key, _session, callback) => callback(codeError('ENOENT')) })
    await expect(ask(set, 'set', ['key', session])).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
