import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Express } from 'express'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { MemoryStore, type SessionOptions, session } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { fatal } from '../support/process-events.js'
import { type AnyData, type App, SECRET, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Sessions on a store that counts, somebody signed in by `issue`, and what its browser sends. */
async function issued(options: Partial<SessionOptions<AnyData>> = {}) {
  const clock = new FakeClock()
  const store = new WatchedStore(new MemoryStore({ clock }))
  const sessions = session<AnyData>({ secret: SECRET, clock, store, ...options })
  const token = await sessions.issue({ userId: 'ada', n: 1 })
  store.calls.length = 0
  const headers = { cookie: `sid=${token}` }
  return { clock, store, sessions, headers, open: async () => (await sessions.read({ headers }))! }
}

const code = (work: Promise<unknown>) =>
  work.then(
    () => 'resolved',
    (error: { code?: string }) => error.code,
  )

describe('sessions.read(req)', () => {
  it('needs headers only, and gives the session with its data and methods', async () => {
    const { open } = await issued()
    const found = await open()
    expect({ ...found }).toEqual({ userId: 'ada', n: 1 })
    expect([typeof found.id, found.isNew]).toEqual(['string', false])
  })

  it('gives null without a cookie, with a forged one, and after the end of the session', async () => {
    const { sessions, headers, open, clock, store } = await issued({ idleTimeout: HOUR })
    expect(await sessions.read({ headers: {} })).toBeNull()
    expect(await sessions.read({ headers: { cookie: 'sid=junk; other=1' } })).toBeNull()
    const forged = headers.cookie.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A'))
    expect(await sessions.read({ headers: { cookie: forged } })).toBeNull()
    expect(store.calls).toEqual([])

    expect(await open()).not.toBeNull()
    await clock.advance(HOUR)
    expect(await open()).toBeNull()
  })

  it('writes nothing by itself: no touch, no renewal, not even when one is long due', async () => {
    const { clock, store, open, sessions } = await issued({ idleTimeout: 4 * HOUR })
    await clock.advance(3 * HOUR)
    const found = await open()
    expect(found.n).toBe(1)
    found.n = 2
    await sessions.settled()
    expect(store.calls).toEqual(['load'])
    // So the idle time went on.
    await clock.advance(HOUR)
    expect(await open()).toBeNull()
  })

  it('rejects when the store fails, whatever requests get then', async () => {
    const { store, sessions, headers } = await issued({ onStoreError: 'anonymous' })
    store.fail('load')
    expect(await code(sessions.read({ headers }))).toBe('ERR_STORE')
  })

  it('rejects after close, as issue does', async () => {
    const { sessions, headers } = await issued()
    await sessions.close()
    expect(await code(sessions.read({ headers }))).toBe('ERR_CLOSED')
    expect(await code(sessions.issue({ n: 1 }))).toBe('ERR_CLOSED')
  })

  it('asks a cookie option that is a function', async () => {
    const { app } = await signedInApp({
      cookie: ({ headers }) => ({ name: `of-${headers.host}`.split(':')[0]! }),
    })
    const cookie = app.cookie()
    expect(cookie).toMatch(/^of-127\.0\.0\.1=/)
    const found = await app.sessions.read({ headers: { host: '127.0.0.1', cookie } })
    expect(found?.userId).toBe('ada')
    expect(await app.sessions.read({ headers: { host: 'elsewhere', cookie } })).toBeNull()
  })
})

describe('a session that was read', () => {
  it('stores what save and update are asked to, and other requests see it', async () => {
    const { open } = await issued()
    const [found, other] = [await open(), await open()]
    found.said = 'hello'
    await found.save()
    expect(await found.update((data) => Object.assign(data, { n: 2 }).n)).toBe(2)
    expect({ ...found }).toEqual({ userId: 'ada', n: 2, said: 'hello' })
    await other.reload()
    expect({ ...other }).toEqual({ userId: 'ada', n: 2, said: 'hello' })
  })

  it('is kept alive by touch', async () => {
    const { clock, open } = await issued({ idleTimeout: HOUR })
    const found = await open()
    await clock.advance(HOUR - MINUTE)
    await found.touch()
    await clock.advance(HOUR - MINUTE)
    expect(await open()).not.toBeNull()
  })

  it('keeps a lifetime of its own on the server, where no cookie is needed for it', async () => {
    const { clock, open } = await issued({ idleTimeout: 4 * HOUR })
    const found = await open()
    found.cookie.maxAge = HOUR
    await found.save()
    await clock.advance(HOUR)
    expect(await open()).toBeNull()
  })

  it('ends by destroy, for everybody', async () => {
    const { open, sessions } = await issued()
    const ends: unknown[] = []
    sessions.on('destroy', ({ id, reason, user }) => ends.push([id, reason, user]))
    const [found, other] = [await open(), await open()]
    await found.destroy()
    expect(ends).toEqual([[other.id, 'logout', 'ada']])
    expect(await code(other.update(() => {}))).toBe('ERR_GONE')
    expect(await open()).toBeNull()
  })

  it.each<[string, (found: Awaited<ReturnType<App['sessions']['read']>> & object) => unknown]>([
    [
      'a sign-in by save',
      (found) => {
        found.userId = 'eve'
        return found.save()
      },
    ],
    [
      'a sign-in by update',
      (found) => found.update((data) => Object.assign(data, { userId: 'eve' })),
    ],
    [
      'a sign-out by update',
      (found) =>
        found.update((data) => {
          delete data.userId
        }),
    ],
    ['regenerate', (found) => found.regenerate()],
    ['regenerate that keeps the data', (found) => found.regenerate({ keep: true })],
  ])('rejects what needs a new cookie, and the session goes on as it was: %s', async (_, work) => {
    const { open, store, sessions } = await issued()
    const found = await open()
    expect(await code(Promise.resolve(work(found)))).toBe('ERR_NO_RESPONSE')
    await sessions.settled()
    expect(store.calls.filter((call) => call !== 'load')).toEqual([])
    const again = await open()
    expect([again.id, { ...again }]).toEqual([found.id, { userId: 'ada', n: 1 }])
  })

  it('leaves no unhandled rejection where nobody waits', async () => {
    const rejections = fatal('unhandledRejection')
    const { open, sessions } = await issued()
    const found = await open()
    found.regenerate()
    sessions.revoke(found.id)
    found.reload()
    await sessions.settled()
    await sessions.close()
    sessions.read({ headers: { cookie: 'sid=x' } })
    sessions.issue({})
    await new Promise(setImmediate)
    expect(rejections).toEqual([])
  })

  it('notices a revoke at the next reload, and the destroy event tells at once', async () => {
    const { open, sessions } = await issued()
    const ends: unknown[] = []
    sessions.on('destroy', ({ id, reason }) => ends.push([id, reason]))
    const found = await open()
    expect(await sessions.revoke(found.id)).toBe(true)
    expect(ends).toEqual([[found.id, 'revoked']])
    expect(await code(found.reload())).toBe('ERR_GONE')
    expect(await code(found.save())).toBe('ERR_GONE')
    expect(await code(found.update(() => {}))).toBe('ERR_GONE')
  })

  it('notices at the next reload that a request has renewed the id', async () => {
    const { app, visitor } = await signedInApp()
    const found = (await app.sessions.read({ headers: { cookie: app.cookie() } }))!
    const renewals: unknown[] = []
    app.sessions.on('renew', ({ from, reason }) => renewals.push([from, reason]))
    await visitor.get('/sign-in/eve')
    expect(renewals).toEqual([[found.id, 'switch']])
    expect(await code(found.reload())).toBe('ERR_GONE')
  })
})

describe('sessions.issue(data)', () => {
  it('gives a token that works as the value of the cookie', async () => {
    const { app } = await signedInApp()
    const token = await app.sessions.issue({ userId: 'bob', from: 'a job' })
    // What needs no quoting in a cookie (RFC 6265, section 4.1.1).
    expect(token).toMatch(/^[\w.-]+$/)
    const page = await app.browser().get('/', { headers: { cookie: `sid=${token}` } })
    expect([page.json(), page.setCookies.length]).toEqual([{ userId: 'bob', from: 'a job' }, 0])
    const read = await app.sessions.read({ headers: { cookie: `__Host-sid=${token}` } })
    expect(read?.userId).toBe('bob')
    expect(await app.sessions.list('bob')).toHaveLength(1)
  })

  it('tells of it by a create event, and makes a new session each time', async () => {
    const { sessions } = await issued()
    const created: unknown[] = []
    sessions.on('create', ({ user }) => created.push(user))
    const tokens = [await sessions.issue({ userId: 'bob' }), await sessions.issue({})]
    expect(new Set(tokens).size).toBe(2)
    expect(created).toEqual(['bob', undefined])
  })

  it('refuses what is no data', async () => {
    const { sessions } = await issued()
    expect(await code(sessions.issue({ ['id' as string]: 'mine' }))).toBe('ERR_RESERVED_KEY')
    expect(await code(sessions.issue({ big: 1n }))).toBe('ERR_NOT_SERIALIZABLE')
    expect(await code(sessions.issue([] as object))).toBe('ERR_NOT_SERIALIZABLE')
  })

  it('rejects where the cookie option is a function, since there is no request', async () => {
    const sessions = session<AnyData>({ secret: SECRET, cookie: () => ({}) })
    expect(await code(sessions.issue({}))).toBe('ERR_OPTION')
  })
})

describe('an upgrade by ws', () => {
  it('sees the sign-in, stores an update, and notices a revoke', async () => {
    const { app, visitor } = await signedInApp()
    const server = createServer()
    const sockets = new WebSocketServer({ noServer: true })
    server.on('upgrade', async (req, socket, head) => {
      const current = (await app.sessions.read(req))!
      sockets.handleUpgrade(req, socket, head, (ws) => {
        ws.on('message', async () => {
          const seen = await code(current.reload())
          if (seen !== 'resolved') return ws.send(String(seen))
          await current.update((data) => Object.assign(data, { said: true }))
          ws.send(String(current.userId))
        })
      })
    })
    const port = await listen(server)
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { cookie: app.cookie() } })
    onTestFinished(() => socket.terminate())
    await new Promise((resolve) => socket.once('open', resolve))
    const ask = () =>
      new Promise((resolve) => {
        socket.once('message', (data) => resolve(String(data)))
        socket.send('anything')
      })
    expect(await ask()).toBe('ada')
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada', said: true })
    await app.sessions.revokeUser('ada')
    expect(await ask()).toBe('ERR_GONE')
  })
})

