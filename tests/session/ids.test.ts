import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MemoryStore, type Store } from '../../src/index.js'
import { FileStore } from '../../src/stores/file.js'
import { FakeClock } from '../../src/testing/index.js'
import { temporaryFolder } from '../example/app-process.js'
import { type AnyData, SECRET, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
  app.get('/set/:key', (req, res) => {
    sessions.of(req).session[req.params.key] = true
    res.end(sessions.of(req).session.id)
  })
  app.get('/login', (req, res) => {
    Object.assign(sessions.of(req).session, JSON.parse(String(req.query.as)))
    res.end()
  })
  app.get('/passport', (req, res) => {
    // What Passport 0.7 does: regenerate, set, save.
    sessions.of(req).session.regenerate(() => {
      sessions.of(req).session.passport = { user: 1 }
      sessions.of(req).session.save(() => res.end())
    })
  })
  app.get('/regenerate/:keep', async (req, res) => {
    const { keep } = req.params
    const old = sessions.of(req).session
    await old.regenerate({
      keep: keep === 'all' ? true : keep === 'none' ? false : keep.split(','),
    })
    res.json({ old: { ...old }, changed: old.id !== sessions.of(req).session.id })
  })
  app.get('/id', (req, res) => void res.end(sessions.of(req).session.id))
}

const tokenOf = (line: string | undefined) => /^(?:__Host-)?sid=([^;]*)/.exec(line ?? '')?.[1] ?? ''

