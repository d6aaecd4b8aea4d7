import express, { type Express, type Request } from 'express'
import { onTestFinished, vi } from 'vitest'
import { CookieClient, FakeClock } from '../../../../src/testing/index.js'
import { dropIn } from '../../../express-session/implementations.js'
import { oldApp, user } from '../../../express-session/old-stores/app.js'
import { allEvents, type Told } from '../../../support/all-events.js'
import type { FaultProxy } from '../../../support/fault-proxy.js'
import { fatal } from '../../../support/process-events.js'
import { type AnyData, serveApp } from '../../../support/serve.js'
import { gate, turns } from '../../../support/turns.js'
import type { Face } from '../store-process.js'
import { proxiedStore, type Subject } from './suite.js'

/** How long an operation of the store may take, by the clock of the test. */
export const LIMIT = 2000

/** An application on a store behind a proxy, whose time limits pass when the test says so. */
export interface World {
  readonly proxy: FaultProxy
  readonly clock: FakeClock
  readonly place: string
  browser(): CookieClient
  /** What failed: `error` events of `session()`, or what came to `next` under the drop-in. */
  readonly errors: unknown[]
  /** Of `session()`. */
  readonly events: readonly Told[]
  /** A slow request has got its session. */
  readonly inside: Promise<void>
  /** Lets it go on. */
  readonly go: () => void
  /** What would have ended the process. */
  readonly crashes: unknown[]
  settled(): Promise<void>
  /** The answer, while time limits pass. */
  impatiently<T>(answer: Promise<T>): Promise<T>
  /** Until the app answers this browser without an error again. */
  recovered(browser: CookieClient): Promise<void>
}

/** Starts one. Its clock begins at the time of the server. */
export async function world(subject: Subject, face: Face = 'native'): Promise<World> {
  const crashes = [fatal('uncaughtException'), fatal('unhandledRejection')]
  const { proxy, store, place } = await proxiedStore(subject)
  const clock = new FakeClock(Date.now())
  const app =
    face === 'native'
      ? await nativeApp(store, clock)
      : await oldApp(
          dropIn,
          store,
          { clock, storeTimeout: LIMIT, onStoreError: 'fail', clearOnDestroy: true },
          extraRoutes,
        ).then((made) => ({ ...made, events: [] }))
  const impatiently = async <T>(answer: Promise<T>): Promise<T> => {
    let over = false
    const settle = () => {
      over = true
    }
    answer.then(settle, settle)
    while (!over) {
      // What works has this long to answer, on a machine with other work too.
      await new Promise((resolve) => setTimeout(resolve, 25))
      await turns(20)
      if (!over) await clock.advance(LIMIT / 4)
    }
    return answer
  }
  // Before the app ends, which waits for what is under way.
  onTestFinished(() => proxy.pass({ lost: subject.kind.fragile === undefined }))
  return {
    ...app,
    proxy,
    clock,
    place,
    browser: () => new CookieClient(app.origin),
    get crashes() {
      return crashes.flat()
    },
    impatiently,
    async recovered(browser) {
      const isBack = async () => {
        const answer = impatiently(browser.get('/'))
        return (await answer.catch(() => ({ status: 599 }))).status < 500
      }
      await vi.waitUntil(isBack, { timeout: subject.patience ?? 20_000, interval: 20 })
    },
  }
}

function extraRoutes(app: Express): void {
  app.get('/untouched', (_req, res) => void res.end())
}

async function nativeApp(store: object, clock: FakeClock) {
  const [inside, door] = [gate(), gate()]
  const { origin, sessions } = await serveApp(
    (app, sessions) => {
      const sessionOf = (req: Request) => sessions.of(req).session
      extraRoutes(app)
      app.get('/count', (req, res) => {
        const session = sessionOf(req)
        session.views = Number(session.views ?? 0) + 1
        res.json({ views: session.views })
      })
      app.get('/login/:user', (req, res) => {
        const { user: name } = req.params
        sessionOf(req).user = { ...user(name), id: name }
        res.json({})
      })
      app.get('/logout', async (req, res) => {
        await sessionOf(req).destroy()
        res.json({})
      })
      app.get('/slow/:what', async (req, res) => {
        const session: AnyData = sessionOf(req)
        void session.user
        inside.open()
        await door.opened
        if (req.params.what === 'writer') session.late = true
        res.json({})
      })
      app.use(express.json())
    },
    { store: store as never, clock, storeTimeout: LIMIT },
  )
  const events = allEvents(sessions)
  const errors: unknown[] = []
  sessions.on('error', ({ error }) => void errors.push(error))
  return {
    origin,
    events,
    errors,
    inside: inside.opened,
    go: door.open,
    settled: () => sessions.settled(),
  }
}
