import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express, { type ErrorRequestHandler, type Request, type RequestHandler } from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LegacyStore } from '../../../src/express-session/legacy-store.js'
import { MemoryStore } from '../../../src/index.js'
import { FileStore } from '../../../src/stores/file.js'
import { CookieClient } from '../../../src/testing/index.js'
import { serve } from '../../support/serve.js'
import { implementations } from '../implementations.js'
import { requireHere } from './faces.js'
import { serveIssuer } from './openid-issuer.js'

const { auth } = requireHere('express-openid-connect') as {
  auth(options: object): RequestHandler
}

interface OpenIdRequest extends Request {
  readonly oidc: { isAuthenticated(): boolean; readonly user?: { nickname: string } }
  appSession: { cart?: string[] }
}

/** What it keeps in a store: times in the header are in seconds, in the cookie in ms. */
interface Blob {
  readonly header: { readonly iat: number; readonly uat: number; readonly exp: number }
  readonly data: { readonly id_token?: string; readonly cart?: string[] }
  readonly cookie: { readonly expires: number; readonly maxAge: number }
}
interface Store {
  get(id: string, done: (error: unknown, found?: Blob) => void): void
}

const stores: { name: string; make(): Store }[] = [
  ...implementations.map(({ name, session }) => ({
    name: `the MemoryStore of ${name}`,
    make: () => new session.MemoryStore() as Store,
  })),
  {
    name: 'a LegacyStore over files',
    make() {
      const path = mkdtempSync(join(tmpdir(), 'coatcheck-openid-'))
      onTestFinished(() => rmSync(path, { recursive: true, force: true, maxRetries: 10 }))
      return new LegacyStore(new FileStore({ path })) as unknown as Store
    },
  },
  {
    name: 'a LegacyStore over memory',
    make: () => new LegacyStore(new MemoryStore()) as unknown as Store,
  },
]

describe.each(stores)('express-openid-connect 3.4 on $name', ({ make }) => {
  /** An app that keeps its own sessions, without a session middleware, in a store made for one. */
  async function shop(signSessionStoreCookie = false) {
    const store = make()
    const { origin: issuerBaseURL } = await serveIssuer('a shop')
    const app = express()
    const { origin } = await serve((req, res) => app(req, res))
    app.use(
      auth({
        issuerBaseURL,
        baseURL: origin,
        clientID: 'a shop',
        clientSecret: 'a client secret',
        secret: 'the secret of the cookies',
        authRequired: false,
        authorizationParams: { response_type: 'code', scope: 'openid' },
        session: { store, signSessionStoreCookie },
      }),
    )
    app.get('/', (req, res) => {
      const { oidc, appSession } = req as unknown as OpenIdRequest
      res.json({ user: oidc.user?.nickname, cart: appSession.cart })
    })
    app.get('/cart', (req, res) => {
      ;(req as unknown as OpenIdRequest).appSession.cart = ['coat']
      res.end()
    })
    const onError: ErrorRequestHandler = (error, _req, res, _next) => {
      res.status(500).json({ message: error.message })
    }
    app.use(onError)
    const idOf = (browser: CookieClient) =>
      new URLSearchParams(browser.jar.header(`${origin}/`)?.replaceAll('; ', '&')).get('appSession')
    return { store, idOf, browser: () => new CookieClient(origin) }
  }

  const login = (browser: CookieClient) => browser.get('/login', { redirect: 'follow' })
  const kept = (store: Store, id: string) =>
    new Promise<Blob | undefined>((resolve, reject) => {
      store.get(id, (error, found) => (error ? reject(error) : resolve(found)))
    })

  it('signs in, keeps somebody signed in, and signs out', async () => {
    const { browser: open, store, idOf } = await shop()
    const browser = open()
    expect((await login(browser)).json()).toEqual({ user: 'Countess' })
    await browser.get('/cart')
    expect((await browser.get('/')).json()).toEqual({ user: 'Countess', cart: ['coat'] })
    const id = idOf(browser)!
    expect((await kept(store, id))?.data.cart).toEqual(['coat'])

    const thief = browser.clone()
    await browser.get('/logout', { redirect: 'follow' })
    expect((await browser.get('/')).json()).toEqual({})
    expect((await thief.get('/')).json()).toEqual({})
    expect((await kept(store, id)) ?? undefined).toBeUndefined()
  })

  it('has another id from the login on, and the record of the old one is gone', async () => {
    const { browser: open, store, idOf } = await shop()
    const browser = open()
    await browser.get('/cart')
    const before = idOf(browser)!
    expect((await kept(store, before))?.data).toEqual({ cart: ['coat'] })
    expect((await login(browser)).json()).toEqual({ user: 'Countess', cart: ['coat'] })
    expect(idOf(browser)).not.toBe(before)
    expect((await kept(store, before)) ?? undefined).toBeUndefined()
  })

  it('gets back what it gave: seconds in its header, and a date in ms', async () => {
    const { browser: open, store, idOf } = await shop()
    const browser = open()
    await browser.get('/cart')
    const { header, cookie } = (await kept(store, idOf(browser)!))!
    expect(header.exp - header.uat).toBe(24 * 3600)
    expect(new Date(cookie.expires).getTime()).toBe(header.exp * 1000)
    expect((await browser.get('/')).json()).toEqual({ cart: ['coat'] })
  })

  it('works with signed cookies, and keeps two browsers apart', async () => {
    const { browser: open } = await shop(true)
    const [ada, other] = [open(), open()]
    await login(ada)
    await other.get('/cart')
    expect((await ada.get('/')).json()).toEqual({ user: 'Countess' })
    expect((await other.get('/')).json()).toEqual({ cart: ['coat'] })
  })
})
