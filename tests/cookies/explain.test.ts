import type { ErrorRequestHandler } from 'express'
import { describe, expect, it, vi } from 'vitest'
import { type Explanation, MemoryStore, type SessionOptions } from '../../src/index.js'
import { read, rowsOf } from '../support/docs.js'
import { union } from '../support/docs-sources.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

/** An app, and for each visit what `explain` tells once its response is over. */
async function explainedApp(options: Partial<SessionOptions<AnyData>> = {}) {
  const store = new WatchedStore(new MemoryStore())
  let told = (_: Explanation) => {}
  const inHandler: Explanation[] = []
  const made = await serveApp(
    (app, sessions) => {
      app.use((req, res, next) => {
        res.on('close', () => told(sessions.explain(req)!))
        inHandler.push(sessions.explain(req)!)
        next()
      })
      app.get('/set', (req, res) => {
        sessions.of(req).session.cart = 'marked data'
        res.end()
      })
      app.get('/login', (req, res) => {
        sessions.of(req).session.userId = 'ada'
        res.end()
      })
      app.get('/logout', async (req, res) => {
        await sessions.of(req).session.destroy()
        res.end()
      })
      app.get('/late', (req, res) => {
        res.flushHeaders()
        sessions.of(req).session.cart = 'too late'
        res.end()
      })
    },
    { store, ...options },
  )
  const visitor = made.browser()
  const visit = async (path: string, headers: Record<string, string> = {}) => {
    const over = new Promise<Explanation>((resolve) => {
      told = resolve
    })
    await visitor.get(path, { headers })
    return over
  }
  const cookie = () => visitor.jar.header(`${made.origin}/`)!
  return { ...made, store, visit, cookie, inHandler }
}

const none = (reason: string) => ({ cookie: { action: 'none', reason } })

describe('explain() says of a response', () => {
  it('without anything to keep: no-data', async () => {
    const { visit } = await explainedApp()
    expect(await visit('/')).toEqual({
      session: 'new',
      received: { count: 0, rejected: 0 },
      cookie: {
        action: 'none',
        reason: 'no-data',
        name: 'sid',
        attributes: {
          secure: false,
          sameSite: 'lax',
          path: '/',
          domain: undefined,
          partitioned: false,
        },
      },
      secure: { decided: false, socket: false, forwardedProto: undefined, trusted: false },
    })
  })

  it('with first data: set, changed', async () => {
    const cookie = { path: '/', domain: 'coats.example', sameSite: 'strict' } as const
    const { visit } = await explainedApp({ cookie })
    expect(await visit('/set')).toMatchObject({
      session: 'new',
      cookie: { action: 'set', reason: 'changed', attributes: cookie },
    })
  })

  it('with nothing new: clean', async () => {
    const { visit } = await explainedApp()
    await visit('/set')
    expect(await visit('/')).toMatchObject({
      session: 'loaded',
      received: { count: 1, rejected: 0 },
      ...none('clean'),
    })
  })

  it('of a logout: cleared, changed', async () => {
    const { visit } = await explainedApp()
    await visit('/set')
    expect(await visit('/logout')).toMatchObject({
      session: 'loaded',
      cookie: { action: 'cleared', reason: 'changed' },
    })
  })

  it('whose cookie names no session: gone', async () => {
    const { visit, cookie } = await explainedApp()
    await visit('/set')
    const old = cookie()
    await visit('/logout')
    expect(await visit('/', { cookie: old })).toMatchObject({
      session: 'gone',
      received: { count: 1, rejected: 0 },
      ...none('gone'),
    })
  })

  it('whose cookies are junk: how many came and how many were rejected', async () => {
    const { visit, cookie } = await explainedApp()
    await visit('/set')
    expect(await visit('/', { cookie: 'sid=junk' })).toMatchObject({
      session: 'new',
      received: { count: 1, rejected: 1 },
      ...none('no-data'),
    })
    expect(await visit('/', { cookie: `sid=junk; sid=more; ${cookie()}` })).toMatchObject({
      session: 'loaded',
      received: { count: 3, rejected: 2 },
      ...none('clean'),
    })
  })

  it('whose session was renewed a moment ago: superseded', async () => {
    const { visit, cookie } = await explainedApp()
    await visit('/set')
    const old = cookie()
    await visit('/login')
    expect(await visit('/set', { cookie: old })).toMatchObject({
      session: 'gone',
      ...none('superseded'),
    })
  })

  it('with data after its headers: headers-sent', async () => {
    const { visit } = await explainedApp()
    expect(await visit('/late')).toMatchObject({ session: 'new', ...none('headers-sent') })
  })

  it('whose session could not be stored: store-error', async () => {
    const { visit, store } = await explainedApp()
    store.fail('create')
    expect(await visit('/set')).toMatchObject({ session: 'new', ...none('store-error') })
  })

  it('whose session could not be loaded: read-only', async () => {
    const { visit, store } = await explainedApp({ onStoreError: 'anonymous' })
    await visit('/set')
    store.fail('load')
    expect(await visit('/')).toMatchObject({ session: 'unavailable', ...none('read-only') })
  })

  it('with Secure on what looks like plain http: insecure-hop', async () => {
    const quiet = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { visit } = await explainedApp({ cookie: { secure: true } })
    expect(await visit('/set')).toMatchObject({
      cookie: { action: 'set', reason: 'insecure-hop', name: '__Host-sid' },
    })
    quiet.mockRestore()
  })
})

