import express from 'express'
import { onTestFinished } from 'vitest'
import {
  type SessionManager,
  session,
  type TokenSessionOptions,
  type TokenStore,
} from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { JwtStore } from '../../src/stores/jwt.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { type AnyData, serve } from '../support/serve.js'

export const KEY = 'a key of the token stores, of 32 bytes and more'
export const OLD_KEY = 'an older key of the token stores, of 32 bytes'
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** Where the clients have the sessions. */
export const kinds = [
  { name: 'CookieStore', make: (keys: string[] = [KEY]): TokenStore => new CookieStore({ keys }) },
  { name: 'JwtStore', make: (keys: string[] = [KEY]): TokenStore => new JwtStore({ keys }) },
]

export interface Node {
  readonly sessions: SessionManager<AnyData>
  readonly events: string[]
  /** A new browser. */
  browser(): CookieClient
  /** A browser with the cookies that another one has now. */
  copyOf(client: CookieClient): CookieClient
  /** A request to /slow has come in, with its session loaded; gives what lets it go on. */
  slow(): Promise<() => void>
}

/** One process with an app of which the clients have the sessions. */
export async function nodeWith(options: TokenSessionOptions<AnyData>): Promise<Node> {
  const clock = options.clock as FakeClock
  const sessions = session<AnyData>(options)
  const events: string[] = []
  for (const name of ['renew', 'destroy', 'reject', 'expire', 'stale-write'] as const) {
    sessions.on(name, (event) => void events.push(`${name} ${event.reason}`))
  }
  const gates: (() => void)[] = []
  let arrived = (_go: () => void): void => void gates.push(_go)
  const app = express()
  app.use(sessions)
  const of = (req: object) => sessions.of(req).session
  app.get('/set/:key/:value', (req, res) => {
    of(req)[req.params.key] = req.params.value
    res.json(of(req).id)
  })
  app.get('/delete/:key', (req, res) => {
    delete of(req)[req.params.key]
    res.end()
  })
  app.get('/large/:key/:bytes', (req, res) => {
    of(req)[req.params.key] = 'x'.repeat(Number(req.params.bytes))
    res.json(of(req).id)
  })
  app.get('/count', async (req, res) => {
    res.json(await of(req).update((data) => (data.count = Number(data.count ?? 0) + 1)))
  })
  app.get('/update/:key/:value', async (req, res) => {
    await of(req).update((data) => Object.assign(data, { [req.params.key]: req.params.value }))
    res.end()
  })
  app.get('/slow', async (req, res) => {
    of(req)
    if (req.query.saved) {
      of(req).early = true
      await of(req).save()
    }
    await new Promise<void>((resolve) => arrived(resolve))
    if (req.query.out) await of(req).destroy()
    if (req.query.regenerate) await of(req).regenerate({ keep: true })
    if (req.query.bytes !== '0') {
      of(req)[String(req.query.key ?? 'slow')] = 'x'.repeat(Number(req.query.bytes ?? 1))
    }
    if (req.query.asks) await of(req).save()
    res.json(of(req).id)
  })
  app.get('/remember/:ms', (req, res) => {
    of(req).cookie.maxAge = Number(req.params.ms)
    res.end()
  })
  app.get('/out', async (req, res) => {
    await of(req).destroy()
    res.end()
  })
  app.get('/regenerate', async (req, res) => {
    await of(req).regenerate({ keep: req.query.keep !== undefined })
    res.json(of(req).id)
  })
  app.get('/authenticated', async (req, res) => {
    await sessions.of(req).authenticated()
    res.end()
  })
  app.get('/others/:user', async (req, res) => {
    res.json(await sessions.revokeUser(req.params.user, { except: of(req).id }))
  })
  app.get('/unread', (_req, res) => void res.end())
  app.get('/', (req, res) => void res.json(of(req)))
  const onError: express.ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(error.status ?? 500).json({ code: error.code, message: error.message })
  }
  app.use(onError)
  const { origin } = await serve(app)
  onTestFinished(async () => {
    const closed = sessions.close()
    await clock.advance(10_000)
    await closed.catch(() => {})
  })
  const browser = () => new CookieClient(origin, { clock })
  return {
    sessions,
    events,
    browser,
    copyOf: (client) => new CookieClient(origin, { clock, jar: client.clone().jar }),
    slow: () =>
      new Promise((resolve) => {
        const waiting = gates.shift()
        if (waiting !== undefined) resolve(waiting)
        else {
          arrived = (go) => {
            arrived = (later) => void gates.push(later)
            resolve(go)
          }
        }
      }),
  }
}

export function clockAt(): FakeClock {
  return new FakeClock(Date.UTC(2030, 0, 1))
}
