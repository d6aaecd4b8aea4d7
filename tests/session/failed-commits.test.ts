import { createReadStream } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { fileURLToPath } from 'node:url'
import compression from 'compression'
import connect from 'connect'
import express from 'express'
import express4 from 'express4'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore, type SessionManager, session } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET, serve } from '../support/serve.js'
import { gate, turns } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const here = fileURLToPath(import.meta.url)
const BARE = 'Internal Server Error'

type Handler = (req: IncomingMessage, res: ServerResponse) => void
type Page = (error: unknown, res: ServerResponse) => void
type Middleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void
/** Runs the middlewares and the handler, and gives errors to the page. */
type Host = (middlewares: Middleware[], handler: Handler, page: Page) => Handler

const chained =
  (app: { use: (run: never) => unknown } & Handler): Host =>
  (middlewares, handler, page) => {
    for (const middleware of middlewares) app.use(middleware as never)
    app.use(handler as never)
    // Four parameters are how these hosts know an error page.
    app.use(((error: unknown, _req: unknown, res: ServerResponse, _next: unknown) =>
      page(error, res)) as never)
    return app
  }

const hosts: Record<string, () => Host> = {
  'Express 5': () => chained(express()),
  'Express 4': () => chained(express4() as never),
  connect: () => chained(connect() as never),
  'a plain callback': () => (middlewares, handler, page) => (req, res) => {
    const run = (left: Middleware[]): void => {
      const [first, ...others] = left
      if (first === undefined) handler(req, res)
      else first(req, res, (error) => (error ? page(error, res) : run(others)))
    }
    run(middlewares)
  },
  'a promise wrapper': () => (middlewares, handler, page) => (req, res) => {
    const passed = (middleware: Middleware) =>
      new Promise<void>((resolve, reject) => {
        middleware(req, res, (error) => (error ? reject(error) : resolve()))
      })
    const run = async () => {
      for (const middleware of middlewares) await passed(middleware)
      handler(req, res)
    }
    run().catch((error) => page(error, res))
  },
}

const answers: Record<string, (res: ServerResponse) => unknown> = {
  'a single end': (res) => res.end('dropped'),
  'a text with a length': (res) => res.setHeader('Content-Length', 7).end('dropped'),
  'a redirect': (res) => res.writeHead(302, { Location: '/dropped' }).end(),
  'writes and an end': (res) => {
    res.write('dropped')
    res.end('dropped')
  },
  'a piped file': (res) => createReadStream(here).pipe(res),
  'a pipeline': (res) => pipeline(createReadStream(here), res, () => {}),
  nothing: (res) => res.writeHead(204).end(),
}

function made() {
  const store = new WatchedStore(new MemoryStore())
  const clock = new FakeClock()
  const sessions = session<AnyData>({ secret: SECRET, store, clock })
  onTestFinished(() => sessions.close())
  const errors: unknown[] = []
  const failed = gate()
  sessions.on('error', ({ error }) => {
    errors.push((error as { code?: string }).code)
    failed.open()
  })
  return { store, clock, sessions, errors, failed }
}

/** Moves the clock, if one is given, until the work is done. */
async function whileTimePasses<T>(clock: FakeClock | undefined, work: Promise<T>): Promise<T> {
  let isDone = false
  const done = work.finally(() => {
    isDone = true
  })
  while (clock !== undefined && !isDone) {
    await turns(5)
    await clock.advance(2_000)
  }
  return done
}

function stackOf(sessions: SessionManager<AnyData>, compress: string): Middleware[] {
  const own = sessions as unknown as Middleware
  const compressing = compression({ threshold: 0 }) as unknown as Middleware
  if (compress === 'before') return [compressing, own]
  return compress === 'after' ? [own, compressing] : [own]
}