describe('an id', () => {
  it('that somebody planted is never adopted', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser, sessions } = await serveApp(routes, { store })
    const rejected: string[] = []
    sessions.on('reject', ({ reason }) => rejected.push(reason))
    // Well formed and well signed, by a manager with the same secret and another store.
    const elsewhere = await serveApp(routes)
    const planted = tokenOf((await elsewhere.browser().get('/set/a')).setCookies[0])
    for (const token of [planted, 'A'.repeat(32), `${'A'.repeat(32)}.${'B'.repeat(43)}`]) {
      const answer = await browser().get('/set/b', { headers: { cookie: `sid=${token}` } })
      const given = tokenOf(answer.setCookies[0])
      expect(given).toMatch(/^[\w-]{32}\.[\w-]{43}$/)
      expect(given.slice(0, 32)).not.toBe(token.slice(0, 32))
    }
    expect(rejected).toEqual(['unknown', 'format', 'signature'])
    expect(store.count('load')).toBe(1)
  })

  it('is read from the cookie alone, not from a URL or another header', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser } = await serveApp(routes, { store })
    const token = tokenOf((await browser().get('/set/a')).setCookies[0])
    const elsewhere = { authorization: `Bearer ${token}`, 'x-session': token }
    const answer = await browser().get(`/?sid=${token}`, { headers: elsewhere })
    expect(answer.json()).toEqual({})
    expect(store.count('load')).toBe(0)
    const own = await browser().get('/', { headers: { cookie: `sid=${token}` } })
    expect(own.json()).toEqual({ a: true })
  })

  it('lies in the store as a hash only, and neither handle nor key opens anything', async () => {
    const keys: string[] = []
    class Spy extends MemoryStore {
      override create(key: string, entry: Parameters<MemoryStore['create']>[1]) {
        keys.push(key, entry.text)
        return super.create(key, entry)
      }
    }
    const { browser } = await serveApp(routes, { store: new Spy() })
    const answer = await browser().get('/set/a')
    const token = tokenOf(answer.setCookies[0])
    const [id] = token.split('.')
    expect(keys[0]).toBe(createHash('sha256').update(id!).digest('base64url'))
    expect(keys.join()).not.toContain(id)
    expect(answer.text()).toBe(keys[0])
    for (const forged of [keys[0]!, `${keys[0]!}.${token.split('.')[1]}`]) {
      expect((await browser().get('/', { headers: { cookie: `sid=${forged}` } })).json()).toEqual(
        {},
      )
    }
  })

  it.each<[string, () => { store: Store; dump: () => Promise<string> }]>([
    [
      'memory',
      () => {
        const store = new MemoryStore({ clock: new FakeClock() })
        const dump = async () => {
          const all: unknown[] = []
          for await (const entry of store.entries()) all.push(entry)
          return JSON.stringify(all)
        }
        return { store, dump }
      },
    ],
    [
      'files',
      () => {
        const path = temporaryFolder()
        return {
          store: new FileStore({ path, clock: new FakeClock() }),
          dump: async () => tree(path),
        }
      },
    ],
  ])('leaves no part of itself in a dump of the store after a login: %s', async (_name, make) => {
    const { store, dump } = make()
    const { browser } = await serveApp(routes, { store })
    const visitor = browser()
    const tokens = [tokenOf((await visitor.get('/set/cart')).setCookies[0])]
    const as = encodeURIComponent('{"userId":"marked-user"}')
    tokens.push(tokenOf((await visitor.get(`/login?as=${as}`)).setCookies[0]))
    const text = await dump()
    // Else there would be nothing to look at.
    expect(text).toContain('marked-user')
    for (const token of tokens) {
      expect(token).toHaveLength(32 + 1 + 43)
      for (let at = 0; at + 6 <= token.length; at++) {
        expect(text.includes(token.slice(at, at + 6)), `from character ${at}`).toBe(false)
      }
    }
  })

  it('of a cookie with another name opens nothing here', async () => {
    const store = new MemoryStore()
    const users = await serveApp(routes, { store })
    const admins = await serveApp(routes, { store, clock: users.clock, cookie: { name: 'admin' } })
    const token = tokenOf((await users.browser().get('/set/a')).setCookies[0])
    const stolen = await admins.browser().get('/', { headers: { cookie: `admin=${token}` } })
    expect(stolen.json()).toEqual({})
  })

  it('has 192 random bits, and is no UUID', async () => {
    const { browser } = await serveApp(routes)
    const ids = new Set<string>()
    for (let visit = 0; visit < 50; visit++) {
      const id = tokenOf((await browser().get('/set/a')).setCookies[0]).slice(0, 32)
      expect(Buffer.from(id, 'base64url')).toHaveLength(24)
      expect(Buffer.from(id, 'base64url').toString('base64url')).toBe(id)
      ids.add(id)
    }
    expect(ids.size).toBe(50)
    // Were any bit constant, as the version of a UUID is, it would be so in all of them.
    const all = [...ids].map((id) => Buffer.from(id, 'base64url'))
    for (let byte = 0; byte < 24; byte++) {
      expect(all.reduce((bits, id) => bits | id[byte]!, 0)).toBe(255)
      expect(all.reduce((bits, id) => bits & id[byte]!, 255)).toBe(0)
    }
  })

  it.each([
    { userId: 1 },
    { user: { id: 1, name: 'Ada' } },
    { user: { name: 'no id at all' } },
    { loggedIn: true },
    { username: 'ada' },
  ])('is a new one after a login by %j, and the old one opens nothing', async (as) => {
    const { browser, origin } = await serveApp(routes)
    const visitor = browser()
    await visitor.get('/set/cart')
    const old = visitor.jar.header(`${origin}/`)!
    const login = await visitor.get(`/login?as=${encodeURIComponent(JSON.stringify(as))}`)
    expect(login.setCookies).toHaveLength(1)
    expect(visitor.jar.header(`${origin}/`)).not.toBe(old)
    expect((await visitor.get('/')).json()).toEqual({ cart: true, ...as })
    expect((await browser().get('/', { headers: { cookie: old } })).json()).toEqual({})
  })

  it('is a new one after Passport’s login: one create, and the old one ended', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser } = await serveApp(routes, { store })
    const visitor = browser()
    await visitor.get('/set/cart')
    store.calls.length = 0
    expect((await visitor.get('/passport')).setCookies).toHaveLength(1)
    expect(store.calls).toEqual(['load', 'create', 'replace'])
    expect((await visitor.get('/')).json()).toEqual({ passport: { user: 1 } })
  })

  it('stays when only the name of the user changes', async () => {
    const { browser } = await serveApp(routes)
    const visitor = browser()
    await visitor.get(`/login?as=${encodeURIComponent('{"user":{"id":1,"name":"A"}}')}`)
    const before = (await visitor.get('/id')).text()
    const renamed = await visitor.get(
      `/login?as=${encodeURIComponent('{"user":{"id":"1","name":"B"}}')}`,
    )
    expect(renamed.setCookies).toEqual([])
    expect((await visitor.get('/id')).text()).toBe(before)
  })
})

