import { sign } from 'cookie-signature'
import { describe, expect, it } from 'vitest'
import {
  bearer,
  MemoryStore,
  session,
  type TokenSessionOptions,
  type TokenStore,
} from '../../src/index.js'
import { FileStore } from '../../src/stores/file.js'
import type { CookieClient } from '../../src/testing/index.js'
import type { AnyData } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'
import { clockAt, DAY, HOUR, KEY, kinds, nodeWith, OLD_KEY } from './clients.js'

const LARGE = '/large/big/5000'

const dataOf = async (browser: CookieClient) => (await browser.get('/')).json<AnyData>()
const keysOf = async (browser: CookieClient) => Object.keys(await dataOf(browser)).toSorted()
const tokenOf = (browser: CookieClient) => browser.jar.get('sid')!.value

function overflowing(store: TokenStore, more: Partial<TokenSessionOptions<AnyData>> = {}) {
  const clock = clockAt()
  const inner = new MemoryStore({ clock })
  const shelf = new WatchedStore(inner)
  const node = (others: Partial<TokenSessionOptions<AnyData>> = {}) =>
    nodeWith({ store, clock, overflow: shelf, idleTimeout: HOUR, ...more, ...others })
  const handles = async () => {
    const found: string[] = []
    for await (const { key } of inner.entries()) found.push(key)
    return found
  }
  return { clock, inner, shelf, node, handles }
}

