import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import * as http2 from 'node:http2'
import { createServer } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Entry, Stored } from '../../src/core/store.js'
import { MemoryStore, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { type AnyData, type App, SECRET, serve, serveApp } from '../support/serve.js'
import { gate, turns } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const TIMEOUT = 2000
const CLOSED = expect.objectContaining({ code: 'ERR_CLOSED', status: 500 })

async function isSettled(work: Promise<unknown>): Promise<boolean> {
  let settled = false
  const note = () => {
    settled = true
  }
  work.then(note, note)
  await turns(20)
  return settled
}

function isConnected(server: Server): Promise<boolean> {
  return new Promise((resolve) => server.getConnections((_, count) => resolve(count > 0)))
}

/** An app with a handler that stops in its middle until the test lets it go on. */
async function serveSlow(store = new MemoryStore()) {
  const inside = gate()
  const go = gate()
  const made = await serveApp(
    (app, sessions) => {
      app.get('/slow', async (req, res) => {
        inside.open()
        await go.opened
        sessions.of(req).session.slow = true
        res.end('done')
      })
      app.get('/set', (req, res) => {
        sessions.of(req).session.cart = 1
        res.end()
      })
    },
    { store },
  )
  return { ...made, store, inside: inside.opened, go: go.open }
}

/** What a later process finds under the cookie of `browser`. */
async function foundLater(
  { clock, origin }: Pick<App, 'clock' | 'origin'>,
  store: MemoryStore,
  browser: CookieClient,
) {
  const later = await serveApp(() => {}, { store, clock })
  const cookie = browser.jar.header(`${origin}/`)
  return (await later.browser().get('/', { headers: { cookie: cookie ?? '' } })).json()
}

describe('close()', () => {
  it('lets a running request commit, and refuses those that come later', async () => {
    const made = await serveSlow()
    const browser = made.browser()
    const slow = browser.get('/slow')
    await made.inside
    const closing = made.sessions.close()
    const late = await browser.get('/')
    expect([late.status, late.json()]).toEqual([500, CLOSED_PAGE])
    expect(await isSettled(closing)).toBe(false)
    made.go()
    const answer = await slow
    expect([answer.status, answer.setCookies.length]).toEqual([200, 1])
    await closing
    expect(await foundLater(made, made.store, browser)).toEqual({ slow: true })
  })

  it('lets a running request pass its middleware once more', async () => {
    const inside = gate()
    const go = gate()
    const made = await serveApp((app, sessions) => {
      app.use('/twice', async (_req, _res, next) => {
        inside.open()
        await go.opened
        next()
      })
      app.get('/twice', sessions, (req, res) => {
        sessions.of(req).session.twice = true
        res.end()
      })
    })
    const request = made.browser().get('/twice')
    await inside.opened
    const closing = made.sessions.close()
    go.open()
    expect(await request).toMatchObject({ status: 200, setCookies: [expect.any(String)] })
    await closing
  })

  it('lets the handler of a running request call what it needs, and refuses later calls', async () => {
    const inside = gate()
    const go = gate()
    const made = await serveApp((app, sessions) => {
      app.get('/password', async (req, res) => {
        inside.open()
        await go.opened
        const { session } = sessions.of(req)
        res.json(await sessions.revokeUser('ada', { except: session.id }))
      })
    })
    await made.sessions.issue({ userId: 'ada' })
    const token = await made.sessions.issue({ userId: 'ada' })
    const req = { headers: { cookie: `sid=${token}` } }
    const request = made.browser().get('/password', { headers: req.headers })
    await inside.opened
    const { sessions } = made
    const closing = sessions.close()
    go.open()
    expect(await request).toMatchObject({ status: 200, body: Buffer.from('1') })
    await closing
    for (const call of [
      () => sessions.read(req),
      () => sessions.issue({}),
      () => sessions.list('ada'),
      () => sessions.revoke('a'.repeat(43)),
      () => sessions.revokeUser('ada'),
      () => sessions.sweep(),
    ]) {
      await expect(call()).rejects.toEqual(CLOSED)
    }
    await sessions.settled()
    await sessions.close()
  })

  it('leaves the property of a later request to whoever has taken it', async () => {
    const { sessions } = await serveApp()
    await sessions.close()
    const req = { headers: {}, session: 'of somebody else' }
    const errors: unknown[] = []
    for (const _ of [1, 2]) sessions(req, { headersSent: false }, (error) => errors.push(error))
    expect(errors).toEqual([CLOSED, CLOSED])
    expect(req.session).toBe('of somebody else')
    expect(sessions.explain(req)).toBe(undefined)
  })

  it('ends sessions that were read before: their calls are refused too', async () => {
    const { sessions } = await serveApp()
    const token = await sessions.issue({ userId: 'ada' })
    const found = await sessions.read({ headers: { cookie: `sid=${token}` } })
    await sessions.close()
    for (const call of [
      () => found!.reload(),
      () => found!.touch(),
      () => found!.update(() => {}),
      () => found!.destroy(),
    ]) {
      await expect(call()).rejects.toEqual(CLOSED)
    }
  })

  it('lets the handler of a client that has gone away finish, for storeTimeout', async () => {
    const made = await serveSlow()
    const browser = made.browser()
    await browser.get('/set')
    const leaving = new AbortController()
    const gone = browser.request('/slow', { signal: leaving.signal }).catch(() => {})
    await made.inside
    leaving.abort()
    await gone
    const closing = made.sessions.close()
    await turns(20)
    await made.clock.advance(TIMEOUT - 1)
    expect(await isSettled(closing)).toBe(false)
    made.go()
    await closing
    expect(await foundLater(made, made.store, browser)).toEqual({ cart: 1, slow: true })
  })

  it('waits no longer than storeTimeout for one that never answers a client that has gone', async () => {
    const made = await serveSlow()
    const leaving = new AbortController()
    const gone = made.browser().request('/slow', { signal: leaving.signal })
    await made.inside
    leaving.abort()
    await gone.catch(() => {})
    await turns(20)
    const closing = made.sessions.close()
    await made.clock.advance(TIMEOUT)
    await closing
  })

  it('waits for a handler for as long as its client does, whatever the clock says', async () => {
    const made = await serveSlow()
    const slow = made.browser().get('/slow')
    await made.inside
    const closing = made.sessions.close()
    await made.clock.advance(60 * 60_000)
    expect(await isSettled(closing)).toBe(false)
    made.go()
    expect((await slow).status).toBe(200)
    await closing
  })

  it('waits for touches', async () => {
    const store = new WatchedStore(new MemoryStore())
    const made = await serveApp(() => {}, { store })
    const token = await made.sessions.issue({ userId: 'ada' })
    await made.clock.advance(61_000)
    const touch = store.pause('touch')
    await made.browser().get('/', { headers: { cookie: `sid=${token}` } })
    await touch.reached
    const closing = made.sessions.close()
    expect(await isSettled(closing)).toBe(false)
    touch.resume()
    await closing
  })

  it('waits for a call that nobody awaits', async () => {
    const store = new WatchedStore(new MemoryStore())
    const made = await serveApp(() => {}, { store })
    const create = store.pause('create')
    const issued = made.sessions.issue({ userId: 'ada' })
    await create.reached
    const closing = made.sessions.close()
    expect(await isSettled(closing)).toBe(false)
    create.resume()
    await closing
    expect(await issued).toEqual(expect.any(String))
  })

  it('waits for a save() after the end of its response', async () => {
    const store = new WatchedStore(new MemoryStore())
    let saved: Promise<void> | undefined
    const made = await serveApp(
      (app, sessions) => {
        app.get('/late', (req, res) => {
          const { session } = sessions.of(req)
          res.end()
          session.late = true
          saved = session.save()
        })
      },
      { store },
    )
    const token = await made.sessions.issue({ userId: 'ada' })
    const replace = store.pause('replace')
    await made.browser().get('/late', { headers: { cookie: `sid=${token}` } })
    await replace.reached
    const closing = made.sessions.close()
    expect(await isSettled(closing)).toBe(false)
    replace.resume()
    await closing
    await saved
  })
})

describe('a response that is being streamed during close()', () => {
  async function serveStream() {
    const go = gate()
    const store = new MemoryStore()
    const made = await serveApp(
      (app, sessions) => {
        app.get('/stream', async (req, res) => {
          res.write('data: 1\n\n')
          await go.opened
          sessions.of(req).session.streamed = true
          res.end()
        })
      },
      { store },
    )
    const token = await made.sessions.issue({ userId: 'ada' })
    const begun = gate()
    const browser = new CookieClient(made.origin, {
      onRequest: (request) => void request.on('response', begun.open),
    })
    browser.jar.take(`sid=${token}`, new URL(made.origin))
    const stream = browser.get('/stream')
    stream.catch(() => {})
    await begun.opened
    return { ...made, store, browser, stream, go: go.open }
  }

  it('is not waited for if it began long ago', async () => {
    const { sessions, clock, go } = await serveStream()
    await clock.advance(TIMEOUT)
    expect(await isSettled(sessions.close())).toBe(true)
    go()
  })

  it('is waited for until storeTimeout after its beginning, and stores what it sets', async () => {
    const made = await serveStream()
    await made.clock.advance(TIMEOUT - 1)
    const closing = made.sessions.close()
    expect(await isSettled(closing)).toBe(false)
    made.go()
    expect((await made.stream).status).toBe(200)
    await closing
    expect(await foundLater(made, made.store, made.browser)).toEqual({
      userId: 'ada',
      streamed: true,
    })
  })

  it('may be as long as it wants: close() goes on without it', async () => {
    const { sessions, clock } = await serveStream()
    const closing = sessions.close()
    await clock.advance(TIMEOUT)
    await closing
  })

  it('fails by an event if it sets something after that', async () => {
    const { sessions, clock, stream, go } = await serveStream()
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error))
    const closing = sessions.close()
    await clock.advance(TIMEOUT)
    await closing
    go()
    expect((await stream).status).toBe(200)
    expect(errors).toEqual([CLOSED])
  })
})

