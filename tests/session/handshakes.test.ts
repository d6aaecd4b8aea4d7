import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server as SocketServer } from 'socket.io'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { MemoryStore, type SessionOptions, session } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const DAY = 24 * 3_600_000
const NEW_SECRET = 'another secret of these tests, 32 bytes'

/** A session that was stored under the old secret, met by a manager that has a newer one. */
async function rotated(options: Partial<SessionOptions<AnyData>> = {}) {
  const store = new WatchedStore(new MemoryStore())
  const clock = new FakeClock()
  const old = session<AnyData>({ secret: SECRET, store, clock, ...options })
  const token = await old.issue({ cart: 'kept' })
  const sessions = session<AnyData>({
    secret: [NEW_SECRET, SECRET],
    store,
    clock,
    ...options,
  })
  onTestFinished(() => Promise.all([old.close(), sessions.close()]).then(() => {}))
  store.calls.length = 0
  return { store, clock, sessions, token, req: { headers: { cookie: `sid=${token}` } } }
}

type Sessions = Awaited<ReturnType<typeof rotated>>['sessions']

/** Hands a request to the middleware with an object that is hardly a response. */
function enter(sessions: Sessions, req: object, res: object): Promise<unknown> {
  return new Promise((resolve) => sessions(req as never, res as never, resolve))
}

/** `setHeader`, `writeHead` and `end`, writing down what they are given. */
function shim() {
  const headers: Record<string, unknown> = {}
  const given: unknown[][] = []
  return {
    headers,
    given,
    res: {
      setHeader: (name: string, value: unknown) => {
        headers[name] = value
      },
      writeHead: (...args: unknown[]) => void given.push(args),
      end: () => {},
    },
  }
}

const cookieOf = (headers: Record<string, unknown>) => String(headers['Set-Cookie'])

describe('on an object with setHeader, writeHead and end', () => {
  it('a cookie of an older secret is sent again at once, and nothing is asked', async () => {
    const { store, sessions, token, req } = await rotated()
    const { res, headers } = shim()
    expect(await enter(sessions, req, res)).toBeUndefined()
    expect(headers).toEqual({})
    res.writeHead(101)
    const [, sent] = /^sid=([^;]+); Path=\/; HttpOnly; SameSite=Lax$/.exec(cookieOf(headers)) ?? []
    expect(sent?.split('.')[0]).toBe(token.split('.')[0])
    expect(sent).not.toBe(token)
    expect(headers).toMatchObject({ 'Cache-Control': 'no-store', Vary: 'Cookie' })
    expect(store.calls).toEqual(['load'])
    expect(sessions.explain(req)?.cookie).toMatchObject({ action: 'set', reason: 'changed' })
    const alone = session<AnyData>({ secret: NEW_SECRET, store })
    onTestFinished(() => alone.close())
    const read = await alone.read({ headers: { cookie: `sid=${sent}` } })
    expect(read).toEqual({ cart: 'kept' })
  })

  it('a cookie past half of its 400 days is sent again', async () => {
    const { clock, sessions, req } = await rotated({
      secret: SECRET,
      cookie: { persistent: true },
      absoluteTimeout: false,
      idleTimeout: 300 * DAY,
    })
    const [early, late] = [shim(), shim()]
    await enter(sessions, { ...req }, early.res)
    early.res.writeHead(101)
    expect(early.headers).toEqual({})
    await clock.advance(201 * DAY)
    await enter(sessions, { ...req }, late.res)
    late.res.writeHead(101)
    expect(cookieOf(late.headers)).toContain(`Max-Age=${(400 * DAY) / 1000};`)
  })

  it('a changed lifetime of a session is sent once it is stored', async () => {
    const { sessions, req } = await rotated({ secret: SECRET })
    for (const saves of [false, true]) {
      const { res, headers } = shim()
      const own = { ...req }
      await enter(sessions, own, res)
      const current = sessions.of(own).session
      current.cookie.maxAge = 7 * DAY
      if (saves) await current.save()
      res.writeHead(101)
      if (saves) expect(cookieOf(headers)).toContain(`Max-Age=${(30 * DAY) / 1000};`)
      else expect(headers).toEqual({})
    }
  })

  it.each<[string, (res: ReturnType<typeof shim>['res']) => void]>([
    ['set before', (res) => res.setHeader('set-cookie', 'own=1')],
    ['given to writeHead', () => {}],
  ])('a Set-Cookie of the application stays alone: %s', async (how, set) => {
    const { sessions, req } = await rotated()
    const { res, headers, given } = shim()
    await enter(sessions, req, res)
    set(res)
    const args = how === 'set before' ? [101] : [101, { 'Set-Cookie': 'own=1' }]
    res.writeHead(...args)
    expect(given).toEqual([args])
    expect(headers).toEqual(how === 'set before' ? { 'set-cookie': 'own=1' } : {})
    expect(sessions.explain(req)?.cookie.action).toBe('none')
  })

  it.each<[string, (sessions: Sessions, req: object) => unknown]>([
    ['that has ended meanwhile', (sessions, req) => sessions.of(req).session.destroy()],
    [
      'that was found to have been revoked',
      async (sessions, req) => {
        const current = sessions.of(req).session
        await sessions.revoke(current.id)
        await current.reload().catch(() => {})
      },
    ],
    [
      'that the handler gave up',
      (_sessions, req) => {
        Object.assign(req, { session: null })
      },
    ],
  ])('no cookie goes out for a session %s', async (_, act) => {
    const { sessions, req } = await rotated()
    const { res, headers } = shim()
    await enter(sessions, req, res)
    await act(sessions, req)
    res.writeHead(101)
    expect(headers).toEqual({})
  })
})