describe('the middleware on io.engine.use', () => {
  it.each([['polling'], ['websocket']] as const)('over %s', async (transport) => {
    const { app, visitor } = await signedInApp()
    const server = createServer()
    const engine = new Server(server, { transports: [transport], serveClient: false })
    onTestFinished(() => void engine.close())
    engine.engine.use(app.sessions)
    const requests: (IncomingMessage & { session: AnyData })[] = []
    engine.on('connection', ({ request }) => {
      requests.push(request as IncomingMessage & { session: AnyData })
    })
    const port = await listen(server)

    const connect = async (cookie: string | undefined) => {
      const extraHeaders = cookie === undefined ? {} : { cookie }
      const client = io(`http://127.0.0.1:${port}`, { transports: [transport], extraHeaders })
      onTestFinished(() => void client.disconnect())
      await new Promise((resolve) => client.once('connect', () => resolve(undefined)))
      const { session: current } = requests.at(-1)!
      return { current, of: app.sessions.of(requests.at(-1)!) }
    }

    const created: unknown[] = []
    app.sessions.on('create', (event) => created.push(event))
    const known = await connect(app.cookie())
    expect(known.current.userId).toBe('ada')
    await known.of.session.update((data) => Object.assign(data, { said: true }))
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada', said: true })
    await app.sessions.revokeUser('ada')
    expect(await code(known.of.session.reload())).toBe('ERR_GONE')

    const stranger = await connect(undefined)
    stranger.current.cart = ['coat']
    const late = transport === 'websocket' ? 'ERR_NO_RESPONSE' : 'ERR_HEADERS_SENT'
    expect(await code(stranger.of.session.save())).toBe(late)
    await app.sessions.settled()
    expect(created).toEqual([])
  })
})

/** An app, and somebody who has signed in there; `cookie()` is what their browser sends. */
async function signedInApp(options: Partial<SessionOptions<AnyData>> = {}) {
  const made = await serveApp((app: Express, sessions) => {
    app.get('/sign-in/:name', (req, res) => {
      sessions.of(req).session.userId = req.params.name
      res.end()
    })
  }, options)
  const visitor = made.browser()
  await visitor.get('/sign-in/ada')
  const cookie = () => visitor.jar.header(`${made.origin}/`)!
  return { app: { ...made, cookie }, visitor }
}

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