describe('close() waits for no client that has gone, however its response was used', () => {
  /** Requests whose handler never answers; `enter` is called once they are inside. */
  async function waiting(enter: (req: IncomingMessage, res: ServerResponse) => unknown) {
    const clock = new FakeClock()
    const sessions = session<AnyData>({ secret: SECRET, clock })
    const { origin, server } = await serve((req, res) => {
      sessions(req, res, () => void enter(req, res))
    })
    const client = connect(Number(new URL(origin).port), '127.0.0.1').on('error', () => {})
    onTestFinished(() => void client.destroy())
    return { clock, sessions, server, client }
  }

  const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

  it.each(['before', 'after'])('pipelined, and gone %s the call', async (when) => {
    let count = 0
    const all = gate()
    const warned: string[] = []
    const note = ({ name }: Error) => void warned.push(name)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const { clock, sessions, server, client } = await waiting(() => ++count === 12 && all.open())
    client.write(GET.repeat(12))
    await all.opened
    const leave = async () => {
      client.destroy()
      while (await isConnected(server)) await turns(1)
    }
    if (when === 'before') await leave()
    const closing = sessions.close()
    if (when === 'after') await leave()
    await turns()
    await clock.advance(TIMEOUT)
    await closing
    // One listener for all twelve: more than ten on one socket are a warning.
    expect(warned).toEqual([])
  })

  it('detached from its socket, which the handler writes to', async () => {
    const inside = gate()
    const { clock, sessions, server, client } = await waiting((req, res) => {
      res.detachSocket(req.socket)
      req.socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nraw')
      inside.open()
    })
    client.resume().write(GET)
    await inside.opened
    while (await isConnected(server)) await turns(1)
    const closing = sessions.close()
    await turns()
    await clock.advance(TIMEOUT)
    await closing
  })

  it('with a stream of its own, which is not that of HTTP/2', async () => {
    const clock = new FakeClock()
    const sessions = session<AnyData>({ secret: SECRET, clock })
    const inside = gate()
    const { origin, server } = await serve((req, res) => {
      Object.assign(res, { stream: () => {} })
      // Nothing of the request tells either.
      Object.defineProperty(req, 'socket', { value: undefined })
      sessions(req, res, inside.open)
    })
    const client = connect(Number(new URL(origin).port), '127.0.0.1').on('error', () => {})
    client.write(GET)
    await inside.opened
    client.destroy()
    while (await isConnected(server)) await turns(1)
    const closing = sessions.close()
    await turns()
    await clock.advance(TIMEOUT)
    await closing
  })

  it('which an adapter has made for a WebSocket, though that goes on', async () => {
    const clock = new FakeClock()
    const sessions = session<AnyData>({ secret: SECRET, clock })
    const inside = gate()
    const { origin, server } = await serve(() => {})
    server.on('upgrade', (req: IncomingMessage) => {
      sessions(req, new ServerResponse(req), inside.open)
    })
    const client = connect(Number(new URL(origin).port), '127.0.0.1').on('error', () => {})
    onTestFinished(() => void client.destroy())
    client.write(GET.replace('Host', 'Connection: Upgrade\r\nUpgrade: websocket\r\nHost'))
    await inside.opened
    await sessions.close()
    expect(client.destroyed).toBe(false)
  })
})

