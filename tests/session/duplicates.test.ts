import * as http2 from 'node:http2'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore, type SessionManager, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { exchange, split } from '../http/raw-http.js'
import { type AnyData, SECRET, serveApp } from '../support/serve.js'
import { TEST_CERTIFICATE } from '../support/tls.js'
import { WatchedStore } from '../support/watched-store.js'

const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
  app.get('/logout', async (req, res) => {
    await sessions.of(req).session.destroy()
    res.end()
  })
  app.get('/late-logout', async (req, res) => {
    const { session } = sessions.of(req)
    await sessions.revoke(session.id)
    await session.reload().catch(() => {})
    await session.destroy()
    res.end()
  })
}

/** Two live sessions, and a request that carries both. */
async function twoSessions() {
  const made = await serveApp(routes)
  const tokens = [
    await made.sessions.issue({ userId: 'ada' }),
    await made.sessions.issue({ userId: 'bob' }),
  ] as const
  const alone = async (token: string) =>
    (await made.browser().get('/', { headers: { cookie: `sid=${token}` } })).json<AnyData>()
  return { ...made, tokens, alone, cookie: tokens.map((token) => `sid=${token}`).join('; ') }
}

describe('a logout of a request with two live sessions', () => {
  it.each(['/logout', '/late-logout'])('ends both: %s', async (page) => {
    const { browser, sessions, tokens, alone, cookie } = await twoSessions()
    const ended: string[] = []
    sessions.on('destroy', ({ id }) => ended.push(id))
    expect((await browser().get(page, { headers: { cookie } })).status).toBe(200)
    for (const token of tokens) expect(await alone(token)).toEqual({})
    expect(new Set(ended).size).toBe(2)
    expect(ended).toHaveLength(2)
  })

  it('ends both without a response, too', async () => {
    const { sessions, tokens, alone, cookie } = await twoSessions()
    const found = await sessions.read({ headers: { cookie } })
    await found!.destroy()
    for (const token of tokens) expect(await alone(token)).toEqual({})
  })

  it('clears each cookie as it was set: the plain one and the one of secure requests', async () => {
    const { browser, tokens, alone } = await twoSessions()
    const cookie = `sid=${tokens[0]}; __Host-sid=${tokens[1]}`
    const { setCookies } = await browser().get('/logout', { headers: { cookie } })
    const deleted = [...setCookies].sort()
    expect(deleted).toHaveLength(2)
    expect(deleted[0]).toMatch(/^__Host-sid=; Max-Age=0; Path=\/; .*; Secure/)
    expect(deleted[1]).toMatch(/^sid=; Max-Age=0; Path=\/; /)
    expect(deleted[1]).not.toContain('Secure')
    for (const token of tokens) expect(await alone(token)).toEqual({})
  })
})

describe('a request with many cookies of the name', () => {
  /** An app, and well signed cookies of sessions that it does not know. */
  async function withStale(count: number) {
    const store = new WatchedStore(new MemoryStore())
    const made = await serveApp(routes, { store })
    const elsewhere = await serveApp()
    const stale: string[] = []
    while (stale.length < count) {
      stale.push(`sid=${await elsewhere.sessions.issue({ userId: 'eve' })}`)
    }
    const live = `sid=${await made.sessions.issue({ userId: 'ada' })}`
    store.calls.length = 0
    const read = async (cookies: string[]) =>
      (await made.browser().get('/', { headers: { cookie: cookies.join('; ') } })).json()
    return { store, stale, live, read }
  }

  it('finds the live one behind three stale ones', async () => {
    const { store, stale, live, read } = await withStale(3)
    expect(await read([...stale, live])).toEqual({ userId: 'ada' })
    expect(store.count('load')).toBe(4)
  })

  it('costs four loads at most', async () => {
    const { store, stale, live, read } = await withStale(20)
    expect(await read([...stale, live])).toEqual({})
    expect(store.count('load')).toBe(4)
  })

  it('that are junk costs no load, and the live one behind them is found', async () => {
    const { store, live, read } = await withStale(0)
    const junk = Array.from({ length: 20 }, (_, index) =>
      // Malformed, or well formed and not signed by this application.
      index % 2 ? `sid=junk${index}` : `sid=${String(index).padEnd(32, 'A')}.${'B'.repeat(43)}`,
    )
    expect(await read(junk)).toEqual({})
    expect(store.calls).toEqual([])
    expect(await read([...junk, live])).toEqual({ userId: 'ada' })
    expect(store.calls).toEqual(['load'])
  })
})

describe('of several live sessions', () => {
  /** The data found with the cookies of these sessions, in this order and in the other one. */
  async function found(first: AnyData, second: AnyData, pause = 1000) {
    const { sessions, browser, clock } = await serveApp()
    const told: (readonly string[])[] = []
    sessions.on('duplicate', ({ ids }) => told.push(ids))
    const cookies = [`sid=${await sessions.issue(first)}`]
    await clock.advance(pause)
    cookies.push(`sid=${await sessions.issue(second)}`)
    const answers: unknown[] = []
    for (const both of [cookies, cookies.toReversed()]) {
      const answer = await browser().get('/', { headers: { cookie: both.join('; ') } })
      answers.push(answer.json())
      expect(answer.setCookies).toEqual([])
    }
    const handles = await Promise.all(
      cookies.map(async (cookie) => (await sessions.read({ headers: { cookie } }))!.id),
    )
    // The one that was taken comes first, so both requests tell the same.
    expect(told[0]).toEqual(told[1])
    expect(told[0]!.toSorted()).toEqual(handles.toSorted())
    return answers
  }

  it('one with a user is taken before a newer one without', async () => {
    const user = { userId: 'ada' }
    expect(await found(user, { cart: 1 })).toEqual([user, user])
    expect(await found({ cart: 1 }, user)).toEqual([user, user])
  })

  it('the latest login or creation is taken, wherever its cookie stands', async () => {
    expect(await found({ n: 1 }, { n: 2 })).toEqual([{ n: 2 }, { n: 2 }])
    const [ada, bob] = [{ userId: 'ada' }, { userId: 'bob' }]
    expect(await found(ada, bob)).toEqual([bob, bob])
  })
})