describe.each(kinds)('a session too large for its cookie: $name', ({ make }) => {
  it('goes to the store, under its handle, and its cookie leads there from every node', async () => {
    const { node, handles } = overflowing(make())
    const [one, other] = [await node(), await node()]
    const ada = one.browser()
    const id = (await ada.get('/set/a/1')).json()
    expect(await handles()).toEqual([])
    expect((await ada.get(LARGE)).json()).toBe(id)
    expect(await handles()).toEqual([id])
    expect(tokenOf(ada).length).toBeLessThan(800)
    expect(await dataOf(ada)).toEqual({ a: '1', big: 'x'.repeat(5000) })
    expect(await keysOf(other.copyOf(ada))).toEqual(['a', 'big'])
  })

  it('may begin there', async () => {
    const { node, handles } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    const id = (await ada.get(LARGE)).json()
    expect(await handles()).toEqual([id])
    expect(await keysOf(ada)).toEqual(['big'])
  })

  it('stays in its cookie as long as it fits', async () => {
    const { node, shelf } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    let cookie = ''
    let bytes = 2000
    for (; shelf.calls.length === 0; bytes += 20) {
      const { setCookies, status } = await ada.get(`/large/big/${bytes}`)
      expect(status).toBe(200)
      if (shelf.calls.length === 0) cookie = setCookies[0]!
    }
    expect(cookie.length).toBeLessThanOrEqual(4096)
    expect(tokenOf(ada).length).toBeLessThan(800)
    const [value] = /(?<=^sid=)[^;]+/.exec(cookie)!
    expect(value.length).toBeGreaterThan(3840 - 40)
    expect(value.length).toBeLessThanOrEqual(3840)
  })

  it('stays there when it shrinks, and needs no cookie for a change', async () => {
    const { node, handles } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    const id = (await ada.get(LARGE)).json()
    const before = app.copyOf(ada)
    expect((await ada.get('/delete/big')).setCookies).toEqual([])
    expect((await ada.get('/set/a/1')).setCookies).toEqual([])
    expect(await handles()).toEqual([id])
    // Who came with the same cookie sees it too.
    expect(await dataOf(before)).toEqual({ a: '1' })
  })

  it('counts exactly, and keeps what parallel requests change', async () => {
    const { node } = overflowing(make())
    const nodes = [await node(), await node()]
    const ada = nodes[0]!.browser()
    await ada.get(LARGE)
    const each = Array.from({ length: 10 }, (_, n) => n)
    await Promise.all(
      each.flatMap((n) => {
        const browser = nodes[n % 2]!.copyOf(ada)
        return [browser.get('/count'), browser.get(`/set/key${n}/1`)]
      }),
    )
    const data = await dataOf(ada)
    expect(data.count).toBe(10)
    expect(Object.keys(data)).toHaveLength(12)
  })

  it('merges what two requests have made too large at once', async () => {
    const { node } = overflowing(make())
    const [one, other] = [await node(), await node()]
    const ada = one.browser()
    await ada.get('/set/a/1')
    const there = other.copyOf(ada)
    const going = [one.slow(), other.slow()]
    const first = ada.get('/slow?key=b&bytes=5000')
    const second = there.get('/slow?key=c&bytes=5000')
    for (const slow of going) {
      const go = await slow
      go()
    }
    await Promise.all([first, second])
    expect(await keysOf(ada)).toEqual(['a', 'b', 'c'])
    expect(await keysOf(there)).toEqual(['a', 'b', 'c'])
  })

  it('counts on what another request has moved meanwhile', async () => {
    const { node } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    await ada.get('/set/base/1')
    const before = app.copyOf(ada)
    await ada.get(LARGE)
    // The request still carries all of it, and makes it too large as well.
    await before.get('/large/other/5000')
    expect(await keysOf(before)).toEqual(['base', 'big', 'other'])
  })

  it('is renewed there, at a sign-in and by hand', async () => {
    const { node, handles } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    await ada.get(LARGE)
    const before = app.copyOf(ada)
    await ada.get('/set/userId/ada')
    expect(await keysOf(ada)).toEqual(['big', 'userId'])
    expect(await keysOf(before)).toEqual([])
    const id = (await ada.get('/regenerate?keep=1')).json()
    expect(await keysOf(ada)).toEqual(['big', 'userId'])
    expect(await handles()).toContain(id)
    await ada.get('/authenticated')
    expect(await keysOf(ada)).toEqual(['big', 'userId'])
    expect(app.events).toEqual(['renew login', 'renew regenerate', 'renew authenticated'])
  })

  it('takes to a new name what another request has moved meanwhile', async () => {
    const { node } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    await ada.get('/set/a/1')
    const before = app.copyOf(ada)
    await ada.get(LARGE)
    await before.get('/set/userId/ada')
    expect(await keysOf(before)).toEqual(['a', 'big', 'userId'])
    expect(await keysOf(ada)).toEqual([])
  })

  it('may become too large by its sign-in', async () => {
    const { node } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    await ada.get('/large/big/2000')
    await ada.get(`/set/userId/${'a'.repeat(1500)}`)
    expect(await keysOf(ada)).toEqual(['big', 'userId'])
    expect(tokenOf(ada).length).toBeGreaterThan(1500)
  })

  it('ends with a sign-out, for every copy of the cookie that leads there', async () => {
    const { node, handles } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    await ada.get(LARGE)
    const copy = app.copyOf(ada)
    await ada.get('/out')
    expect(ada.jar.size).toBe(0)
    expect(await handles()).toEqual([])
    expect(await keysOf(copy)).toEqual([])
    expect((await copy.get('/')).setCookies).toEqual([])
    expect(app.events).toEqual(['destroy logout', 'reject unknown', 'reject unknown'])
  })

  it('ends with the sign-out of a request that came before it was moved', async () => {
    const { node, handles } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    await ada.get('/set/a/1')
    const before = app.copyOf(ada)
    await ada.get(LARGE)
    await before.get('/out')
    expect(await handles()).toEqual([])
    expect(await keysOf(ada)).toEqual([])
  })

  it('slides on the server, and ends at its idle and its absolute time', async () => {
    const { node, clock, handles } = overflowing(make(), { absoluteTimeout: 3 * HOUR })
    const app = await node()
    const ada = app.browser()
    await ada.get(LARGE)
    for (let n = 0; n < 4; n++) {
      await clock.advance(0.7 * HOUR)
      const read = await ada.get('/')
      expect([Object.keys(read.json<AnyData>()), read.setCookies]).toEqual([['big'], []])
      await app.sessions.settled()
    }
    await clock.advance(0.2 * HOUR)
    expect(await keysOf(ada)).toEqual([])
    await ada.get(LARGE)
    await clock.advance(HOUR)
    expect(await keysOf(ada)).toEqual([])
    await app.sessions.settled()
    expect(await handles()).toEqual([])
  })

  it('goes on for years, where nothing but its idle time ends it', async () => {
    const { node, clock } = overflowing(make(), { absoluteTimeout: false, idleTimeout: 300 * DAY })
    const app = await node()
    const ada = app.browser()
    await ada.get(LARGE)
    for (let n = 0; n < 3; n++) {
      await clock.advance(250 * DAY)
      expect(await keysOf(ada)).toEqual(['big'])
      await app.sessions.settled()
    }
  })

  it('is saved, read again and touched there', async () => {
    const { node, clock } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    await ada.get(LARGE)
    const headers = { cookie: `sid=${tokenOf(ada)}` }
    // Without a response there can be no cookie, and none is needed.
    const mine = (await app.sessions.read({ headers }))!
    const other = (await app.sessions.read({ headers }))!
    mine.a = 1
    await mine.save()
    await other.reload()
    expect(other.a).toBe(1)
    expect(await other.update((data) => (data.a = Number(data.a) + 1))).toBe(2)
    await clock.advance(0.9 * HOUR)
    await mine.touch()
    await clock.advance(0.9 * HOUR)
    expect(await dataOf(ada)).toMatchObject({ a: 2 })
    await mine.destroy()
    await expect(other.save()).resolves.toBeUndefined()
    await expect(other.reload()).rejects.toMatchObject({ code: 'ERR_GONE' })
  })

  it('cannot be reached by a forged cookie, nor by one of another name or key', async () => {
    const { node, inner } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    const id = (await ada.get(LARGE)).json<string>()
    const token = tokenOf(ada)
    const elsewhere = make([OLD_KEY])
    const stored = { facts: { created: 0, started: 0, idle: null, stored: true }, data: {} }
    const sealed = (handle: string, store: TokenStore, audience = 'sid') =>
      store.seal(
        { handle, text: JSON.stringify({ v: 1, ...stored }), expiresAt: 1e14 },
        { now: clockAt().now(), audience },
      )
    const read = async (value: string) => {
      const found = await app.sessions.read({ headers: { cookie: `sid=${value}` } })
      return found === null ? null : Object.keys(found)
    }
    expect(await read(token)).toEqual(['big'])
    expect(await read(sealed(id, make()))).toEqual(['big'])
    expect(await read(sealed(id, elsewhere))).toBeNull()
    expect(await read(sealed(id, make(), 'other'))).toBeNull()
    expect(await read(id)).toBeNull()
    expect(await read(`${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`)).toBeNull()
    // A record that nobody has moved there is none of these sessions.
    const text = JSON.stringify({
      v: 1,
      facts: { created: 0, started: clockAt().now(), idle: HOUR },
      data: { admin: true },
    })
    await inner.create('x'.repeat(43), { text, expiresAt: clockAt().now() + HOUR })
    expect(await read(sealed('x'.repeat(43), make()))).toBeNull()
  })

  it('goes on where the option `user` finds its user anew, and ends with that user’s', async () => {
    const revocations = new MemoryStore()
    const { node, clock } = overflowing(make(), { revocations })
    const ada = (await node()).browser()
    await ada.get(LARGE)
    await ada.get('/set/account/ada')
    const next = await node({ user: (data) => data.account })
    const there = next.copyOf(ada)
    await there.get('/set/b/1')
    expect(await keysOf(there)).toEqual(['account', 'b', 'big'])
    await next.sessions.revokeUser('ada')
    await clock.advance(1000)
    expect(await keysOf(there)).toEqual([])
  })

  it('is taken over from express-session by two nodes at once, as one', async () => {
    const { node, clock, handles } = overflowing(make())
    const records = new MemoryStore({ clock })
    const text = JSON.stringify({ cookie: { path: '/' }, big: 'x'.repeat(5000) })
    await records.create('old', { text, expiresAt: clock.now() + HOUR })
    const secret = 'keyboard cat'
    const cookie = `connect.sid=${encodeURIComponent(`s:${sign('old', secret)}`)}`
    const stores = [new WatchedStore(records), new WatchedStore(records)]
    const nodes = await Promise.all(
      stores.map((old) => node({ from: { expressSession: { secret, store: old } } })),
    )
    // Both have found the old record before either ends it.
    const gates = stores.map((old) => old.pause('load'))
    const browsers = nodes.map(({ browser }) => browser())
    const answers = browsers.map((browser) => browser.get('/', { headers: { cookie } }))
    for (const gate of gates) await gate.reached
    for (const gate of gates) gate.resume()
    for (const answer of answers) expect((await answer).status).toBe(200)
    expect(await handles()).toHaveLength(1)
    for (const browser of browsers) expect(await keysOf(browser)).toEqual(['big'])
  })

  it('is gone where its record is, and where nobody has the store', async () => {
    const { node, inner, clock } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    const id = (await ada.get(LARGE)).json<string>()
    const without = await nodeWith({ store: make(), clock, idleTimeout: HOUR })
    expect(await dataOf(without.copyOf(ada))).toEqual({})
    expect((await without.copyOf(ada).get('/unread')).setCookies).toEqual([])
    await inner.destroy(id)
    expect(await dataOf(ada)).toEqual({})
    expect(app.events).toEqual(['reject unknown'])
    await ada.get('/set/a/1')
    expect(await dataOf(ada)).toEqual({ a: '1' })
  })

  it('is an error, and no empty session, while the store cannot be read', async () => {
    const { node, shelf } = overflowing(make())
    const app = await node()
    const [ada, bob] = [app.browser(), app.browser()]
    await ada.get(LARGE)
    await bob.get('/set/a/1')
    shelf.fail('load')
    expect(await ada.get('/')).toMatchObject({ status: 503, setCookies: [] })
    // Who has no record there needs no store.
    expect(await dataOf(bob)).toEqual({ a: '1' })
    shelf.recover()
    expect(await keysOf(ada)).toEqual(['big'])
  })

  it('stays as it was where a sign-in or a sign-out cannot look for what was moved', async () => {
    const { node, shelf } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    await ada.get('/set/a/1')
    shelf.fail('load')
    for (const path of ['/set/userId/ada', '/out']) {
      expect([path, await ada.get(path)]).toMatchObject([path, { status: 500, setCookies: [] }])
    }
    expect(await dataOf(ada)).toEqual({ a: '1' })
  })

  it('stays as it was where it cannot be moved', async () => {
    const { node, shelf } = overflowing(make())
    const app = await node()
    const ada = app.browser()
    await ada.get('/set/a/1')
    shelf.fail('create')
    expect(await ada.get(LARGE)).toMatchObject({ status: 500, setCookies: [] })
    expect(await dataOf(ada)).toEqual({ a: '1' })
  })

  it('comes back under the newest key', async () => {
    const { node } = overflowing(make([OLD_KEY]))
    const both = await node({ store: make([KEY, OLD_KEY]) })
    const newest = await node({ store: make([KEY]) })
    const ada = (await node()).browser()
    await ada.get(LARGE)
    const there = both.copyOf(ada)
    expect((await there.get('/unread')).setCookies).toHaveLength(1)
    expect(await keysOf(newest.copyOf(there))).toEqual(['big'])
  })

  it('lies on the disk, and in no cookie', async ({ onTestFinished }) => {
    const { mkdtemp, rm } = await import('node:fs/promises')
    const path = await mkdtemp(`${process.env.TMPDIR ?? '/tmp'}/coatcheck-`)
    onTestFinished(() => rm(path, { recursive: true, force: true }))
    const clock = clockAt()
    const node = () => nodeWith({ store: make(), clock, overflow: new FileStore({ path, clock }) })
    const one = await node()
    const ada = one.browser()
    await ada.get(LARGE)
    await one.sessions.close()
    expect(await keysOf((await node()).copyOf(ada))).toEqual(['big'])
  })

  it('overflows in Authorization too, where that was asked for', async () => {
    const clock = clockAt()
    const overflow = new MemoryStore({ clock })
    const options = { store: make(), clock, transport: bearer() }
    const large = { big: 'x'.repeat(5000) }
    const read = async (sessions: ReturnType<typeof session<AnyData>>, token: string) => {
      const headers = { authorization: `Bearer ${token}` }
      return { ...(await sessions.read({ headers })) }
    }
    const carrying = session<AnyData>(options)
    const whole = await carrying.issue(large)
    expect(whole.length).toBeGreaterThan(5000)
    const sessions = session<AnyData>({ ...options, overflow })
    const token = await sessions.issue(large)
    expect(token.length).toBeLessThan(800)
    expect(await read(sessions, token)).toEqual(large)
    expect(await read(sessions, whole)).toEqual(large)
  })
})

