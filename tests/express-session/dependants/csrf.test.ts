import cookieParser from 'cookie-parser'
import { doubleCsrf } from 'csrf-csrf'
import type { Express, RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import type { CookieClient } from '../../../src/testing/index.js'
import { faces, type HeldSession, requireHere, serveFace, sessionOf } from './faces.js'

const csurf = requireHere('csurf') as () => RequestHandler
// Its types and those of csrf-csrf declare one property of a request in two ways.
const { csrfSync } = requireHere('csrf-sync') as {
  csrfSync(): { csrfSynchronisedProtection: RequestHandler }
}
const lusca = requireHere('lusca') as { csrf(): RequestHandler }

interface Package {
  readonly name: string
  mount(app: Express): void
}

const packages: Package[] = [
  { name: 'csurf 1.11', mount: (app) => void app.use(csurf()) },
  { name: 'lusca 1.7', mount: (app) => void app.use(lusca.csrf()) },
  {
    name: 'csrf-sync 4',
    mount: (app) => void app.use(csrfSync().csrfSynchronisedProtection),
  },
  {
    name: 'csrf-csrf 4',
    mount(app) {
      const { doubleCsrfProtection } = doubleCsrf({
        getSecret: () => 'the secret of the tokens',
        getSessionIdentifier: (req) => sessionOf(req).id,
        cookieName: 'token',
        cookieOptions: { secure: false },
      })
      app.use(cookieParser(), doubleCsrfProtection)
    },
  },
]

const tokenOf = (req: object) => (req as { csrfToken(): string }).csrfToken()
const settle = (req: object, change: (done: (error?: unknown) => void) => unknown) =>
  new Promise<HeldSession>((resolve, reject) => {
    change((error) => (error ? reject(error) : resolve(sessionOf(req))))
  })

const combinations = faces.flatMap((face) =>
  packages.map((subject) => ({ on: face.name, face, ...subject })),
)

describe.each(combinations)('$name on $on', ({ face, mount }) => {
  const made = () =>
    serveFace(face, (app) => {
      mount(app)
      app.get('/form', (req, res) => {
        // Its id has to be one that the next request has too.
        sessionOf(req).seen = true
        res.json(tokenOf(req))
      })
      app.get('/page', (_req, res) => void res.json('a page'))
      app.post('/orders', (req, res) => {
        sessionOf(req).orders = Number(sessionOf(req).orders ?? 0) + 1
        res.json(sessionOf(req).orders)
      })
      app.post('/login', async (req, res) => {
        await settle(req, (done) => sessionOf(req).regenerate(done))
        sessionOf(req).who = 'ada'
        res.json(tokenOf(req))
      })
      app.post('/logout', async (req, res) => {
        await settle(req, (done) => sessionOf(req).destroy(done))
        res.json('bye')
      })
    })

  const post = (browser: CookieClient, path: string, token?: string) =>
    browser.post(path, token === undefined ? {} : { headers: { 'x-csrf-token': token } })

  it('takes its own token, on every request that follows', async () => {
    const browser = (await made()).browser()
    const token = (await browser.get('/form')).json<string>()
    expect((await post(browser, '/orders', token)).json()).toBe(1)
    await browser.get('/page')
    expect((await post(browser, '/orders', token)).json()).toBe(2)
    const again = (await browser.get('/form')).json<string>()
    expect((await post(browser, '/orders', again)).json()).toBe(3)
  })

  it('answers 403 without the token, to a wrong one and to that of somebody else', async () => {
    const app = await made()
    const [browser, other] = [app.browser(), app.browser()]
    const token = (await browser.get('/form')).json<string>()
    const theirs = (await other.get('/form')).json<string>()
    expect((await post(browser, '/orders')).status).toBe(403)
    expect((await post(browser, '/orders', `${token}x`)).status).toBe(403)
    expect((await post(browser, '/orders', theirs)).status).toBe(403)
    // None of which has ended the right one.
    expect((await post(browser, '/orders', token)).json()).toBe(1)
  })

  it('has another token after a login, and refuses the one from before', async () => {
    const browser = (await made()).browser()
    const before = (await browser.get('/form')).json<string>()
    await post(browser, '/login', before)
    expect((await post(browser, '/orders', before)).status).toBe(403)
    const after = (await browser.get('/form')).json<string>()
    expect((await post(browser, '/orders', after)).json()).toBe(1)
  })

  it('gives at the login itself a token for what follows', async () => {
    const browser = (await made()).browser()
    const before = (await browser.get('/form')).json<string>()
    const given = (await post(browser, '/login', before)).json<string>()
    expect((await post(browser, '/orders', given)).json()).toBe(1)
  })

  it('refuses the token of a session that has ended', async () => {
    const browser = (await made()).browser()
    const token = (await browser.get('/form')).json<string>()
    await post(browser, '/logout', token)
    expect((await post(browser, '/orders', token)).status).toBe(403)
  })
})
