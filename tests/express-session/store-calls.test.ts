import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Store } from '../../src/core/store.js'
import { FileStore } from '../../src/stores/file.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { SqliteStore } from '../../src/stores/sqlite.js'
import { drivers } from '../stores/sqlite-drivers.js'
import { gate, turns } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'
import { at, cookieOf, HOUR, program } from './program.js'

type Routes = NonNullable<Parameters<typeof program>[0]>
type Save = { key: string; value: string }

/** A program on a store of this package, and what each request calls of it. */
async function watched(inner: Store = new MemoryStore(), options: object = {}) {
  const store = new WatchedStore(inner)
  const [inside, door] = [gate(), gate()]
  const routes: Routes = {
    '/slow': async (req, res) => {
      inside.open()
      await door.opened
      const { ms, ...data } = req.query
      Object.assign(at(req).session, data)
      if (ms !== undefined) at(req).session.cookie.maxAge = Number(ms)
      res.json({})
    },
    '/saves': async (req, res) => {
      const saves: Save[] = [
        { key: 'a', value: '1' },
        { key: 'b', value: '2' },
        { key: 'a', value: '3' },
      ]
      for (const { key, value } of saves) {
        at(req).session[key] = value
        await at(req).session.save()
      }
      res.json({})
    },
    '/reload': async (req, res) => {
      inside.open()
      await door.opened
      await at(req).session.reload()
      at(req).session.late = '1'
      res.json({})
    },
    '/remember': (req, res) => {
      at(req).session.cookie.maxAge = 7 * 24 * HOUR
      res.json({})
    },
    '/logout': async (req, res) => {
      await at(req).session.destroy()
      res.json({})
    },
  }
  const app = await program(routes, { store, ...options })
  // Before its clock moves on, and nobody waits any more for what is under way.
  onTestFinished(() => app.middleware.settled())
  const calls = async (work: () => Promise<unknown>) => {
    await app.middleware.settled()
    store.calls.length = 0
    await work()
    await app.middleware.settled()
    return [...store.calls]
  }
  return { ...app, calls, inside: inside.opened, go: door.open }
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'coatcheck-calls-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true, maxRetries: 10 }))
  return path
}

function sqlite(): Store {
  const db = drivers[0]!.open(':memory:')
  onTestFinished(() => db.close())
  return new SqliteStore({ db })
}

const stores: [string, () => Store, object][] = [
  ['MemoryStore', () => new MemoryStore(), {}],
  ['MemoryStore, ids hashed', () => new MemoryStore(), { hashIds: true }],
  ['SqliteStore', sqlite, {}],
  ['FileStore', () => new FileStore({ path: folder(), fsync: false }), {}],
  [
    'FileStore with the files of session-file-store',
    () => new FileStore({ path: folder(), fsync: false, layout: 'session-file-store' }),
    {},
  ],
]

describe.each(stores)('a session on %s', (_, make, options) => {
  it('that nobody else changes is loaded once and written once', async () => {
    const { visitor, calls } = await watched(make(), options)
    const ada = await visitor({ user: 'ada' })
    for (const views of [1, 2]) {
      expect(await calls(() => ada.get(`/set?views=${views}`))).toEqual(['load', 'replace'])
    }
    expect((await ada.get('/')).json()).toEqual({ user: 'ada', views: '2' })
  })

  it('is saved several times after one load', async () => {
    const { visitor, browser, calls } = await watched(make(), options)
    const ada = await visitor({ user: 'ada' })
    const saves = ['replace', 'replace', 'replace']
    expect(await calls(() => ada.get('/saves'))).toEqual(['load', ...saves, 'touch'])
    expect((await ada.get('/')).json()).toEqual({ user: 'ada', a: '3', b: '2' })
    const eve = browser()
    expect((await calls(() => eve.get('/saves'))).slice(0, 3)).toEqual([
      'create',
      'replace',
      'replace',
    ])
    expect((await eve.get('/')).json()).toEqual({ a: '3', b: '2' })
  })

  it('is loaded again only after somebody else was faster, and keeps the keys of both', async () => {
    const { visitor, calls, inside, go, events } = await watched(make(), options)
    const ada = await visitor({ user: 'ada' })
    const slow = ada.get('/slow?late=1')
    await inside
    await ada.get('/set?cart=coat')
    const after = await calls(() => {
      go()
      return slow
    })
    expect(after).toEqual(['replace', 'load', 'replace'])
    expect((await ada.get('/')).json()).toEqual({ user: 'ada', cart: 'coat', late: '1' })
    expect(events.filter(({ name }) => name === 'conflict')).toEqual([])
  })

  it('is compared with what was reloaded', async () => {
    const { visitor, calls, inside, go } = await watched(make(), options)
    const ada = await visitor({ user: 'ada' })
    const slow = ada.get('/reload')
    await inside
    await ada.get('/set?cart=coat')
    const after = await calls(() => {
      go()
      return slow
    })
    expect(after).toEqual(['load', 'replace'])
    expect((await ada.get('/')).json()).toEqual({ user: 'ada', cart: 'coat', late: '1' })
  })

  it('that has ended meanwhile stays ended, in whatever way it would be written', async () => {
    for (const path of ['/slow?late=1', '/slow?late=1&ms=-1000', '/reload']) {
      const { visitor, inside, go, store, events } = await watched(make(), options)
      const ada = await visitor({ user: 'ada' })
      const slow = ada.get(path)
      await inside
      await ada.get('/logout')
      go()
      expect((await slow).setCookies).toEqual([])
      expect((await ada.get('/')).json()).toEqual({})
      expect(events.filter(({ name }) => name === 'commit')).toEqual([])
      expect((store as unknown as WatchedStore).count('create')).toBe(1)
    }
  })

  it('is not loaded again for a touch, the first one either', async () => {
    const { visitor, calls } = await watched(make(), { ...options, cookie: { maxAge: HOUR } })
    const ada = await visitor({ user: 'ada' })
    for (const _ of [1, 2]) expect(await calls(() => ada.get('/'))).toEqual(['load', 'touch'])
  })
})

