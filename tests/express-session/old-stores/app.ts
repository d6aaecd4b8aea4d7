import express, { type Express, type Request, type Response } from 'express'
import { onTestFinished } from 'vitest'
import { CookieClient } from '../../../src/testing/index.js'
import { SECRET } from '../../support/secret.js'
import { serve } from '../../support/serve.js'
import { gate } from '../../support/turns.js'
import type { Implementation } from '../implementations.js'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** The session as applications in JavaScript see it. */
interface LooseSession {
  [key: string]: unknown
  readonly cookie: { maxAge: number | null }
  regenerate(done: (error?: unknown) => void): void
  save(done: (error?: unknown) => void): void
  destroy(done: (error?: unknown) => void): void
}

export interface OldApp {
  readonly origin: string
  browser(): CookieClient
  /** Until what the responses have not waited for is stored. */
  settled(): Promise<void>
  /** A slow request has got its session. */
  readonly inside: Promise<void>
  /** Lets the slow request go on. */
  readonly go: () => void
  /** What has come to `next`. */
  readonly errors: unknown[]
}

export const sessionOf = (req: Request): LooseSession =>
  (req as unknown as { session: LooseSession }).session

/** An application with a counter, a cart, a sign-in and a sign-out, as manuals write them. */
export async function oldApp(
  { session }: Implementation,
  store: object,
  options: object = {},
  routes: (app: Express) => void = () => {},
): Promise<OldApp> {
  const middleware = session({
    secret: SECRET,
    store,
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: HOUR },
    ...options,
  })
  const [inside, door] = [gate(), gate()]
  const app = express()
  app.use(middleware)
  routes(app)
  app.get('/count', (req, res) => {
    const session = sessionOf(req)
    session.views = Number(session.views ?? 0) + 1
    res.json({ views: session.views })
  })
  app.get('/cart/:item', (req, res) => {
    const session = sessionOf(req)
    session.cart ??= { items: [] }
    const { items } = session.cart as { items: { name: string }[] }
    items.push({ name: req.params.item })
    res.json({ items: items.length })
  })
  app.get('/login/:user', signIn)
  app.get('/remember', (req, res) => {
    const session = sessionOf(req)
    session.cookie.maxAge = 14 * DAY
    // The cookie alone is no change: most stores would keep the old one at a touch.
    session.remembered = true
    res.json({})
  })
  app.get('/logout', (req, res) => {
    sessionOf(req).destroy((error) => answer(res, error))
  })
  app.get('/slow/:what', async (req, res) => {
    const session = sessionOf(req)
    inside.open()
    await door.opened
    if (req.params.what === 'writer') session.late = true
    res.json({})
  })
  app.get('/', (req, res) => {
    // session-file-store and connect-mongo put what they know beside the data.
    const { cookie: _cookie, __lastAccess, lastModified, ...data } = sessionOf(req)
    res.json(data)
  })
  const errors: unknown[] = []
  const onError: express.ErrorRequestHandler = (error, _req, res, _next) => {
    errors.push(error)
    if (!res.headersSent) res.status(error.status ?? 500).json({ error: true, code: error.code })
  }
  app.use(onError)
  const { origin } = await serve(app)
  onTestFinished(() => middleware.close?.())
  return {
    origin,
    browser: () => new CookieClient(origin),
    settled: async () => middleware.settled?.(),
    inside: inside.opened,
    go: door.open,
    errors,
  }
}

/** As the manual does it: a new id against fixation, what was in the cart kept by hand. */
function signIn(req: Request, res: Response): void {
  const { cart } = sessionOf(req)
  sessionOf(req).regenerate((failed) => {
    if (failed) return answer(res, failed)
    const session = sessionOf(req)
    session.user = user(String(req.params.user))
    if (cart !== undefined) session.cart = cart
    session.save((error) => answer(res, error))
  })
}

function answer(res: Response, error: unknown): void {
  if (error) res.status(500).json({ error: true })
  else res.json({})
}

/** What the sign-in puts into the session. */
export function user(name: string): object {
  return { name, roles: ['Größe', '✓'] }
}

/** The cookie of a browser, for a request of another one. */
export function cookieOf(browser: CookieClient): { headers: { cookie: string } } {
  return { headers: { cookie: browser.jar.header(`${browser.origin}/`) ?? '' } }
}

/** The id in a browser's cookie. */
export function idOf(browser: CookieClient): string {
  const value = decodeURIComponent(browser.jar.get('connect.sid')!.value)
  return value.slice('s:'.length, value.lastIndexOf('.'))
}