describe('a cookie that nobody can plant', () => {
  it('is taken before a plain one, though that is newer and has a user', async () => {
    // An upgrade behind a proxy: nobody here knows that the visitor came over TLS.
    const { sessions, clock } = await serveApp()
    const own = await sessions.issue({ cart: 1 })
    await clock.advance(1000)
    const planted = await sessions.issue({ userId: 'eve' })
    const cookie = `sid=${planted}; __Host-sid=${own}`
    expect({ ...(await sessions.read({ headers: { cookie } })) }).toEqual({ cart: 1 })
  })
})

describe('one session under two cookies', () => {
  it.each([
    ['of both names', (token: string) => `__Host-sid=${token}; sid=${token}`],
    ['signed with two secrets', (token: string, older: string) => `sid=${older}; sid=${token}`],
  ])('%s is no duplicate, and ends once', async (_name, header) => {
    const newer = 'another secret of these tests, 32 bytes'
    const store = new MemoryStore()
    const before = await serveApp(routes, { store })
    const older = await before.sessions.issue({ userId: 'ada' })
    const { clock } = before
    const after = await serveApp(routes, { store, clock, secret: [newer, SECRET] })
    const resent = await after.browser().get('/', { headers: { cookie: `sid=${older}` } })
    const token = /^sid=([^;]+)/.exec(resent.setCookies[0]!)![1]!
    const told: unknown[] = []
    after.sessions.on('duplicate', () => told.push('duplicate'))
    after.sessions.on('destroy', () => told.push('destroy'))
    const headers = { cookie: header(token, older) }
    expect((await after.browser().get('/', { headers })).json()).toEqual({ userId: 'ada' })
    await after.browser().get('/logout', { headers })
    expect(told).toEqual(['destroy'])
  })
})

describe('cookies in several header lines', () => {
  const answer = (sessions: SessionManager<AnyData>, req: object) =>
    JSON.stringify(sessions.of(req).session)

  it('count as one header: the live one is found on any line', async () => {
    const { origin, sessions } = await serveApp()
    const live = `sid=${await sessions.issue({ userId: 'ada' })}`
    const port = Number(new URL(origin).port)
    for (const lines of [
      ['a=1', `${live}; b=2`],
      [live, 'sid=stale'],
      ['sid=stale', 'c=3', live],
    ]) {
      const headers = lines.map((line) => `Cookie: ${line}\n`).join('')
      const request = `GET / HTTP/1.1\nHost: a\nConnection: close\n${headers}\n`
      const { head, body } = split(await exchange(port, request))
      expect(head).toMatch(/^HTTP\/1\.1 200/)
      expect(body).toBe('{"userId":"ada"}')
    }
  })

  it('are crumbs on HTTP/2, and put together again', async () => {
    const sessions = session<AnyData>({ secret: SECRET })
    const server = http2.createSecureServer(TEST_CERTIFICATE, (req, res) =>
      sessions(req, res, () => void res.end(answer(sessions, req))),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const client = http2.connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
    onTestFinished(() => {
      client.destroy()
      server.close()
    })
    const live = `__Host-sid=${await sessions.issue({ userId: 'ada' })}`
    const crumbs = ['a=1', '__Host-sid=stale', live, 'b=2']
    const stream = client.request({ ':path': '/', cookie: crumbs as unknown as string })
    let body = ''
    stream.setEncoding('utf8')
    for await (const chunk of stream) body += chunk
    expect(body).toBe('{"userId":"ada"}')
  })

  it('may come as a list from hosts that do not join them', async () => {
    const { sessions } = await serveApp()
    const live = `sid=${await sessions.issue({ userId: 'ada' })}`
    const found = await sessions.read({ headers: { cookie: ['a=1', 'sid=stale', live] } })
    expect({ ...found }).toEqual({ userId: 'ada' })
  })
})

describe('a plain cookie on https', () => {
  it('may be planted, so it opens nothing, neither alone nor beside the real one', async () => {
    const clock = new FakeClock()
    const store = new WatchedStore(new MemoryStore({ clock }))
    const sessions = session<AnyData>({ secret: SECRET, clock, store })
    const server = createServer(TEST_CERTIFICATE, (req, res) =>
      sessions(req, res, () => res.end(JSON.stringify(sessions.of(req).session))),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    const origin = `https://127.0.0.1:${port}`
    const read = async (cookie: string) => {
      const visitor = new CookieClient(origin, { clock, rejectUnauthorized: false })
      return (await visitor.get('/', { headers: { cookie } })).json()
    }
    // The attacker's own session, planted from http or from a sibling host.
    const planted = `sid=${await sessions.issue({ userId: 'eve' })}`
    const real = `__Host-sid=${await sessions.issue({ userId: 'ada' })}`
    store.calls.length = 0
    expect(await read(planted)).toEqual({})
    expect(store.calls).toEqual([])
    expect(await read(`${planted}; ${real}`)).toEqual({ userId: 'ada' })
    expect(store.calls).toEqual(['load'])
  })
})