describe('an id that the store has already', () => {
  /** A store that says of the first `count` new keys that they are taken. */
  function takenAtFirst(count: number) {
    const tried: string[] = []
    class Taken extends MemoryStore {
      override create(key: string, entry: Parameters<MemoryStore['create']>[1]) {
        tried.push(key)
        return tried.length > count && super.create(key, entry)
      }
    }
    return { store: new Taken({ clock: new FakeClock() }), tried }
  }

  it('is given up for one of three new ones, which the cookie names', async () => {
    const { store, tried } = takenAtFirst(3)
    const { browser } = await serveApp(routes, { store })
    const visitor = browser()
    const token = tokenOf((await visitor.get('/set/a')).setCookies[0])
    expect(new Set(tried).size).toBe(4)
    expect(createHash('sha256').update(token.slice(0, 32)).digest('base64url')).toBe(tried[3])
    expect((await visitor.get('/')).json()).toEqual({ a: true })
  })

  it('four times in a row is an error without a cookie', async () => {
    const { store, tried } = takenAtFirst(4)
    const { browser } = await serveApp(routes, { store })
    const answer = await browser().get('/set/a')
    expect(answer.status).toBe(500)
    expect(answer.json()).toMatchObject({ code: 'ERR_ID_TAKEN' })
    expect(answer.setCookies).toEqual([])
    expect(tried).toHaveLength(4)
  })

  it('never joins the session of another visitor', async () => {
    // As with a broken source of randomness: whoever comes second gets the first one's key.
    class Constant extends MemoryStore {
      override create(_key: string, entry: Parameters<MemoryStore['create']>[1]) {
        return super.create('the same key', entry)
      }
    }
    const store = new Constant({ clock: new FakeClock() })
    const { browser } = await serveApp(routes, { store })
    expect((await browser().get('/set/first')).status).toBe(200)
    const second = await browser().get('/set/second')
    expect(second.json()).toMatchObject({ code: 'ERR_ID_TAKEN' })
    expect(second.setCookies).toEqual([])
    const kept = await store.load('the same key')
    expect(kept!.text).toContain('first')
    expect(kept!.text).not.toContain('second')
  })
})

describe('regenerate', () => {
  it.each([
    ['none', {}],
    ['all', { a: true, b: true }],
    ['a', { a: true }],
  ])('keeps %s, and the old object stays readable', async (keep, expected) => {
    const { browser } = await serveApp(routes)
    const visitor = browser()
    await visitor.get('/set/a')
    await visitor.get('/set/b')
    const answer = await visitor.get(`/regenerate/${keep}`)
    expect(answer.json()).toEqual({ old: { a: true, b: true }, changed: true })
    expect((await visitor.get('/')).json()).toEqual(expected)
  })

  it('goes on with what another request has added to a kept session meanwhile', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser, origin } = await serveApp(routes, { store })
    const visitor = browser()
    await visitor.get('/set/a')
    const cookie = visitor.jar.header(`${origin}/`)!
    const create = store.pause('create')
    const renewing = visitor.get('/regenerate/all')
    await create.reached
    // Another process, so that no queue is in the way.
    const other = await serveApp(routes, { store, clock: (await serveApp()).clock })
    await other.browser().get('/set/meanwhile', { headers: { cookie } })
    create.resume()
    await renewing
    expect((await visitor.get('/')).json()).toEqual({ a: true, meanwhile: true })
  })
})

