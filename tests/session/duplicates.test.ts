import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
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
    const { store, stale, live, read } = await withStale(7)
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