describe.each(kinds)('with a list of the revoked as well: $name', ({ make }) => {
  const both = (more = {}) => {
    const made = overflowing(make())
    const list = new WatchedStore(new MemoryStore({ clock: made.clock }))
    return { ...made, list, node: () => made.node({ revocations: list, ...more }) }
  }

  it('a sign-out ends the record, and every older cookie that carries it', async () => {
    const { node, handles } = both()
    const app = await node()
    const ada = app.browser()
    await ada.get('/set/a/1')
    const older = app.copyOf(ada)
    await ada.get(LARGE)
    const copy = app.copyOf(ada)
    expect(await keysOf(older)).toEqual(['a'])
    await ada.get('/out')
    expect(await handles()).toEqual([])
    expect(await keysOf(older)).toEqual([])
    expect(await keysOf(copy)).toEqual([])
  })

  it('a renewal ends every older cookie that carries it', async () => {
    const { node } = both()
    const app = await node()
    const ada = app.browser()
    await ada.get('/set/a/1')
    const older = app.copyOf(ada)
    await ada.get(LARGE)
    const copy = app.copyOf(ada)
    await ada.get('/set/userId/ada')
    expect(await keysOf(older)).toEqual([])
    expect(await keysOf(copy)).toEqual([])
    expect(await keysOf(ada)).toEqual(['a', 'big', 'userId'])
  })

  it('nothing is moved that was revoked while its request ran', async () => {
    const { node, handles } = both()
    const app = await node()
    const other = await node()
    const ada = app.browser()
    const id = (await ada.get('/set/a/1')).json<string>()
    const going = app.slow()
    const late = ada.get('/slow?bytes=5000')
    const go = await going
    expect(await other.sessions.revoke(id)).toBe(true)
    go()
    expect((await late).setCookies).toEqual([])
    expect(await handles()).toEqual([])
    expect(app.events).toEqual(['stale-write gone'])
  })

  it('nothing is moved that was revoked between its look and its move', async () => {
    const { node, shelf, handles } = both()
    const [app, other] = [await node(), await node()]
    const ada = app.browser()
    const id = (await ada.get('/set/a/1')).json<string>()
    const gate = shelf.pause('create')
    const late = ada.get(LARGE)
    await gate.reached
    expect(await other.sessions.revoke(id)).toBe(true)
    gate.resume()
    expect((await late).setCookies).toEqual([])
    expect(await handles()).toEqual([])
  })

  it('a user’s sessions end wherever they lie, but for the one that is spared', async () => {
    const { node, clock } = both()
    const [app, other] = [await node(), await node()]
    const ada = app.browser()
    const phone = other.browser()
    for (const browser of [ada, phone]) {
      await browser.get(LARGE)
      await browser.get('/set/userId/ada')
    }
    await ada.get('/others/ada')
    await clock.advance(1000)
    expect(await keysOf(phone)).toEqual([])
    expect(await keysOf(ada)).toEqual(['big', 'userId'])
    await ada.get('/regenerate?keep=1')
    await ada.get('/count')
    await clock.advance(1000)
    expect(await keysOf(ada)).toEqual(['big', 'count', 'userId'])
    await app.sessions.revokeUser('ada')
    expect((await ada.get('/count')).json()).toBe(1)
    expect(await keysOf(ada)).toEqual(['count'])
  })

  it('what was revoked cannot go on in a request that is under way', async () => {
    const { node } = both()
    const app = await node()
    const ada = app.browser()
    await ada.get(LARGE)
    await ada.get('/set/userId/ada')
    for (const query of ['?asks=1', '?regenerate=1']) {
      const going = app.slow()
      const late = app.copyOf(ada).get(`/slow${query}`)
      const go = await going
      await app.sessions.revokeUser('ada')
      go()
      expect([(await late).status, (await late).setCookies]).toEqual([
        query === '?asks=1' ? 409 : 200,
        [],
      ])
      await ada.get(LARGE)
      await ada.get('/set/userId/ada')
    }
  })

  it('nothing that was revoked goes on with what a failed move has left behind', async () => {
    const { node: nodeOf, shelf, clock, inner } = overflowing(make())
    const kept = new MemoryStore({ clock })
    const lists = [0, 1, 2].map(() => new WatchedStore(kept))
    const nodes = await Promise.all(lists.map((revocations) => nodeOf({ revocations })))
    const [one, other, third] = nodes
    for (const path of [LARGE, '/set/userId/ada', '/regenerate?keep=1']) {
      const ada = one!.browser()
      const id = (await ada.get('/set/a/1')).json<string>()
      // It has asked the list a moment ago.
      const there = third!.copyOf(ada)
      expect(await keysOf(there)).toEqual(['a'])
      const gate = shelf.pause('create')
      const late = ada.get(LARGE)
      await gate.reached
      expect(await other!.sessions.revoke(id)).toBe(true)
      lists[0]!.fail('load')
      gate.resume()
      expect((await late).status).toBe(500)
      lists[0]!.recover()
      expect(await inner.load(id)).toBeDefined()
      expect([path, (await there.get(path)).setCookies]).toEqual([path, []])
    }
    expect(third!.events).toEqual(Array(3).fill('stale-write gone'))
  })

  it('an end under an older name reaches what its renewal has brought to the store', async () => {
    const { node, shelf, clock } = both()
    const app = await node()
    const moved = async () => {
      const ada = app.browser()
      const id = (await ada.get('/set/a/1')).json<string>()
      const going = [app.slow()]
      const signingOut = app.copyOf(ada).get('/slow?out=1&bytes=0')
      const out = await going[0]!
      going.push(app.slow())
      const renewal = ada.get('/slow?regenerate=1&bytes=5000')
      const go = await going[1]!
      go()
      await renewal
      expect(await keysOf(ada)).toEqual(['a', 'slow'])
      const signOut = () => {
        out()
        return signingOut
      }
      return { ada, id, signOut }
    }
    const first = await moved()
    expect((await first.signOut()).status).toBe(200)
    expect(await keysOf(first.ada)).toEqual([])
    const second = await moved()
    expect(await app.sessions.revoke(second.id)).toBe(true)
    expect(await keysOf(second.ada)).toEqual([])
    await second.signOut()
    const third = await moved()
    shelf.fail('load')
    await expect(app.sessions.revoke(third.id)).rejects.toMatchObject({ code: 'ERR_STORE' })
    shelf.recover()
    await clock.advance(1000)
    expect(await app.sessions.revoke(third.id)).toBe(true)
    expect(await keysOf(third.ada)).toEqual([])
    await third.signOut()
  })

  it('revoke ends one by its handle, once', async () => {
    const { node } = both()
    const app = await node()
    const ada = app.browser()
    const id = (await ada.get(LARGE)).json<string>()
    expect(await app.sessions.revoke(id)).toBe(true)
    expect(await app.sessions.revoke(id)).toBe(false)
    expect(await keysOf(ada)).toEqual([])
  })

  it('a session in the store costs two loads a request, at once', async () => {
    const { node, shelf, list, clock } = both()
    const app = await node()
    const ada = app.browser()
    await ada.get(LARGE)
    await ada.get('/set/userId/ada')
    await clock.advance(1000)
    shelf.calls.length = 0
    list.calls.length = 0
    const gate = list.pause('load')
    const answer = ada.get('/')
    await gate.reached
    expect([shelf.calls, list.calls]).toEqual([['load'], ['load']])
    gate.resume()
    expect(Object.keys((await answer).json<AnyData>())).toEqual(['big', 'userId'])
    expect([shelf.calls, list.calls]).toEqual([['load'], ['load']])
  })

  it('one store can be both', async () => {
    const clock = clockAt()
    const store = new MemoryStore({ clock })
    const app = await nodeWith({ store: make(), clock, overflow: store, revocations: store })
    const ada = app.browser()
    await ada.get('/set/a/1')
    const older = app.copyOf(ada)
    await ada.get(LARGE)
    await ada.get('/out')
    expect(await keysOf(older)).toEqual([])
    clock.set(clock.now() + 90 * DAY)
    expect(await app.sessions.sweep()).toBe(1)
  })
})

