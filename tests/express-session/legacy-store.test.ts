import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Clock, systemClock } from '../../src/core/clock.js'
import type { Store } from '../../src/core/store.js'
import { LegacyStore } from '../../src/express-session/index.js'
import { MemoryStore, OptionError } from '../../src/index.js'
import { FileStore, type FileStoreOptions } from '../../src/stores/file.js'
import { fatal } from '../support/process-events.js'
import { gate, turns } from '../support/turns.js'
import { dropIn, real } from './implementations.js'
import { oldApp, sessionOf } from './old-stores/app.js'
import type { OldRecords, OldStoreKind } from './old-stores/old-store.js'
import { oldStoreProgram } from './old-stores/program.js'
import { oldStoreTurns } from './old-stores/turns.js'

const require = createRequire(import.meta.url)
const HOUR = 3_600_000
/** The old package waits for the disk at each write, which tells nothing here. */
const PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** As the middleware of npm reads it: also while a test has put another date in its place. */
const clock: Clock = { ...systemClock, now: () => Date.now() }

function folder(): { path: string; remove(): void } {
  const parent = mkdtempSync(join(PLACE, 'coatcheck-legacy-'))
  const path = join(parent, 'sessions')
  return { path, remove: () => rmSync(parent, { recursive: true, force: true, maxRetries: 10 }) }
}

/** Its files survive a killed process, and need not survive the power here. */
function open(options: FileStoreOptions): FileStore {
  return new FileStore({ ...options, clock, fsync: false })
}

/** One of our stores, as express-session is given it. */
function kindOf(name: string, make: (path: string) => Store): OldStoreKind {
  return {
    name,
    endsBy: 'app',
    async open() {
      const { path, remove } = folder()
      const store = make(path)
      return {
        store: () => new LegacyStore(store, { prefix: 'sess:' }),
        textOf: async (id) => (await store.load(`sess:${id}`))?.text,
        close: async () => remove(),
      }
    },
  }
}

oldStoreProgram(kindOf('LegacyStore on MemoryStore', () => new MemoryStore({ clock })))
oldStoreProgram(kindOf('LegacyStore on FileStore', (path) => open({ path })))

const layout = 'session-file-store'

/** The real session-file-store in processes with the one middleware, ours in those with the other. */
function besideReal(name: string, isOurs: (session: unknown) => boolean): OldStoreKind {
  return {
    name,
    endsBy: 'app',
    async open(): Promise<OldRecords> {
      const { path, remove } = folder()
      return {
        store(session) {
          if (isOurs(session)) return new LegacyStore(open({ path, layout }))
          const OldFileStore = require('session-file-store')(session)
          return new OldFileStore({ path, retries: 0, reapInterval: -1, logFn() {} })
        },
        async textOf(id) {
          try {
            // Among the data where the old package has written last, at the end where we have.
            const text = readFileSync(join(path, `${id}.json`), 'utf8')
            const { __lastAccess, ...session } = JSON.parse(text)
            expect(__lastAccess).toBeTypeOf('number')
            return JSON.stringify(session)
          } catch {
            return undefined
          }
        },
        close: async () => remove(),
      }
    },
  }
}

oldStoreProgram(besideReal("LegacyStore on FileStore in layout 'session-file-store'", () => true))
oldStoreTurns(
  besideReal('FileStore under the drop-in, session-file-store under express-session', (session) => {
    return session !== real.session
  }),
)
oldStoreTurns(
  besideReal('FileStore under express-session, session-file-store under the drop-in', (session) => {
    return session === real.session
  }),
)

/** A store under the date of the machine, which the test moves. */
function legacyStore(store: Store = new MemoryStore({ clock }), options?: { ttl?: number }) {
  const now = Date.UTC(2030, 0, 1)
  vi.useFakeTimers({ toFake: ['Date'], now })
  onTestFinished(() => void vi.useRealTimers())
  const legacy = new LegacyStore(store, options)
  return { legacy, store, now, pass: (ms: number) => void vi.setSystemTime(Date.now() + ms) }
}

/** A session whose cookie lives for `life` from now on. */
function sessionFor<Data extends object>(life: number | null, data: Data = {} as Data) {
  const expires = life === null ? null : new Date(Date.now() + life).toISOString()
  return { cookie: { originalMaxAge: life, expires, httpOnly: true, path: '/' }, ...data }
}