describe('a secret', () => {
  const other = 'another secret of these tests, 32 bytes'

  it('can be retired: an old cookie works, comes back signed anew, and works alone then', async () => {
    const store = new MemoryStore()
    const before = await serveApp(routes, { store })
    const { clock } = before
    const visitor = before.browser()
    await visitor.get('/set/a')
    const cookie = { headers: { cookie: visitor.jar.header(`${before.origin}/`)! } }
    const both = await serveApp(routes, { store, clock, secret: [other, SECRET] })
    const seen = await both.browser().get('/', cookie)
    expect(seen.json()).toEqual({ a: true })
    const renewed = { headers: { cookie: `sid=${tokenOf(seen.setCookies[0])}` } }
    const after = await serveApp(routes, { store, clock, secret: other })
    expect((await after.browser().get('/', renewed)).json()).toEqual({ a: true })
    expect((await after.browser().get('/', cookie)).json()).toEqual({})
  })
})

describe('a signature', () => {
  it('that is wrong costs no store call, wherever it is wrong', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser, sessions } = await serveApp(routes, { store })
    const reasons: string[] = []
    sessions.on('reject', ({ reason }) => reasons.push(reason))
    const token = await sessions.issue({ a: 1 })
    store.calls.length = 0
    const swap = (at: number) =>
      token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
    // In the id, at both ends of the signature, and one of another length.
    const forged = [swap(0), swap(31), swap(33), swap(74), token.slice(0, -1), `${token}A`]
    for (const one of forged) {
      const answer = await browser().get('/', { headers: { cookie: `sid=${one}` } })
      expect(answer.json()).toEqual({})
    }
    expect(store.calls).toEqual([])
    expect(reasons).toEqual([...Array(4).fill('signature'), 'format', 'format'])
  })

  it('that is written in another way is none: there is one token of an id', async () => {
    const { browser, sessions } = await serveApp(routes)
    const token = await sessions.issue({ a: 1 })
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    // The last of 43 characters has two bits that base64url does not need.
    const last = alphabet.indexOf(token.at(-1)!)
    for (const other of [1, 2, 3]) {
      const twin = token.slice(0, -1) + alphabet[last ^ other]
      const answer = await browser().get('/', { headers: { cookie: `sid=${twin}` } })
      expect(answer.json()).toEqual({})
    }
  })
})

describe('several cookies of the name', () => {
  it('are tried until the live one is found', async () => {
    const { browser, origin, sessions } = await serveApp(routes)
    const [first, second] = [browser(), browser()]
    await first.get('/set/a')
    await second.get(`/login?as=${encodeURIComponent('{"userId":1}')}`)
    const stale = `sid=${'x'.repeat(32)}.${'y'.repeat(43)}`
    const a = first.jar.header(`${origin}/`)!
    const b = second.jar.header(`${origin}/`)!
    const read = async (cookie: string) =>
      (await browser().get('/', { headers: { cookie } })).json<AnyData>()
    expect(await read(`${stale}; sid=junk; ${a}`)).toEqual({ a: true })
    const ids: unknown[] = []
    sessions.on('duplicate', (event) => ids.push(event.ids))
    expect(await read(`${a}; ${b}`)).toEqual({ userId: 1 })
    expect(ids).toEqual([[expect.any(String), expect.any(String)]])
  })
})

/** Names and texts of everything below a folder. */
function tree(folder: string): string {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return entry.isFile() ? `${path}\n${readFileSync(path, 'utf8')}` : path
    })
    .join('\n')
}

it('one new id does for all sign-ins by update() in one response', async () => {
  const { browser, sessions } = await serveApp((app, all) => {
    app.get('/start', (req, res) => {
      all.of(req).session.cart = true
      res.end()
    })
    app.get('/switch', async (req, res) => {
      const { session } = all.of(req)
      for (const user of ['ada', 'bob']) {
        await session.update((data) => {
          data.userId = user
        })
      }
      res.end()
    })
  })
  const renewals: unknown[] = []
  sessions.on('renew', ({ user }) => renewals.push(user))
  const visitor = browser()
  await visitor.get('/start')
  await visitor.get('/switch')
  expect(renewals).toEqual(['ada'])
  expect((await visitor.get('/')).json()).toEqual({ cart: true, userId: 'bob' })
})