describe('a session on a store of this package', () => {
  it('keeps what others have changed when it is stored as it was, by resave', async () => {
    const { visitor, calls, inside, go } = await watched(undefined, { resave: true })
    const ada = await visitor({ user: 'ada' })
    const slow = ada.get('/slow')
    await inside
    await ada.get('/set?cart=coat')
    const after = await calls(() => {
      go()
      return slow
    })
    expect(after).toEqual(['replace', 'load', 'replace'])
    expect((await ada.get('/')).json()).toEqual({ user: 'ada', cart: 'coat' })
    expect(await calls(() => ada.get('/'))).toEqual(['load', 'replace'])
  })

  it('keeps a cookie that was changed alone, and a write beside it', async () => {
    const inner = new MemoryStore()
    const { visitor, calls, inside, go } = await watched(inner, { cookie: { maxAge: HOUR } })
    const ada = await visitor({ user: 'ada' })
    const slow = ada.get('/slow?late=1')
    await inside
    expect(await calls(() => ada.get('/remember'))).toEqual(['load', 'load', 'replace'])
    const [remembered] = await texts(inner)
    expect(remembered).toMatchObject({ user: 'ada', cookie: { originalMaxAge: 7 * 24 * HOUR } })
    expect(await calls(() => ada.get('/'))).toEqual(['load', 'touch'])
    go()
    await slow
    expect((await ada.get('/')).json()).toEqual({ user: 'ada', late: '1' })
  })

  it.each(['replace', 'load'] as const)(
    'is not written later by a request that was told it had failed: %s',
    async (late) => {
      const inner = new MemoryStore()
      const here = await watched(inner, { storeTimeout: 1000 })
      const there = await program({}, { store: inner })
      const ada = await here.visitor({ user: 'ada' })
      const slow = ada.get('/slow?cart=old')
      await here.inside
      await there.browser().get('/set?hat=felt', cookieOf(ada))
      const waiting = (here.store as unknown as WatchedStore).pause(late)
      here.go()
      await waiting.reached
      await here.clock.advance(1000)
      await slow
      expect(here.events).toMatchObject([{ name: 'error', error: { code: 'ERR_STORE_TIMEOUT' } }])
      await there.browser().get('/set?cart=new', cookieOf(ada))
      waiting.resume()
      await turns()
      expect((await ada.get('/')).json()).toEqual({ user: 'ada', hat: 'felt', cart: 'new' })
    },
  )

  it('keeps the cookie that others have set since a touch was told to have failed', async () => {
    const inner = new MemoryStore()
    const here = await watched(inner, { storeTimeout: 1000, cookie: { maxAge: HOUR } })
    const there = await watched(inner, { cookie: { maxAge: HOUR } })
    const ada = await here.visitor({ user: 'ada' })
    const slow = ada.get(`/slow?ms=${2 * HOUR}`)
    await here.inside
    const waiting = (here.store as unknown as WatchedStore).pause('load')
    here.go()
    await waiting.reached
    await slow
    await here.clock.advance(1000)
    await there.browser().get('/remember', cookieOf(ada))
    await there.middleware.settled()
    waiting.resume()
    await turns()
    expect(await texts(inner)).toMatchObject([{ cookie: { originalMaxAge: 7 * 24 * HOUR } }])
  })

  it('keeps a cookie that a program sets back to what it was before others changed it', async () => {
    const inner = new MemoryStore()
    const [one, other] = [new WatchedStore(inner), new WatchedStore(inner)]
    const week = { maxAge: 7 * 24 * HOUR }
    const forget: Routes = {
      '/cookie': (req, res) => {
        at(req).session.cookie.maxAge = Number(req.query.ms)
        res.json({})
      },
    }
    const here = await program(forget, { store: one, cookie: { maxAge: HOUR } })
    const there = await program(forget, { store: other, cookie: week })
    const ada = await here.visitor({ user: 'ada' })
    const cookie = { headers: { cookie: ada.jar.header(`${ada.origin}/`) ?? '' } }
    await here.middleware.settled()
    for (const [app, ms] of [
      [here, 2 * HOUR],
      [there, 3 * HOUR],
      [here, 2 * HOUR],
    ] as const) {
      await app.browser().get(`/cookie?ms=${ms}`, cookie)
      await app.middleware.settled()
      expect(await texts(inner)).toMatchObject([{ cookie: { originalMaxAge: ms } }])
    }
  })
})

async function texts(store: MemoryStore): Promise<object[]> {
  const all: object[] = []
  for await (const { text } of store.entries()) all.push(JSON.parse(text))
  return all
}