describe('close() over HTTP/2', () => {
  it('does not wait for ever for a HEAD that its client has given up', async () => {
    const clock = new FakeClock()
    const sessions = session<AnyData>({ secret: SECRET, clock })
    const inside = gate()
    const server = createServer((req, res) => {
      // The stream tells by itself; sockets are asked by close() alone, and too late to forget.
      Object.defineProperty(req, 'socket', { value: undefined })
      sessions(req, res, inside.open)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const client = http2.connect(`http://127.0.0.1:${port}`)
    onTestFinished(() => {
      client.destroy()
      server.close()
    })
    const stream = client.request({ ':method': 'HEAD' })
    stream.on('error', () => {})
    await inside.opened
    const closed = new Promise((resolve) => stream.on('close', resolve))
    stream.close(http2.constants.NGHTTP2_CANCEL)
    await closed
    await turns(20)
    const closing = sessions.close()
    await clock.advance(TIMEOUT)
    await closing
  })
})

describe('close() under load', () => {
  /** Answers a few turns of the event loop later, each time another few. */
  class Busy extends MemoryStore {
    calls = 0
    async #turns(): Promise<void> {
      this.calls++
      await turns(this.calls % 4)
    }
    override load(key: string): never {
      return this.#turns().then(() => super.load(key)) as never
    }
    override create(key: string, entry: Entry): never {
      return this.#turns().then(() => super.create(key, entry)) as never
    }
    override replace(key: string, entry: Entry, seen: Stored): never {
      return this.#turns().then(() => super.replace(key, entry, seen)) as never
    }
  }

  it('stores what every request that has entered sets, and answers all of them', async () => {
    const store = new Busy()
    const entered = new Set<string>()
    const slowest = gate()
    const made = await serveApp(
      (app, sessions) => {
        app.get('/:phase/:key', async (req, res) => {
          const { phase, key } = req.params
          const { session } = sessions.of(req)
          entered.add(key)
          if (phase === 'slow') await turns(key.length + 40)
          if (phase === 'slowest') await slowest.opened
          if (phase === 'stream') {
            res.write('begun')
            await turns(9)
          }
          session[key] = true
          if (phase === 'saved') await session.save()
          res.end()
        })
      },
      { store },
    )
    const phases = ['plain', 'slow', 'stream', 'saved']
    const tokens = await Promise.all(
      Array.from({ length: 8 }, (_, i) => made.sessions.issue({ userId: `user-${i}` })),
    )
    const last = made.browser().get('/slowest/last', { headers: { cookie: `sid=${tokens[0]}` } })
    let closing: Promise<void> | undefined
    let answered = 0
    const answers: { key: string; status: number; isLate: boolean; code?: unknown }[] = []
    const visit = async (token: string, visitor: number) => {
      const browser = new CookieClient(made.origin, { keepAlive: true })
      onTestFinished(() => browser.close())
      for (let n = 0; ; n++) {
        const isLate = closing !== undefined
        const key = `${visitor}-${n}`
        const path = `/${phases[(visitor + n) % 4]}/${key}`
        const response = await browser.get(path, { headers: { cookie: `sid=${token}` } })
        const { status } = response
        const code = status === 200 ? undefined : response.json<AnyData>().code
        answers.push({ key, status, isLate, code })
        if (status !== 200) return
        answered++
        if (answered === 60) closing = made.sessions.close()
      }
    }
    // Three visits at once for each session, on connections that stay open.
    await Promise.all(tokens.flatMap((token, i) => [0, 1, 2].map((n) => visit(token, 3 * i + n))))
    expect(await isSettled(closing!)).toBe(false)
    slowest.open()
    expect((await last).status).toBe(200)
    await closing
    const { calls } = store
    await turns(20)
    expect(store.calls).toBe(calls)
    for (const { key, status, isLate, code } of answers) {
      if (status !== 200) expect([key, code]).toEqual([key, 'ERR_CLOSED'])
      if (isLate) expect([key, status]).toEqual([key, 500])
      expect([key, entered.has(key)]).toEqual([key, status === 200])
    }
    expect(entered.size).toBeGreaterThan(60)
    const later = session<AnyData>({ secret: SECRET, clock: made.clock, store })
    const all = await Promise.all(tokens.map((_, i) => later.list(`user-${i}`)))
    const stored = new Set(all.flat().flatMap(({ data }) => Object.keys(data)))
    expect([...entered].filter((key) => !stored.has(key))).toEqual([])
  })
})

describe('the store after close()', () => {
  class Owning extends MemoryStore {
    closed = 0
    async close(): Promise<void> {
      this.closed++
    }
  }

  it('is still there for others, if it has nothing of its own to close', async () => {
    const store = new MemoryStore()
    const first = session<AnyData>({ secret: SECRET, store })
    await first.issue({ userId: 'ada' })
    await first.close()
    expect(await session<AnyData>({ secret: SECRET, store }).list('ada')).toHaveLength(1)
  })

  it('has closed what it opened itself, once, when the last of its managers has closed', async () => {
    const store = new Owning()
    const first = session<AnyData>({ secret: SECRET, store })
    const second = session<AnyData>({ secret: SECRET, store, property: 'other' })
    await Promise.all([first.close(), first.close()])
    expect(store.closed).toBe(0)
    await second.issue({ userId: 'ada' })
    await second.close()
    await second.close()
    expect(store.closed).toBe(1)
  })

  it.each([
    ['fails', () => Promise.reject(new Error('no')), 'ERR_STORE'],
    ['never answers', () => new Promise<void>(() => {}), 'ERR_STORE_TIMEOUT'],
  ])('that %s to close is an error of close(), and an event', async (_, close, code) => {
    const clock = new FakeClock()
    class Stuck extends MemoryStore {
      close = close
    }
    const sessions = session<AnyData>({ secret: SECRET, clock, store: new Stuck() })
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error))
    const closing = sessions.close()
    const rejected = expect(closing).rejects.toMatchObject({ code, op: 'close', store: 'Stuck' })
    await clock.advance(TIMEOUT)
    await rejected
    expect(errors).toHaveLength(1)
  })
})