function told<T>(call: (callback: (error?: unknown, value?: T) => void) => void) {
  return new Promise<T | undefined>((resolve, reject) => {
    call((error, value) => (error ? reject(error) : resolve(value)))
  })
}

describe('LegacyStore', () => {
  it('answers every method by a callback or by a promise, and never by both', async () => {
    const { legacy } = legacyStore()
    const session = sessionFor(HOUR, { views: 1 })
    for (const style of ['callback', 'promise'] as const) {
      const call = async (name: string, ...given: unknown[]) => {
        const method = Reflect.get(legacy, name)
        if (style === 'promise') return method.call(legacy, ...given)
        return told((done) => expect(method.call(legacy, ...given, done)).toBeUndefined())
      }
      expect(await call('get', 'sid')).toBeUndefined()
      expect(await call('set', 'sid', session)).toBeUndefined()
      expect(await call('get', 'sid')).toEqual(session)
      expect(await call('touch', 'sid', session)).toBeUndefined()
      expect(await call('all')).toEqual({ sid: session })
      expect(await call('ids')).toEqual(['sid'])
      expect(await call('length')).toBe(1)
      expect(await call('destroy', 'sid')).toBeUndefined()
      expect(await call('destroy', 'sid')).toBeUndefined()
      await call('set', 'a', session)
      expect(await call('clear')).toBeUndefined()
      expect(await call('all')).toEqual({})
    }
  })

  it('declares its parameters as callers look for them', () => {
    const { legacy } = legacyStore()
    const { get, set, destroy, touch } = legacy
    expect([get, set, destroy, touch].map(({ length }) => length)).toEqual([2, 3, 2, 3])
    for (const method of [get, set, destroy, touch]) {
      expect(method.constructor.name).toBe('Function')
      expect(method.toString()).toContain('callback')
      expect(method.toString()).not.toContain('return new Promise')
    }
  })

  it('gives each caller objects of its own', async () => {
    const { legacy } = legacyStore()
    const session = sessionFor(HOUR, { cart: { items: [1] } })
    const kept = legacy.set('sid', session)
    session.cart.items.push(2)
    await kept
    const first = await legacy.get('sid')
    Reflect.get(first!, 'cart').items.push(3)
    expect(await legacy.get('sid')).toMatchObject({ cart: { items: [1] } })
  })

  it('ends a session with its cookie, whatever form the date has', async () => {
    const { legacy, pass, now } = legacyStore(undefined, { ttl: 3000 })
    const end = now + 2000
    const dates = {
      date: { expires: new Date(end) },
      iso: { expires: new Date(end).toISOString() },
      number: { expires: end },
      'of long ago': { _expires: new Date(end).toISOString() },
      null: { expires: null },
      false: { expires: false },
      none: {},
      junk: { expires: 'soon' },
    }
    for (const [sid, cookie] of Object.entries(dates)) await legacy.set(sid, { cookie })
    await legacy.set('no cookie', { views: 1 })
    await legacy.set('cookie is null', { cookie: null })
    pass(1999)
    expect(await legacy.length()).toBe(10)
    pass(1)
    const left = ['null', 'false', 'none', 'junk', 'no cookie', 'cookie is null']
    expect(await legacy.ids()).toEqual(left)
    pass(1000)
    expect(await legacy.ids()).toEqual([])
  })

  it('ends a session at once that is set or touched with a date in the past', async () => {
    const { legacy, store } = legacyStore()
    for (const name of ['set', 'touch'] as const) {
      await legacy.set('sid', sessionFor(HOUR))
      await legacy[name]('sid', sessionFor(-1))
      expect(await store.load('sid')).toBeUndefined()
    }
    await legacy.set('sid', sessionFor(0))
    expect(await legacy.get('sid')).toBeUndefined()
  })

  it('moves the expiry of a record by touch, and shows it in the cookie', async () => {
    const { legacy, store, pass } = legacyStore()
    await legacy.set('sid', sessionFor(HOUR, { views: 1 }))
    const stored = (await store.load('sid'))!.text
    pass(HOUR / 2)
    await legacy.touch('sid', sessionFor(HOUR, { views: 'not looked at' }))
    expect((await store.load('sid'))!.text).toBe(stored)
    expect(await legacy.get('sid')).toEqual(sessionFor(HOUR, { views: 1 }))
    pass(HOUR - 1)
    expect(await legacy.get('sid')).toBeDefined()
    pass(1)
    expect(await legacy.get('sid')).toBeUndefined()
  })

  it('keeps the cookie of a touch, which may live longer from now on', async () => {
    const { legacy, store, pass } = legacyStore()
    for (const [sid, writer] of Object.entries({ ours: legacy, theirs: new LegacyStore(store) })) {
      await writer.set(sid, sessionFor(HOUR, { views: 1 }))
      await legacy.touch(sid, sessionFor(24 * HOUR))
      expect(await legacy.get(sid)).toEqual(sessionFor(24 * HOUR, { views: 1 }))
      pass(23 * HOUR)
      expect(await legacy.get(sid)).toBeDefined()
    }
  })

  it('leaves a session to its user when a touch writes another cookie', async () => {
    const store = new MemoryStore({ clock })
    const user = (data: { userId?: string }) => data.userId
    const app = await oldApp(dropIn, store, { user }, (routes) => {
      routes.get('/remember', (req, res) => {
        Reflect.set(sessionOf(req).cookie as object, 'maxAge', 7 * 24 * HOUR)
        res.end()
      })
      routes.get('/sign-in', (req, res) => {
        sessionOf(req).userId = 'ada'
        res.end()
      })
    })
    const ada = app.browser()
    await ada.get('/sign-in')
    expect(await store.keysOfUser('ada')).toHaveLength(1)
    await ada.get('/remember')
    await app.settled()
    const [key] = await store.keysOfUser('ada')
    expect((await store.load(key!))!.text).toContain('"originalMaxAge":604800000')
  })

  it('brings nothing back by a touch', async () => {
    const { legacy, store } = legacyStore()
    await legacy.set('sid', sessionFor(HOUR))
    await legacy.destroy('sid')
    await legacy.touch('sid', sessionFor(HOUR))
    await legacy.touch('sid', sessionFor(24 * HOUR))
    await new LegacyStore(store).touch('sid', sessionFor(HOUR))
    expect(await legacy.get('sid')).toBeUndefined()
  })

  it('keeps what it is given whatever others have written', async () => {
    const { legacy, store } = legacyStore()
    const other = new LegacyStore(store)
    await Promise.all(
      [1, 2, 3, 4].map((n) => (n % 2 ? legacy : other).set('sid', sessionFor(HOUR, { n }))),
    )
    await legacy.set('sid', sessionFor(HOUR, { n: 5 }))
    expect(await other.get('sid')).toMatchObject({ n: 5 })
  })

  it('writes in the order of the calls, however long each of them takes', async () => {
    const memory = new MemoryStore({ clock })
    const doors = [gate(), gate()]
    let loads = 0
    const slow: Store = {
      ...contractOf(memory),
      load: async (key) => {
        await doors[loads++]?.opened
        return memory.load(key)
      },
    }
    const { legacy } = legacyStore(slow)
    const all = [
      legacy.set('sid', sessionFor(HOUR, { n: 1 })),
      legacy.set('sid', sessionFor(HOUR, { n: 2 })),
      legacy.destroy('sid'),
      legacy.set('sid', sessionFor(HOUR, { n: 3 })),
      legacy.set('sid', sessionFor(HOUR, { n: 4 })),
    ]
    doors[1]!.open()
    await turns()
    doors[0]!.open()
    await Promise.all(all)
    expect(await legacy.get('sid')).toMatchObject({ n: 4 })
  })

  it('takes a record that holds no session for none, tells of it and leaves it alone', async () => {
    for (const text of ['', 'no JSON', '[]', 'null', '"text"', '1']) {
      const { legacy, store, now } = legacyStore()
      await store.create('bad', { text, expiresAt: now + HOUR })
      await legacy.set('good', sessionFor(HOUR))
      expect(await legacy.get('bad')).toBeUndefined()
      const errors: unknown[] = []
      legacy.on('error', (error) => errors.push(error))
      expect(await legacy.get('bad')).toBeUndefined()
      expect(errors).toEqual([expect.objectContaining({ code: 'ERR_STORE', store: 'MemoryStore' })])
      await legacy.touch('bad', sessionFor(HOUR))
      expect((await store.load('bad'))?.text).toBe(text)
      expect(await legacy.ids()).toEqual(['good'])
    }
  })

  it('ends no process by a failure that nobody waits for', async () => {
    const rejections = fatal('unhandledRejection')
    const exceptions = fatal('uncaughtException')
    const { legacy } = legacyStore(broken())
    for (const told of [0, 1]) {
      const errors: unknown[] = []
      if (told) legacy.on('error', (error) => errors.push(error))
      legacy.get('sid')
      legacy.set('sid', sessionFor(HOUR))
      legacy.touch('sid', sessionFor(HOUR))
      legacy.destroy('sid')
      legacy.all()
      await turns()
      expect(errors).toHaveLength(told * 5)
    }
    await expect(legacy.get('sid')).rejects.toThrow('broken')
    await expect(told((done) => legacy.get('sid', done))).rejects.toThrow('broken')
    expect([...rejections, ...exceptions]).toEqual([])
  })

  it('neither hides what a callback throws nor calls it again', async () => {
    const exceptions = fatal('uncaughtException')
    const { legacy } = legacyStore()
    await legacy.set('sid', sessionFor(HOUR))
    const calls: string[] = []
    for (const method of ['get', 'destroy'] as const) {
      legacy[method]('sid', () => {
        calls.push(method)
        throw new Error(`of the callback of ${method}`)
      })
    }
    await turns()
    expect(calls.sort()).toEqual(['destroy', 'get'])
    expect(exceptions.map(String).sort()).toEqual([
      'Error: of the callback of destroy',
      'Error: of the callback of get',
    ])
  })

  it('refuses what JSON cannot hold by the callback, and keeps what is there', async () => {
    const { legacy } = legacyStore()
    await legacy.set('sid', sessionFor(HOUR, { n: 1 }))
    const session = sessionFor(HOUR, { n: 2n })
    await expect(told((done) => legacy.set('sid', session, done))).rejects.toThrow(TypeError)
    expect(await legacy.get('sid')).toMatchObject({ n: 1 })
  })

  it('knows only the sessions of its own prefix', async () => {
    const store = new MemoryStore({ clock })
    const { legacy: one } = legacyStore(store)
    const other = new LegacyStore(store, { prefix: 'other:' })
    await other.set('sid', sessionFor(HOUR))
    expect(await other.ids()).toEqual(['sid'])
    expect(await one.ids()).toEqual(['other:sid'])
    await one.set('sid', sessionFor(HOUR))
    await other.clear()
    expect(await one.ids()).toEqual(['sid'])
  })

  it('says so if its store cannot list', async () => {
    const { legacy } = legacyStore(contractOf(new MemoryStore({ clock })))
    for (const method of ['all', 'ids', 'length', 'clear'] as const) {
      await expect(legacy[method]()).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    }
  })

  it('loads a session with methods, for where there is no request', async () => {
    const { legacy } = legacyStore()
    await legacy.set('sid', sessionFor(HOUR, { n: 1 }))
    const session = await new Promise<{ n?: number; save(): Promise<void> }>((resolve, reject) => {
      legacy.load('sid', (error, found) => (error ? reject(error) : resolve(found as never)))
    })
    session.n = 2
    await session.save()
    expect(await legacy.get('sid')).toMatchObject({ n: 2 })
  })

  it.each([
    [undefined, {}],
    [null, {}],
    [{ get() {}, set() {}, destroy() {} }, {}],
    [new MemoryStore(), { ttl: 0 }],
    [new MemoryStore(), { ttl: '1' }],
    [new MemoryStore(), { prefix: 1 }],
  ])('refuses to be made of %o with %o', (store, options) => {
    expect(() => new LegacyStore(store as never, options as never)).toThrow(OptionError)
  })
})

/** A store without any capability besides the contract. */
function contractOf(store: Store): Store {
  return {
    load: (key) => store.load(key),
    create: (key, entry) => store.create(key, entry),
    replace: (key, entry, seen) => store.replace(key, entry, seen),
    touch: (key, expiresAt) => store.touch(key, expiresAt),
    destroy: (key) => store.destroy(key),
  }
}

function broken(): Store {
  const fail = () => {
    throw new Error('broken')
  }
  return Object.assign(new MemoryStore(), {
    load: fail,
    create: fail,
    replace: fail,
    touch: fail,
    destroy: fail,
    entries: fail,
  })
}