describe('where nothing can be waited for', () => {
  it.each([
    ['an end only', { end: () => {} }],
    ['nothing at all', {}],
    ['setHeader, writeHead and end', shim().res],
  ])('nothing is created, renewed or ended by itself: on %s', async (_, res) => {
    const { store, sessions, req } = await rotated({ secret: SECRET })
    const change = (current: AnyData) => Object.assign(current, { userId: 1, cart: 'new' })
    const acts: [object, (own: object) => unknown][] = [
      [{}, (own) => change(sessions.of(own).session)],
      [req.headers, (own) => change(sessions.of(own).session)],
      [req.headers, (own) => Object.assign(own, { session: null })],
    ]
    for (const [headers, act] of acts) {
      const own = { headers }
      const answer: { writeHead?(status: number): void; end?(): void } = { ...res }
      expect(await enter(sessions, own, answer)).toBeUndefined()
      act(own)
      answer.writeHead?.(101)
      answer.end?.()
    }
    await sessions.settled()
    expect(store.calls).toEqual(['load', 'load'])
    expect(await sessions.read(req)).toEqual({ cart: 'kept' })
  })

  it('data waits for a save(), which refuses what would need a cookie', async () => {
    const { store, sessions, req } = await rotated({ secret: SECRET })
    const stranger = { headers: {} }
    await enter(sessions, stranger, { end: () => {} })
    const first = sessions.of(stranger).session
    first.cart = 'new'
    await expect(first.save()).rejects.toMatchObject({ code: 'ERR_NO_RESPONSE' })
    await enter(sessions, req, { end: () => {} })
    const current = sessions.of(req).session
    current.cart = 'changed'
    await current.save()
    expect(await sessions.read(req)).toEqual({ cart: 'changed' })
    current.userId = 1
    await expect(current.save()).rejects.toMatchObject({ code: 'ERR_NO_RESPONSE' })
    expect(store.count('create')).toBe(0)
  })
})

/** A server on a free port, and what a WebSocket client is answered there. */
async function upgradeTo(server: ReturnType<typeof createServer>, path: string, cookie: string) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: { cookie } })
  onTestFinished(() => {
    client.terminate()
    server.closeAllConnections()
    server.close()
  })
  const opened = once(client, 'open')
  const [answer] = (await once(client, 'upgrade')) as [IncomingMessage]
  await opened
  return answer.headers
}

describe('an upgrade', () => {
  it('of socket.io carries the cookie again that is due, and sees the session', async () => {
    const { store, sessions, req, token } = await rotated()
    const server = createServer()
    const io = new SocketServer(server, { transports: ['websocket'] })
    onTestFinished(() => io.close())
    io.engine.use(sessions)
    const { cookie } = req.headers
    const headers = await upgradeTo(server, '/socket.io/?EIO=4&transport=websocket', cookie)
    expect(headers['set-cookie']).toHaveLength(1)
    const sent = headers['set-cookie']![0]!.split(';')[0]!
    expect(sent).not.toBe(cookie)
    expect(sent.split('.')[0]).toBe(`sid=${token}`.split('.')[0])
    expect(store.calls).toEqual(['load'])
    expect(await sessions.read({ headers: { cookie: sent } })).toEqual({ cart: 'kept' })
  })

  it('of ws passes the middleware with a response that is none', async () => {
    const { sessions, req } = await rotated()
    const seen: unknown[] = []
    const sockets = new WebSocketServer({ noServer: true })
    const server = createServer()
    server.on('upgrade', async (upgrade, socket, head) => {
      await enter(sessions, upgrade, {})
      seen.push({ ...sessions.of(upgrade).session })
      sockets.handleUpgrade(upgrade, socket, head, () => {})
    })
    const headers = await upgradeTo(server, '/', req.headers.cookie)
    expect(seen).toEqual([{ cart: 'kept' }])
    expect(headers['set-cookie']).toBeUndefined()
  })
})
