import type { AddressInfo } from 'node:net'
import { sign } from 'cookie-signature'
import express, { type Express, type Request, type Response } from 'express'
import { onTestFinished } from 'vitest'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { SECRET } from '../support/secret.js'
import { serve } from '../support/serve.js'
import { type HandStore, handStore } from './hand-store.js'
import { dropIn, type Implementation } from './implementations.js'

export const HOUR = 3_600_000

type Callback = (error?: Error) => void

/** `req.session` as programs in JavaScript see it. */
export interface LooseSession {
  [key: string]: unknown
  readonly id: string
  cookie: LooseCookie
  save(callback?: Callback): Promise<void> & LooseSession
  reload(callback?: Callback): Promise<void> & LooseSession
  destroy(callback?: Callback): Promise<void> & LooseSession
  regenerate(callback?: Callback): Promise<void> & LooseSession
  touch(): LooseSession
}

export interface LooseCookie {
  [key: string]: unknown
  maxAge: number | null
  originalMaxAge: unknown
  expires: unknown
}

export interface LooseRequest {
  session: LooseSession
  sessionID: string
  sessionStore: HandStore & {
    generate(req: object): void
    regenerate(req: object, callback: Callback): void
  }
}

/** A request as its handler sees it. */
export function at(req: Request): LooseRequest {
  return req as unknown as LooseRequest
}

export interface Told {
  readonly name: string
  readonly [detail: string]: unknown
}

const EVENTS = [
  'create',
  'commit',
  'destroy',
  'stale-write',
  'conflict',
  'corrupt',
  'reject',
  'error',
  'warning',
]

export interface Program {
  readonly app: Express
  readonly origin: string
  readonly port: number
  readonly store: HandStore
  readonly clock: FakeClock
  /** What has come to `next`. */
  readonly errors: { code?: string; message: string; status?: number }[]
  /** What the middleware has told; express-session tells nothing. */
  readonly events: Told[]
  readonly middleware: { settled(): Promise<void>; close(): Promise<void> }
  /** A new browser. */
  browser(): CookieClient
  /** A browser with a session of this data. */
  visitor(data?: object): Promise<CookieClient>
}

type Handler = (req: Request, res: Response) => unknown

/**
 * A program around a middleware: `/` answers the data of its session, `/set` puts the query there.
 * What comes to `next` is an error page, or noted where a response has begun.
 */
export async function program(
  routes: { [path: string]: Handler } = {},
  options: { [name: string]: unknown } = {},
  implementation: Implementation = dropIn,
): Promise<Program> {
  const clock = new FakeClock(Date.now())
  const store = ('store' in options ? options.store : handStore(implementation)) as HandStore
  const middleware = implementation.session({
    secret: SECRET,
    resave: false,
    saveUninitialized: false,
    ...(implementation === dropIn && { clock }),
    ...options,
    store,
  })
  const events: Told[] = []
  for (const name of middleware.on === undefined ? [] : EVENTS) {
    middleware.on(name, (event: object) => void events.push({ name, ...event }))
  }
  const app = express()
  app.use(middleware)
  for (const [path, handler] of Object.entries(routes))
    app.all(path, (req, res) => handler(req, res))
  app.all('/set', (req, res) => {
    Object.assign(at(req).session, req.query)
    res.json({})
  })
  app.all('/', (req, res) => void res.json(dataOf(req)))
  const errors: Program['errors'] = []
  const onError: express.ErrorRequestHandler = (error, _req, res, _next) => {
    errors.push(error)
    if (!res.headersSent) res.status(error.status ?? 500).json({ code: error.code })
  }
  app.use(onError)
  const { origin, server } = await serve(app)
  onTestFinished(async () => {
    const closed = middleware.close?.()
    await clock.advance(90_000)
    await closed
  })
  const browser = () => new CookieClient(origin)
  return {
    app,
    origin,
    port: (server.address() as AddressInfo).port,
    store,
    clock,
    errors,
    events,
    middleware,
    browser,
    async visitor(data = { user: 'ada' }) {
      const client = browser()
      await client.get(`/set?${new URLSearchParams({ ...data })}`)
      store.taken?.()
      events.length = 0
      return client
    },
  }
}

/** What a session holds besides its cookie; undefined: there is none. */
export function dataOf(req: Request): object | null {
  const { session } = at(req)
  if (session === undefined || session === null) return null
  const { cookie: _, ...data } = session
  return data
}

/** What the store has under the id of a browser's cookie. */
export function keptFor(store: HandStore, browser: CookieClient): unknown {
  const text = store.kept.get(idOf(browser))
  if (text === undefined) return undefined
  const { cookie: _, ...data } = JSON.parse(text)
  return data
}

/** The id in a browser's cookie. */
export function idOf(browser: CookieClient, name = 'connect.sid'): string {
  const value = decodeURIComponent(browser.jar.get(name)!.value)
  return value.slice('s:'.length, value.lastIndexOf('.'))
}

/** A `Cookie` header that carries an id. */
export function cookieFor(id: string, secret = SECRET, name = 'connect.sid'): string {
  return `${name}=${encodeURIComponent(`s:${sign(id, secret)}`)}`
}

/** The cookie of a browser, for a request of another one. */
export function cookieOf(browser: CookieClient): { headers: { cookie: string } } {
  return { headers: { cookie: browser.jar.header(`${browser.origin}/`) ?? '' } }
}

/** The text of a record as express-session writes it. */
export function recordOf(data: object): string {
  const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
  return JSON.stringify({ cookie, ...data })
}