describe.each(Object.entries(hosts))('a commit that fails under %s', (name, host) => {
  describe.each(['absent', 'before', 'after'])('with compression %s', (compress) => {
    it.each(Object.entries(answers))('gives a whole error page for %s', async (_, answer) => {
      const { store, clock, sessions, errors, failed } = made()
      const pages: unknown[] = []
      const listener = host()(
        stackOf(sessions, compress),
        (req, res) => {
          sessions.of(req).session.cart = true
          res.setHeader('Content-Type', 'text/plain')
          res.setHeader('X-Kept', '1')
          answer(res)
        },
        (error, res) => {
          pages.push((error as { code?: string }).code)
          res.statusCode = 500
          res.setHeader('Content-Type', 'text/plain')
          res.end('the error page')
        },
      )
      const { origin } = await serve(listener)
      store.fail('create')
      const answering = fetch(origin, { redirect: 'manual' })
      await failed.opened
      // Its second `next` is heard by nobody.
      const isWrapper = name === 'a promise wrapper'
      if (isWrapper) await clock.advance(2_000)
      const answered = await answering
      expect(answered.status).toBe(500)
      expect(await answered.text()).toBe(isWrapper ? BARE : 'the error page')
      expect(answered.headers.getSetCookie()).toEqual([])
      expect(answered.headers.get('location')).toBeNull()
      expect(answered.headers.get('x-kept')).toBe('1')
      expect(pages).toEqual(isWrapper ? [] : ['ERR_STORE'])
      expect(errors).toEqual(['ERR_STORE'])
    })

    it('answers in place of a handler that goes on writing', async () => {
      const { store, clock, sessions, errors } = made()
      const pages: unknown[] = []
      const listener = host()(
        stackOf(sessions, compress),
        (req, res) => {
          sessions.of(req).session.cart = true
          res.setHeader('Content-Type', 'text/plain')
          res.write('dropped')
          turns(10).then(() => {
            res.write('dropped too')
            res.end('and the end')
          })
        },
        (error, res) => {
          pages.push((error as { code?: string }).code)
          res.statusCode = 500
          res.end('the error page')
        },
      )
      const { origin } = await serve(listener)
      store.fail('create')
      const isWrapper = name === 'a promise wrapper'
      const answered = await whileTimePasses(isWrapper ? clock : undefined, fetch(origin))
      expect(answered.status).toBe(500)
      // Behind compression it is seen that the handler comes to an end, so a page has its place.
      const hasPage = compress === 'after' && !isWrapper
      expect(await answered.text()).toBe(hasPage ? 'the error page' : BARE)
      expect(pages).toEqual(hasPage ? ['ERR_STORE'] : [])
      expect(answered.headers.getSetCookie()).toEqual([])
      expect(errors).toEqual(['ERR_STORE'])
    })
  })
})

describe('what fails', () => {
  const broken: [string, 'create' | 'replace', (data: AnyData) => unknown, AnyData | undefined][] =
    [
      ['a create', 'create', (data) => Object.assign(data, { cart: 1 }), undefined],
      ['a replace', 'replace', (data) => Object.assign(data, { cart: 2 }), { cart: 1 }],
      [
        'the create of a renewal',
        'create',
        (data) => Object.assign(data, { userId: 1 }),
        { cart: 1 },
      ],
      [
        'the end of the old id at a renewal',
        'replace',
        (data) => Object.assign(data, { userId: 1 }),
        { cart: 1 },
      ],
    ]

  it.each(broken)('%s: an error of its own status, and the session as before', async (...row) => {
    const [, operation, act, before] = row
    const { store, sessions, errors } = made()
    const token = before === undefined ? undefined : await sessions.issue(before)
    const app = express()
    app.use(sessions)
    app.get('/', (req, res) => {
      act(sessions.of(req).session)
      res.set('Cache-Control', 'public').json({ done: true })
    })
    const seen: unknown[] = []
    const page: express.ErrorRequestHandler = (error, _req, res, _next) => {
      seen.push(res.headersSent, error.code, error.status, error.outcome)
      res.status(error.status).json({ code: error.code })
    }
    app.use(page)
    const { origin } = await serve(app)
    store.fail(operation)
    const cookie = `sid=${token}`
    const answered = await fetch(origin, { headers: token === undefined ? {} : { cookie } })
    const text = await answered.text()
    expect([answered.status, text]).toEqual([500, '{"code":"ERR_STORE"}'])
    expect(Number(answered.headers.get('content-length'))).toBe(text.length)
    expect(answered.headers.getSetCookie()).toEqual([])
    expect(answered.headers.get('cache-control')).toBeNull()
    expect(seen).toEqual([false, 'ERR_STORE', 500, 'failed'])
    expect(errors).toEqual(['ERR_STORE'])
    store.recover()
    const stored = await sessions.read({ headers: { cookie } })
    expect(stored).toEqual(before ?? null)
  })

  it('once the response has ended is an event, and no second error for the host', async () => {
    const { store, sessions, errors, failed } = made()
    const app = express()
    app.use(sessions)
    app.get('/', (req, res) => {
      res.write('begun')
      sessions.of(req).session.cart = 2
      res.end('done')
    })
    const pages: unknown[] = []
    const page: express.ErrorRequestHandler = (error, _req, _res, next) => {
      pages.push(error)
      next(error)
    }
    app.use(page)
    const { origin } = await serve(app)
    const cookie = `sid=${await sessions.issue({ cart: 1 })}`
    store.fail('replace')
    const answered = await fetch(origin, { headers: { cookie } })
    expect(await answered.text()).toBe('begundone')
    await failed.opened
    expect(pages).toEqual([])
    expect(errors).toEqual(['ERR_STORE'])
  })

  it('with onStoreError anonymous, too, when the store fails at the commit only', async () => {
    const store = new WatchedStore(new MemoryStore())
    const sessions = session<AnyData>({ secret: SECRET, store, onStoreError: 'anonymous' })
    onTestFinished(() => sessions.close())
    const { origin } = await serve((req, res) =>
      sessions(req, res, () => {
        sessions.of(req).session.cart = 1
        res.end('done')
      }),
    )
    store.fail('create')
    const answered = await fetch(origin)
    expect([answered.status, await answered.text()]).toEqual([500, BARE])
    expect(answered.headers.getSetCookie()).toEqual([])
  })
})
