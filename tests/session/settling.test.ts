import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore, type SessionManager, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET, serve, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const turn = () => new Promise((resolve) => setImmediate(resolve))

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await turn()
}

const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
  app.get('/set', (req, res) => {
    sessions.of(req).session.cart = true
    res.end()
  })
  app.get('/login', (req, res) => {
    sessions.of(req).session.userId = 1
    res.end()
  })
}

/** Collects what would end the process, in place of the runner's own listeners. */
function unhandledRejections(): unknown[] {
  const seen: unknown[] = []
  const listener = (reason: unknown) => void seen.push(reason)
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', listener)
  onTestFinished(() => {
    process.off('unhandledRejection', listener)
    for (const other of others) process.on('unhandledRejection', other)
  })
  return seen
}

/** A server that hands each request to its manager twice, before it answers. */
function serveTwiceEntered(sessions: SessionManager<AnyData>) {
  return serve((req, res) => {
    const enter = () =>
      new Promise<void>((resolve) => {
        sessions(req, res, () => resolve())
      })
    Promise.all([enter(), enter()]).then(() => {
      sessions.of(req).session.seen = true
      res.end()
    })
  })
}

async function settlesSoon(work: Promise<unknown>): Promise<boolean> {
  let isSettled = false
  work.then(() => {
    isSettled = true
  })
  await turns(20)
  return isSettled
}

describe('no unhandled rejection comes from', () => {
  it('an asynchronous listener that fails; it is an error event', async () => {
    const unhandled = unhandledRejections()
    const { browser, sessions } = await serveApp(routes)
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error))
    sessions.on('create', async () => {
      throw new Error('mine')
    })
    await browser().get('/login')
    await turns(3)
    expect(unhandled).toEqual([])
    expect(errors).toEqual([expect.objectContaining({ message: 'mine' })])
  })

  it.each<[string, (app: Awaited<ReturnType<typeof serveApp>>, req: object) => unknown]>([
    ['of(req).authenticated()', ({ sessions }, req) => sessions.of(req).authenticated()],
    ['of(req).token()', ({ sessions }, req) => sessions.of(req).token()],
    ['revoke()', ({ sessions }) => sessions.revoke('a'.repeat(43))],
    ['revokeUser()', ({ sessions }) => sessions.revokeUser(1)],
  ])('%s that fails and that nobody awaits', async (_name, call) => {
    const unhandled = unhandledRejections()
    const store = new WatchedStore(new MemoryStore())
    const made = await serveApp(
      (app, sessions) => {
        routes(app, sessions)
        app.get('/call', (req, res) => {
          call(made, req)
          res.end()
        })
      },
      { store, onStoreError: 'anonymous' },
    )
    const visitor = made.browser()
    await visitor.get('/login')
    store.fail('load')
    await visitor.get('/call')
    await turns(3)
    expect(unhandled).toEqual([])
  })

  it('one request that is handed to the same manager twice before its session is loaded', async () => {
    const unhandled = unhandledRejections()
    const store = new WatchedStore(new MemoryStore())
    const clock = new FakeClock()
    const sessions = session<AnyData>({ secret: SECRET, clock, store })
    const { origin } = await serveTwiceEntered(sessions)
    const visitor = new CookieClient(origin, { clock })
    await visitor.get('/')
    const load = store.pause('load')
    const leaving = new AbortController()
    const answer = visitor.request('/', { signal: leaving.signal }).catch(() => {})
    await load.reached
    load.resume()
    await turns(20)
    leaving.abort()
    await answer
    expect(unhandled).toEqual([])
  })
})

describe('one request that is handed to the same manager twice', () => {
  it('goes on both times, also with a cookie option that takes its time', async () => {
    const store = new WatchedStore(new MemoryStore())
    const clock = new FakeClock()
    const sessions = session<AnyData>({ secret: SECRET, clock, store, cookie: async () => ({}) })
    const { origin } = await serveTwiceEntered(sessions)
    const visitor = new CookieClient(origin, { clock })
    expect((await visitor.get('/')).status).toBe(200)
    store.delay(5)
    expect((await visitor.get('/')).status).toBe(200)
  })
})

describe('close', () => {
  it('waits for a request whose session is still being loaded', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser, sessions } = await serveApp(routes, { store })
    const visitor = browser()
    await visitor.get('/set')
    const load = store.pause('load')
    const login = visitor.get('/login')
    await load.reached
    expect(await settlesSoon(sessions.close())).toBe(false)
    load.resume()
    expect((await login).status).toBe(200)
    await sessions.close()
  })

  it('waits no longer than storeTimeout for a client that went away during the load', async () => {
    const store = new WatchedStore(new MemoryStore())
    const clock = new FakeClock()
    const sessions = session<AnyData>({ secret: SECRET, clock, store })
    let closed = () => {}
    let entered = () => {}
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve
    })
    const hasEntered = new Promise<void>((resolve) => {
      entered = resolve
    })
    const { origin } = await serve((req, res) => {
      if (req.url === '/set') {
        return sessions(req, res, () => {
          sessions.of(req).session.cart = true
          res.end()
        })
      }
      res.on('close', closed)
      // The handler sees that nobody is left to answer to.
      sessions(req, res, entered)
    })
    const visitor = new CookieClient(origin, { clock })
    await visitor.get('/set')
    const load = store.pause('load')
    const leaving = new AbortController()
    const gone = visitor.request('/', { signal: leaving.signal }).catch(() => {})
    await load.reached
    leaving.abort()
    await gone
    await isClosed
    load.resume()
    await hasEntered
    const closing = sessions.close()
    await clock.advance(2000)
    expect(await settlesSoon(closing)).toBe(true)
  })

  it('does not wait for ever for a sweep that the store never answers', async () => {
    class Silent extends MemoryStore {
      override sweep(): Promise<number> {
        return new Promise(() => {})
      }
    }
    const clock = new FakeClock()
    const sessions = session<AnyData>({ secret: SECRET, clock, store: new Silent() })
    const { origin } = await serve((req, res) => sessions(req, res, () => res.end()))
    await new CookieClient(origin, { clock }).get('/')
    await clock.advance(20 * 60_000)
    const closing = sessions.close()
    await clock.advance(60_000)
    expect(await settlesSoon(closing)).toBe(true)
  })

  it('waits until a failed sign-in has cleaned up behind itself, as settled() does', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser, sessions } = await serveApp(routes, { store })
    const visitor = browser()
    await visitor.get('/set')
    store.fail('replace')
    const destroy = store.pause('destroy')
    expect((await visitor.get('/login')).status).toBe(500)
    await destroy.reached
    expect(await settlesSoon(sessions.settled())).toBe(false)
    destroy.resume()
    await sessions.settled()
  })
})

describe('a sign-in that runs out of time', () => {
  it('leaves no session behind that nobody holds a cookie of', async () => {
    const inner = new MemoryStore()
    const store = new WatchedStore(inner)
    const { browser, clock } = await serveApp(routes, { store })
    const visitor = browser()
    await visitor.get('/set')
    const replace = store.pause('replace')
    const login = visitor.get('/login')
    await replace.reached
    await clock.advance(2000)
    expect((await login).status).toBe(500)
    await turns(5)
    expect(await inner.keysOfUser('1')).toEqual([])
  })
})
