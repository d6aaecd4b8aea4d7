import { sign } from 'cookie-signature'
import { describe, expect, it } from 'vitest'
import { bearer, MemoryStore, session, type TokenStore } from '../../src/index.js'
import { FileStore } from '../../src/stores/file.js'
import type { CookieClient, FakeClock } from '../../src/testing/index.js'
import type { AnyData } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'
import { clockAt, DAY, HOUR, KEY, kinds, nodeWith, OLD_KEY } from './clients.js'

const data = async (browser: CookieClient) => (await browser.get('/')).json()

/** One node, or several of one app, and the list that they share. */
function listed(store: TokenStore, more: { absoluteTimeout?: number | false } = {}) {
  const clock = clockAt()
  const inner = new MemoryStore({ clock })
  const list = new WatchedStore(inner)
  const node = (others = {}) =>
    nodeWith({ store, clock, revocations: list, idleTimeout: HOUR, ...more, ...others })
  return { clock, inner, list, node }
}

async function signedIn(browser: CookieClient): Promise<CookieClient> {
  await browser.get('/set/userId/ada')
  return browser
}

describe.each(kinds)('sessions in their cookies, with a list of the revoked: $name', ({ make }) => {
  it('refuses a copy of a cookie after the sign-out, on every node', async () => {
    const { node, clock } = listed(make())
    const [one, other] = [await node(), await node()]
    const ada = await signedIn(one.browser())
    const here = one.copyOf(ada)
    const there = other.copyOf(ada)
    expect(await data(there)).toEqual({ userId: 'ada' })
    await ada.get('/out')
    expect(ada.jar.size).toBe(0)
    expect(await data(here)).toEqual({})
    await clock.advance(1000)
    const refused = await there.get('/')
    expect(refused.json()).toEqual({})
    // Neither cleared nor set: the browser may have a newer one by now.
    expect(refused.setCookies).toEqual([])
    expect(other.events).toEqual(['reject unknown'])
  })

  it('refuses a cookie from before any change too', async () => {
    const { node } = listed(make())
    const app = await node()
    const ada = await signedIn(app.browser())
    const before = app.copyOf(ada)
    await ada.get('/set/cart/full')
    expect(await data(before)).toEqual({ userId: 'ada' })
    await ada.get('/out')
    expect(await data(before)).toEqual({})
  })

  it('refuses a copy of the cookie from before a sign-in', async () => {
    const { node, clock } = listed(make())
    const app = await node()
    const ada = app.browser()
    await ada.get('/set/cart/full')
    const before = app.copyOf(ada)
    await signedIn(ada)
    expect(await data(before)).toEqual({})
    // For a moment it is known as renewed: what it sets starts nothing.
    expect((await before.get('/set/a/1')).setCookies).toEqual([])
    expect(app.events).toEqual(['renew login', 'stale-write superseded'])
    await clock.advance(10_000)
    expect(await data(before)).toEqual({})
    expect(await data(ada)).toEqual({ cart: 'full', userId: 'ada' })
  })

  it('lets one of two renewals of a cookie win', async () => {
    const { node } = listed(make())
    const [one, other] = [await node(), await node()]
    const ada = await signedIn(one.browser())
    const first = one.copyOf(ada)
    const second = other.copyOf(ada)
    const going = [one.slow(), other.slow()]
    const answers = [first, second].map((browser) => browser.get('/slow?regenerate=1'))
    for (const go of await Promise.all(going)) go()
    await Promise.all(answers)
    const alive = await Promise.all([data(first), data(second)])
    expect(alive.filter((found) => Object.keys(found as AnyData).length > 0)).toHaveLength(1)
  })

  it('ends what a cookie was renewed to, when somebody signs out with the old one', async () => {
    const { node } = listed(make())
    const app = await node()
    const ada = await signedIn(app.browser())
    const before = app.copyOf(ada)
    await ada.get('/regenerate?keep=1')
    expect(await data(ada)).toEqual({ userId: 'ada' })
    await before.get('/out')
    expect(await data(ada)).toEqual({})
  })

  it('never leaves a late response in the place of a newer session', async () => {
    const { node } = listed(make())
    const app = await node()
    for (const query of ['', '?saved=1&bytes=0', '?asks=1', '?regenerate=1']) {
      const ada = await signedIn(app.browser())
      const going = app.slow()
      const late = ada.get(`/slow${query}`)
      const go = await going
      await ada.get('/out')
      await ada.get('/set/userId/bob')
      go()
      const { status, setCookies } = await late
      expect([query, status, setCookies]).toEqual([query, query === '?asks=1' ? 409 : 200, []])
      expect(await data(ada)).toEqual({ userId: 'bob' })
    }
  })

  it('sends nothing again that was revoked on another node meanwhile', async () => {
    const { node, clock } = listed(make([KEY, OLD_KEY]))
    const [one, other] = [await node(), await node()]
    const old = await nodeWith({ store: make([OLD_KEY]), clock, idleTimeout: HOUR })
    const ada = await signedIn(old.browser())
    // Its key is an old one, so that it is due.
    expect((await one.copyOf(ada).get('/unread')).setCookies).toHaveLength(1)
    const going = one.slow()
    const browser = one.copyOf(ada)
    const late = browser.get('/slow?bytes=0')
    const go = await going
    await other.copyOf(ada).get('/out')
    await clock.advance(1000)
    go()
    expect((await late).setCookies).toEqual([])
  })

  it('revokes one by its handle, and says once that it has', async () => {
    const { node } = listed(make())
    const [one, other] = [await node(), await node()]
    const ada = one.browser()
    const id = (await ada.get('/set/a/1')).json<string>()
    expect(await other.sessions.revoke(id)).toBe(true)
    expect(await one.sessions.revoke(id)).toBe(false)
    expect(other.events).toEqual(['destroy revoked'])
  })

  it('revokes one by the handle that it had before a renewal', async () => {
    const { node } = listed(make())
    const app = await node()
    const ada = app.browser()
    const id = (await ada.get('/set/a/1')).json<string>()
    await ada.get('/regenerate?keep=1')
    expect(await app.sessions.revoke(id)).toBe(true)
    expect(await data(ada)).toEqual({})
  })

  it('ends all sessions of a user, on every node, and nobody else’s', async () => {
    const { node, clock } = listed(make())
    const [one, other] = [await node(), await node()]
    const ada = await signedIn(one.browser())
    const phone = await signedIn(other.browser())
    const bob = one.browser()
    await bob.get('/set/userId/bob')
    expect(await other.sessions.revokeUser('ada')).toBe(0)
    await clock.advance(1000)
    expect(await data(ada)).toEqual({})
    expect(await data(phone)).toEqual({})
    expect(await data(bob)).toEqual({ userId: 'bob' })
    // Who signs in again is in, wherever.
    expect(await data(await signedIn(ada))).toEqual({ userId: 'ada' })
    expect(await data(await signedIn(phone))).toEqual({ userId: 'ada' })
  })

  it('lets a user sign in who has just been revoked elsewhere', async () => {
    const { node, clock } = listed(make())
    const [one, other] = [await node(), await node()]
    const ada = await signedIn(one.browser())
    await other.sessions.revokeUser('ada')
    const again = await signedIn(one.browser())
    await clock.advance(1000)
    expect(await data(ada)).toEqual({})
    expect(await data(again)).toEqual({ userId: 'ada' })
  })

  it('ends all but the session that is named, which goes on', async () => {
    const { node, clock } = listed(make())
    const [one, other] = [await node(), await node()]
    const ada = await signedIn(one.browser())
    const phone = await signedIn(other.browser())
    for (let times = 0; times < 2; times++) {
      await ada.get('/others/ada')
      await clock.advance(1000)
      expect(await data(phone)).toEqual({})
      expect(await data(other.copyOf(ada))).toEqual({ userId: 'ada' })
      await signedIn(phone)
    }
    // Under each later name too.
    for (const path of ['/set/a/1', '/regenerate?keep=1', '/authenticated', '/set/b/2']) {
      await ada.get(path)
      await clock.advance(1000)
      expect(await data(ada)).toMatchObject({ userId: 'ada' })
    }
    await other.sessions.revokeUser('ada')
    await clock.advance(1000)
    expect(await data(ada)).toEqual({})
  })

  it('ends all but the session that is named, though it was renewed elsewhere a moment ago', async () => {
    const { node, clock } = listed(make())
    const [one, other] = [await node(), await node()]
    const ada = await signedIn(one.browser())
    const id = (await ada.get('/set/a/1')).json<string>()
    const phone = await signedIn(one.browser())
    for (let times = 0; times < 3; times++) await ada.get('/regenerate?keep=1')
    await other.sessions.revokeUser('ada', { except: id })
    await clock.advance(1000)
    expect(await data(ada)).toEqual({ userId: 'ada', a: '1' })
    expect(await data(phone)).toEqual({})
    // Not for a name from before a sign-in: that is another session.
    await ada.get('/out')
    const before = (await ada.get('/set/a/1')).json<string>()
    await signedIn(ada)
    await other.sessions.revokeUser('ada', { except: before })
    await clock.advance(1000)
    expect(await data(ada)).toEqual({})
  })

  it('is done where somebody else ends them at the same moment, so that a crowd loses no races', async () => {
    const { node, clock, inner, list } = listed(make())
    const [one, other] = [await node(), await node({ revocations: new WatchedStore(inner) })]
    const ada = await signedIn(one.browser())
    const gate = list.pause('create')
    const late = one.sessions.revokeUser('ada')
    await gate.reached
    await other.sessions.revokeUser('ada')
    gate.resume()
    await late
    expect(list.count('replace')).toBe(0)
    await clock.advance(1000)
    expect(await data(ada)).toEqual({})
  })

  it('ends them, also one that somebody else spares at the same moment', async () => {
    const { node, clock, inner, list } = listed(make())
    const [one, other] = [await node(), await node({ revocations: new WatchedStore(inner) })]
    const ada = await signedIn(one.browser())
    const phone = await signedIn(other.browser())
    const except = (await ada.get('/set/a/1')).json<string>()
    const gate = list.pause('create')
    const all = one.sessions.revokeUser('ada')
    await gate.reached
    await other.sessions.revokeUser('ada', { except })
    gate.resume()
    await all
    await clock.advance(1000)
    expect([await data(ada), await data(phone)]).toEqual([{}, {}])
  })

  it('ends them though the clocks of the nodes differ', async () => {
    const { node, clock } = listed(make())
    const one = await node()
    const ahead = clockAt()
    await ahead.advance(50_000)
    const other = await node({ clock: ahead })
    const ada = await signedIn(other.browser())
    await one.sessions.revokeUser('ada')
    await Promise.all([clock.advance(1000), ahead.advance(1000)])
    expect(await data(ada)).toEqual({})
    await signedIn(ada)
    await other.sessions.revokeUser('ada')
    // The other clock is behind: the epoch grows all the same.
    const phone = one.copyOf(await signedIn(other.browser()))
    await one.sessions.revokeUser('ada')
    await Promise.all([clock.advance(1000), ahead.advance(1000)])
    expect(await data(ada)).toEqual({})
    expect(await data(phone)).toEqual({})
  })

  it('lets no renewal that is under way slip through', async () => {
    const { node } = listed(make())
    const app = await node()
    const ada = await signedIn(app.browser())
    const going = app.slow()
    const late = ada.get('/slow?regenerate=1')
    const go = await going
    await app.sessions.revokeUser('ada')
    go()
    expect((await late).setCookies).toEqual([])
    expect(await data(ada)).toEqual({})
  })

  it('is an error, and no session, while the list cannot be read', async () => {
    const { node, clock, list } = listed(make())
    const app = await node()
    const ada = await signedIn(app.browser())
    await clock.advance(1000)
    list.fail('load')
    expect(await ada.get('/')).toMatchObject({ status: 503, setCookies: [] })
    list.silence('load')
    list.calls.length = 0
    const waiting = ada.get('/')
    await expect.poll(() => list.count('load')).toBe(2)
    await clock.advance(2000)
    const late = await waiting
    expect([late.status, late.json()]).toMatchObject([503, { code: 'ERR_STORE_TIMEOUT' }])
    list.recover()
    expect(await data(ada)).toEqual({ userId: 'ada' })
  })

  it('is nobody then, where public pages stay up', async () => {
    const { node, clock, list } = listed(make())
    const app = await node({ onStoreError: 'anonymous' })
    const ada = await signedIn(app.browser())
    await clock.advance(1000)
    list.fail('load')
    expect(await data(ada)).toEqual({})
    expect(await ada.get('/set/userId/bob')).toMatchObject({ status: 503, setCookies: [] })
  })

  it('keeps the session where a sign-out or a sign-in cannot be listed', async () => {
    const { node, list } = listed(make())
    const app = await node()
    const ada = await signedIn(app.browser())
    list.fail('create')
    expect(await ada.get('/out')).toMatchObject({ status: 500, setCookies: [] })
    expect(await ada.get('/set/userId/bob')).toMatchObject({ status: 500, setCookies: [] })
    list.recover()
    expect(await data(ada)).toEqual({ userId: 'ada' })
    await ada.get('/out')
    expect(await data(ada)).toEqual({})
  })

  it('keeps the session where a sign-in makes it too large, or one that no token can hold', async () => {
    for (const overflow of [undefined, new MemoryStore()]) {
      const { node } = listed(make(), overflow && ({ overflow } as object))
      const app = await node({ user: (data: AnyData) => data.userId ?? data.exp })
      const ada = app.browser()
      await ada.get('/set/a/1')
      if (overflow === undefined) {
        const large = 'a'.repeat(4000)
        for (const path of [`/set/userId/${large}`, `/update/userId/${large}`]) {
          const { status, setCookies } = await ada.get(path)
          expect([status, setCookies]).toEqual([500, []])
          expect(await data(ada)).toEqual({ a: '1' })
        }
      }
      const isHeld = make().reserved === undefined
      expect((await ada.get('/set/exp/ada')).status).toBe(isHeld ? 200 : 500)
      expect(await data(ada)).toEqual(isHeld ? { a: '1', exp: 'ada' } : { a: '1' })
    }
  })

  it('asks twice for a session with a user, at once, and never for nothing', async () => {
    const { node, clock, list } = listed(make())
    const app = await node()
    const ada = await signedIn(app.browser())
    await clock.advance(1000)
    list.calls.length = 0
    await app.browser().get('/')
    await app.browser().get('/', { headers: { cookie: 'sid=junk' } })
    expect(list.calls).toEqual([])
    const gate = list.pause('load')
    const answer = ada.get('/')
    await gate.reached
    // Neither has been answered yet.
    expect(list.calls).toEqual(['load', 'load'])
    gate.resume()
    await answer
    await ada.get('/')
    expect(list.calls).toEqual(['load', 'load'])
    await ada.get('/set/a/1')
    expect(list.calls).toEqual(['load', 'load'])
  })

  it('believes an answer for a second', async () => {
    const { node, clock } = listed(make())
    const [one, other] = [await node(), await node()]
    const ada = await signedIn(one.browser())
    const there = other.copyOf(ada)
    expect(await data(there)).toEqual({ userId: 'ada' })
    await ada.get('/out')
    await clock.advance(999)
    expect(await data(there)).toEqual({ userId: 'ada' })
    await clock.advance(1)
    expect(await data(there)).toEqual({})
  })

  it('lists a session until no token of it can be valid, and no longer', async () => {
    for (const [absoluteTimeout, end] of [
      [DAY, DAY],
      [false, 400 * DAY],
    ] as const) {
      const { node, clock, inner } = listed(make(), { absoluteTimeout })
      const app = await node()
      const ada = app.browser()
      await ada.get('/set/a/1')
      await ada.get('/out')
      const kept = async () => {
        const found: string[] = []
        for await (const { key } of inner.entries()) found.push(key)
        return found
      }
      expect(await kept()).toEqual([expect.stringMatching(/^[\w-]{43}$/)])
      await clock.advance(end)
      expect(await kept()).toHaveLength(1)
      await clock.advance(60_000)
      expect(await kept()).toEqual([])
    }
  })

  it('lists a session for the longest lifetime that an older token of it may have', async () => {
    for (const absoluteTimeout of [30 * DAY, false] as const) {
      const { node, clock } = listed(make(), { absoluteTimeout })
      const app = await node()
      const ada = app.browser()
      await ada.get('/set/a/1')
      await ada.get(`/remember/${30 * DAY}`)
      const copy = app.copyOf(ada)
      await ada.get(`/remember/${HOUR}`)
      await ada.get('/out')
      expect(await data(copy)).toEqual({})
      await clock.advance(3 * HOUR)
      expect(await data(copy)).toEqual({})
    }
  })

  it('refuses everybody of a user whose epoch was damaged, until it is raised again', async () => {
    const { node, clock, inner } = listed(make())
    const app = await node()
    const ada = await signedIn(app.browser())
    await app.sessions.revokeUser('bob')
    await ada.get('/others/ada')
    for await (const { key, ...stored } of inner.entries()) {
      await inner.replace(key, { text: '{"v":2}', expiresAt: stored.expiresAt }, stored)
    }
    await clock.advance(1000)
    expect((await ada.get('/')).status).toBe(503)
    await app.sessions.revokeUser('ada')
    expect(await data(ada)).toEqual({})
    expect(await data(await signedIn(ada))).toEqual({ userId: 'ada' })
  })

  it('works with a store on the disk, which outlives the process', async ({ onTestFinished }) => {
    const { mkdtemp, rm } = await import('node:fs/promises')
    const path = await mkdtemp(`${process.env.TMPDIR ?? '/tmp'}/coatcheck-`)
    onTestFinished(() => rm(path, { recursive: true, force: true }))
    const clock = clockAt()
    const node = () =>
      nodeWith({ store: make(), clock, revocations: new FileStore({ path, clock }) })
    const one = await node()
    const ada = await signedIn(one.browser())
    const copy = one.copyOf(ada)
    await ada.get('/out')
    await one.sessions.close()
    const next = await node()
    expect(await data(next.copyOf(copy))).toEqual({})
  })

  it('says what works', async () => {
    const { node } = listed(make())
    const { sessions } = await node()
    expect(sessions.capabilities).toEqual({
      byUser: false,
      revokeUser: true,
      revoke: true,
      sweep: false,
      atomic: 'none',
    })
    await expect(sessions.list('ada')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
  })

  it('is listed by nothing that names it', async () => {
    const { node, inner } = listed(make())
    const app = await node()
    const ada = app.browser()
    const id = (await ada.get('/set/userId/ada')).json<string>()
    await ada.get('/out')
    await app.sessions.revokeUser('ada')
    for await (const { key, text } of inner.entries()) {
      expect(`${key} ${text}`).not.toContain(id)
      expect(text).not.toContain('ada')
    }
  })

  it('tells when a store that is full forgets what was revoked', async () => {
    const clock = clockAt()
    const revocations = new MemoryStore({ clock, maxEntries: 1 })
    const { sessions } = await nodeWith({ store: make(), clock, revocations })
    const errors: string[] = []
    sessions.on('error', ({ error }) => void errors.push(error.message))
    await sessions.revoke('one')
    expect(errors).toEqual([])
    await sessions.revoke('other')
    expect(errors).toEqual([expect.stringContaining('has dropped a revocation')])
  })

  it('sweeps the list', async () => {
    const clock = clockAt()
    const revocations = new MemoryStore({ clock })
    const app = await nodeWith({ store: make(), clock, revocations, absoluteTimeout: DAY })
    const ada = app.browser()
    await ada.get('/set/a/1')
    await ada.get('/out')
    clock.set(clock.now() + 3 * DAY)
    expect(app.sessions.capabilities.sweep).toBe(true)
    expect(await app.sessions.sweep()).toBe(1)
  })

  it('ends nothing that another node has taken over from express-session', async () => {
    const { node, clock } = listed(make())
    const records = new MemoryStore({ clock })
    const text = JSON.stringify({ cookie: { path: '/' }, userId: 'ada' })
    await records.create('old', { text, expiresAt: clock.now() + HOUR })
    const secret = 'keyboard cat'
    const cookie = `connect.sid=${encodeURIComponent(`s:${sign('old', secret)}`)}`
    const stores = [new WatchedStore(records), new WatchedStore(records)]
    const nodes = await Promise.all(
      stores.map((store) => node({ from: { expressSession: { secret, store } } })),
    )
    // Both have found the old record before either ends it.
    const gates = stores.map((store) => store.pause('load'))
    const browsers = nodes.map(({ browser }) => browser())
    const answers = browsers.map((browser) => browser.get('/', { headers: { cookie } }))
    for (const gate of gates) await gate.reached
    for (const gate of gates) gate.resume()
    await Promise.all(answers)
    await clock.advance(1000)
    const found = await Promise.all(browsers.map(data))
    expect(found).toContainEqual({ userId: 'ada' })
    const winner = browsers[found.findIndex((one) => Object.keys(one as AnyData).length > 0)]!
    // Who signs out does not come back with the old cookie.
    await winner.get('/out')
    await records.create('old', { text, expiresAt: clock.now() + HOUR })
    await clock.advance(1000)
    for (const { browser } of nodes) {
      expect((await browser().get('/', { headers: { cookie } })).json()).toEqual({})
    }
  })

  it('holds for tokens in Authorization', async () => {
    const clock = clockAt()
    const revocations = new MemoryStore({ clock })
    const transport = bearer()
    const sessions = session<AnyData>({ store: make(), clock, revocations, transport })
    const token = await sessions.issue({ userId: 'ada' })
    const headers = { authorization: `Bearer ${token}` }
    expect({ ...(await sessions.read({ headers })) }).toEqual({ userId: 'ada' })
    await sessions.revokeUser('ada')
    expect(await sessions.read({ headers })).toBeNull()
    const again = { authorization: `Bearer ${await sessions.issue({ userId: 'ada' })}` }
    const found = await sessions.read({ headers: again })
    await found!.destroy()
    expect(await sessions.read({ headers: again })).toBeNull()
  })
})

describe('a session of another maker of JWTs', () => {
  it('ends with the others of its user, unless it was made since', async () => {
    const { SignJWT } = await import('jose')
    const { hkdfSync } = await import('node:crypto')
    const clock: FakeClock = clockAt()
    const revocations = new MemoryStore({ clock })
    const jwt = kinds[1]!.make()
    const sessions = session<AnyData>({ store: jwt, clock, revocations, idleTimeout: HOUR })
    const kid = Buffer.from(hkdfSync('sha256', KEY, '', 'coatcheck jwt kid', 6))
    const made = (at: number) =>
      new SignJWT({ userId: 'ada' })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: kid.toString('base64url') })
        .setSubject('ada')
        .setAudience('sid')
        .setIssuedAt(Math.floor(at / 1000))
        .setExpirationTime(Math.floor(at / 1000) + 3600)
        .sign(new TextEncoder().encode(KEY))
    const read = async (token: string) => {
      const found = await sessions.read({ headers: { cookie: `sid=${token}` } })
      return found === null ? null : { ...found }
    }
    const before = await made(clock.now())
    expect(await read(before)).toEqual({ userId: 'ada' })
    await sessions.revokeUser('ada')
    expect(await read(before)).toBeNull()
    expect(await read(await made(clock.now() + 59_000))).toBeNull()
    await clock.advance(60_000)
    expect(await read(await made(clock.now()))).toEqual({ userId: 'ada' })
  })
})

describe('revocations', () => {
  it.each([
    ['no store', {}, 'revocations is an object without load'],
    ['nothing', null, 'revocations is null'],
    ['a store made for express-session', { get() {}, set() {}, destroy() {} }, 'none made for'],
    ['a token store', kinds[0]!.make(), 'without load'],
  ])('that are %s are refused at start', (_, revocations, message) => {
    const make = () => session({ store: kinds[0]!.make(), revocations: revocations as never })
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
    expect(make).toThrow(message)
  })

  it('are not for sessions that a store keeps', () => {
    const options = { secret: KEY, revocations: new MemoryStore() }
    expect(() => session(options as never)).toThrow(/travel in their tokens/)
  })
})