describe('a server that is closed before its sessions', () => {
  it('has answered every request with its session stored', async () => {
    const store = new MemoryStore()
    const sessions = session<AnyData>({ secret: SECRET, store })
    const statuses: number[] = []
    const { origin, server } = await serve((req, res) => {
      sessions(req, res, (error) => {
        if (error !== undefined) res.statusCode = 500
        else sessions.of(req).session.userId = 'ada'
        setImmediate(() => res.end())
      })
    })
    let isClosing = false
    const visit = async () => {
      const browser = new CookieClient(origin, { keepAlive: true })
      onTestFinished(() => browser.close())
      while (true) {
        try {
          // A cookie of its own each time, so that each makes a session.
          statuses.push((await browser.get('/', { headers: { cookie: '' } })).status)
        } catch (error) {
          // Its connection was closed under it, as browsers know from every server.
          if (!isClosing) throw error
          return
        }
      }
    }
    const visits = Array.from({ length: 10 }, visit)
    await turns(100)
    isClosing = true
    // As docs/operation.md advises, with a grace period of one turn.
    setImmediate(() => server.closeAllConnections())
    await new Promise((resolve) => server.close(resolve))
    await sessions.close()
    await Promise.all(visits)
    expect(new Set(statuses)).toEqual(new Set([200]))
    const later = session<AnyData>({ secret: SECRET, store })
    expect((await later.list('ada')).length).toBeGreaterThanOrEqual(statuses.length)
  })
})

const CLOSED_PAGE = { code: 'ERR_CLOSED', message: expect.any(String) }
