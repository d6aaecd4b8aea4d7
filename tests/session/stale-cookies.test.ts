import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import type { CookieClient } from '../../src/testing/index.js'
import { SECRET, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
  app.get('/set/:key', (req, res) => {
    sessions.of(req).session[req.params.key] = true
    res.end()
  })
  app.get('/login', (req, res) => {
    sessions.of(req).session.userId = 1
    res.end()
  })
  app.get('/logout', async (req, res) => {
    await sessions.of(req).session.destroy()
    res.end()
  })
}

const copyOf = (browser: CookieClient, origin: string) => ({
  headers: { cookie: browser.jar.header(`${origin}/`)! },
})

describe('a session that is saved and then ends elsewhere while its request goes on', () => {
  it.each([
    ['writeHead and end', true],
    ['end alone', false],
  ])('answers as ever, without a cookie: %s', async (_name, withHead) => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/go', async (req, res) => {
        const { session } = sessions.of(req)
        session.userId = 1
        await session.save()
        await sessions.revokeUser(1)
        session.more = true
        if (withHead) res.writeHead(200)
        res.end('done')
      })
    })
    const answer = await browser().request('/go', { signal: AbortSignal.timeout(5000) })
    expect(answer.status).toBe(200)
    expect(answer.text()).toBe('done')
    expect(answer.setCookies).toEqual([])
  })
})

describe('a late clean response with a cookie due for another reason', () => {
  it('does not put an id back that a login has replaced meanwhile', async () => {
    const store = new MemoryStore()
    const before = await serveApp(routes, { store })
    const visitor = before.browser()
    await visitor.get('/set/cart')
    const old = copyOf(visitor, before.origin)
    let entered = () => {}
    let go = () => {}
    const inside = new Promise<void>((resolve) => {
      entered = resolve
    })
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    // The secret is rotated, so that each response to the old cookie wants to send it signed anew.
    const rotated = await serveApp(
      (app, sessions) => {
        routes(app, sessions)
        app.get('/slow', async (_req, res) => {
          entered()
          await gate
          res.end()
        })
      },
      { store, clock: before.clock, secret: ['another secret of these tests, 32 bytes', SECRET] },
    )
    const slow = rotated.browser().get('/slow', old)
    await inside
    expect((await rotated.browser().get('/login', old)).setCookies).toHaveLength(1)
    go()
    expect((await slow).setCookies).toEqual([])
  })
})

describe('a cookie without Secure', () => {
  it.each(['admin', '__session'])(
    'named %s stays one: login, renewal and logout work over plain http',
    async (name) => {
      const { browser } = await serveApp(routes, { cookie: { name } })
      const visitor = browser()
      for (const page of ['/set/cart', '/login', '/logout']) {
        expect((await visitor.get(page)).setCookies).toEqual([
          expect.not.stringContaining('Secure'),
        ])
        if (page === '/login') {
          expect((await visitor.get('/')).json()).toEqual({ cart: true, userId: 1 })
        }
      }
      expect(visitor.jar.get(name)).toBeUndefined()
    },
  )
})

describe('a cookie that is sent', () => {
  it('names what was stored, also if the handler calls regenerate() after its end()', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser } = await serveApp(
      (app, sessions) => {
        routes(app, sessions)
        app.get('/go', (req, res) => {
          const { session } = sessions.of(req)
          session.cookie.maxAge = 86_400_000
          res.end()
          void session.regenerate({ keep: true })
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/set/cart')
    await visitor.get('/go')
    expect((await visitor.get('/')).json()).toEqual({ cart: true })
  })
})
