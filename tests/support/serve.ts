import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type Express } from 'express'
import { onTestFinished } from 'vitest'
import { type SessionManager, type SessionOptions, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { SECRET } from './secret.js'

/** Data of the sessions in these tests: anything. */
export interface AnyData {
  [key: string]: unknown
}

export { SECRET }

/** A real server on a free port, which ends with the test. */
export async function serve(
  listener: RequestListener,
): Promise<{ origin: string; server: Server }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { origin: `http://127.0.0.1:${port}`, server }
}

export interface App {
  readonly app: Express
  readonly origin: string
  readonly sessions: SessionManager<AnyData>
  readonly clock: FakeClock
  /** A new browser. */
  browser(): CookieClient
}

/**
 * An Express app with sessions and an error page that shows the code, as a test wants to see it.
 * `routes` adds handlers; `/` answers the data of the session.
 */
export async function serveApp(
  routes: (app: Express, sessions: SessionManager<AnyData>) => void = () => {},
  options: Partial<SessionOptions<AnyData>> = {},
): Promise<App> {
  const clock = (options.clock as FakeClock | undefined) ?? new FakeClock()
  const sessions = session<AnyData>({ secret: SECRET, clock, ...options })
  const app = express()
  app.use(sessions)
  routes(app, sessions)
  app.get('/', (req, res) => void res.json(sessions.of(req).session))
  const onError: express.ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(error.status ?? 500).json({ code: error.code, message: error.message })
  }
  app.use(onError)
  const { origin } = await serve(app)
  onTestFinished(async () => {
    const closed = sessions.close()
    // Streams, and handlers whose client has gone, are waited for by the clock.
    await clock.advance?.(3 * (options.storeTimeout ?? 2000))
    // A test of a close() that fails has looked at that itself.
    await closed.catch(() => {})
  })
  return { app, origin, sessions, clock, browser: () => new CookieClient(origin, { clock }) }
}