describe('explain() says of a request that was answered by an error instead of its handler', () => {
  /** What an error page is told. */
  async function refused(
    options: Partial<SessionOptions<AnyData>>,
    before: (made: Awaited<ReturnType<typeof serveApp>>) => unknown,
  ) {
    const made = await serveApp(() => {}, options)
    const told: unknown[] = []
    const page: ErrorRequestHandler = (error, req, res, _next) => {
      told.push([error.code, made.sessions.explain(req)])
      res.status(500).json({ ...made.sessions.of(req).session })
    }
    made.app.use(page)
    // In front of the error page of every test.
    const { stack } = made.app.router as unknown as { stack: unknown[] }
    stack.splice(-2, 0, stack.pop())
    const headers = {
      cookie: `sid=${await made.sessions.issue({ userId: 'ada' }).catch(() => '')}`,
    }
    await before(made)
    const answer = await made.browser().get('/', { headers })
    expect([answer.status, answer.json(), answer.setCookies]).toEqual([500, {}, []])
    return told
  }

  it('because its session could not be loaded: store-error', async () => {
    const store = new WatchedStore(new MemoryStore())
    const told = await refused({ store }, () => store.fail('load'))
    const explained = { session: 'unavailable', received: { count: 1 }, ...none('store-error') }
    expect(told).toMatchObject([['ERR_STORE', explained]])
  })

  it('because the manager had been closed: refused', async () => {
    const told = await refused({}, ({ sessions }) => sessions.close())
    const explained = { session: 'unavailable', received: { count: 1 }, ...none('refused') }
    expect(told).toMatchObject([['ERR_CLOSED', explained]])
  })

  it('because the function cookie failed: refused', async () => {
    const cookie = () => {
      throw Object.assign(new Error('no cookie'), { code: 'OWN' })
    }
    const told = await refused({ cookie }, () => {})
    expect(told).toMatchObject([['OWN', { session: 'unavailable', ...none('refused') }]])
  })
})

describe('explain()', () => {
  it('tells in the handler what would be sent as things stand', async () => {
    const { visit, cookie, inHandler } = await explainedApp()
    await visit('/set')
    const old = cookie()
    await visit('/login')
    await visit('/', { cookie: old })
    await visit('/', { cookie: 'sid=junk' })
    const reasons = inHandler.map((one) => one.cookie.reason)
    expect(reasons).toEqual(['no-data', 'clean', 'superseded', 'no-data'])
  })

  it('shows no id, no token and no data', async () => {
    const { visit, cookie } = await explainedApp()
    await visit('/set')
    const token = cookie().slice('sid='.length)
    for (const path of ['/', '/login', '/logout']) {
      const text = JSON.stringify(await visit(path))
      for (const part of [...token.split('.'), 'marked data', 'ada']) {
        expect(text).not.toContain(part)
      }
    }
  })

  it('has each of its reasons told in the documentation', () => {
    const told = rowsOf(read('docs/proxies.md')).map(({ name }) => name)
    const reasons = union('src/explanation.ts', 'CookieReason')
    expect(reasons).toContain('insecure-hop')
    expect(told).toEqual(expect.arrayContaining(reasons))
  })

  it('is undefined for a request that has not passed the middleware: loggers ask it', async () => {
    const { sessions } = await serveApp()
    expect(sessions.explain({})).toBe(undefined)
    expect(() => sessions.of({})).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
  })
})
