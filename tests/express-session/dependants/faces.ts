import { createRequire } from 'node:module'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import { onTestFinished } from 'vitest'
import { session as nativeSession } from '../../../src/index.js'
import { CookieClient } from '../../../src/testing/index.js'
import { SECRET, serve } from '../../support/serve.js'
import { type Implementation, implementations } from '../implementations.js'

export const requireHere = createRequire(import.meta.url)

/** A session as the packages on top of it see it. */
export interface HeldSession {
  [key: string]: unknown
  readonly id: string
  touch(): unknown
  save(done?: (error?: unknown) => void): unknown
  reload(done?: (error?: unknown) => void): unknown
  destroy(done?: (error?: unknown) => void): unknown
  regenerate(done?: (error?: unknown) => void): unknown
}

/** What a package that needs sessions may be mounted on. */
export interface Face {
  readonly name: string
  /** A middleware with a store of its own, unless one is among the options. */
  make(options?: object): Middleware
}

export type Middleware = RequestHandler & { close?(): Promise<void> }

/** `session(options)` of one implementation, as most apps call it. */
export function middlewareOf(implementation: Implementation, options: object = {}): Middleware {
  const quiet = { secret: SECRET, resave: false, saveUninitialized: false }
  const middleware: Middleware = implementation.session({ ...quiet, ...options })
  onTestFinished(() => middleware.close?.())
  return middleware
}

/** The package that is replaced, and what replaces it. */
export const oldFaces: readonly Face[] = implementations.map((implementation) => ({
  name: implementation.name,
  make: (options) => middlewareOf(implementation, options),
}))

/** And the native middleware, which the same packages work with. */
export const faces: readonly Face[] = [
  ...oldFaces,
  {
    name: 'session()',
    make(options = {}) {
      const sessions = nativeSession<Record<string, unknown>>({ secret: SECRET, ...options })
      onTestFinished(() => sessions.close())
      return sessions
    },
  },
]

export const sessionOf = (req: object) => (req as { session: HeldSession }).session

export interface Served {
  readonly origin: string
  /** A new browser. */
  browser(): CookieClient
  /** What this browser sends as its session, for a request that is made by hand. */
  stolen(browser: CookieClient): { headers: { cookie: string } }
}

export interface Mount {
  readonly make?: () => Express
  readonly middleware?: Middleware
}

/** An app on one face; `routes` adds the package and its handlers. Errors are shown as JSON. */
export async function serveFace(
  face: Face,
  routes: (app: Express) => void,
  { make = express, middleware = face.make() }: Mount = {},
): Promise<Served> {
  const app = make()
  app.use(express.json(), express.urlencoded({ extended: false }))
  app.use(middleware)
  routes(app)
  const onError: ErrorRequestHandler = (error, _req, res, _next) => {
    // lusca sets the status of the response, the others that of the error.
    const status = error.status ?? (res.statusCode >= 400 ? res.statusCode : 500)
    res.status(status).json({ code: error.code, message: error.message })
  }
  app.use(onError)
  const { origin } = await serve(app)
  return {
    origin,
    browser: () => new CookieClient(origin),
    stolen: (browser) => ({ headers: { cookie: browser.jar.header(`${origin}/`)! } }),
  }
}