it('a session moves only from more cookies than it may have, and takes the others with it', async () => {
  const clock = clockAt()
  const overflow = new WatchedStore(new MemoryStore({ clock }))
  const app = await nodeWith({ store: kinds[0]!.make(), clock, overflow, chunks: 2 })
  const ada = app.browser()
  await ada.get('/large/a/4000')
  expect([ada.jar.size, overflow.calls]).toEqual([2, []])
  const chunked = app.copyOf(ada)
  await ada.get('/large/b/4000')
  expect([ada.jar.size, overflow.count('create')]).toEqual([1, 1])
  expect(await keysOf(ada)).toEqual(['a', 'b'])
  // Both states of it, as parallel responses may leave them: the record is the one that goes on.
  await clock.advance(1000)
  await chunked.get('/set/c/1')
  chunked.jar.set(ada.jar.get('sid')!)
  expect(chunked.jar.size).toBe(3)
  expect(await keysOf(chunked)).toEqual(['a', 'b'])
})

it('a session that another program has named stays in its token', async () => {
  const jwt = kinds[1]!.make()
  const clock = clockAt()
  const overflow = new WatchedStore(new MemoryStore({ clock }))
  const app = await nodeWith({ store: jwt, clock, overflow })
  const now = clock.now()
  const facts = { created: now, started: now, idle: HOUR }
  const text = JSON.stringify({ v: 1, facts, data: { a: 1 } })
  const sealed = { handle: '../../named', text, expiresAt: now + HOUR }
  const cookie = `sid=${jwt.seal(sealed, { now, audience: 'sid' })}`
  const { status } = await app.browser().get(LARGE, { headers: { cookie } })
  expect([status, overflow.calls]).toEqual([500, []])
  const signedIn = await app.browser().get('/set/userId/ada', { headers: { cookie } })
  expect([signedIn.status, overflow.calls]).toEqual([200, []])
})

it.each([null, {}, { get() {}, set() {}, destroy() {} }, kinds[0]!.make()])(
  'overflow: %o is refused at start',
  (overflow) => {
    const make = () => session({ store: kinds[0]!.make(), overflow: overflow as never })
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
    expect(make).toThrow(/The option overflow is/)
  },
)
