import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import type { ErrorRequestHandler } from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { FileStore } from '../../src/stores/file.js'
import { FakeClock } from '../../src/testing/index.js'
import { answerOf, freshFolder, startProcess } from '../stores/file-folder.js'
import { fatal } from '../support/process-events.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { turns } from '../support/turns.js'
import { type Operation, WatchedStore } from '../support/watched-store.js'

const LIMIT = 2000

const codeOf = (error: { code?: string }) => error.code ?? 'no code'

const routes: NonNullable<Parameters<typeof serveApp>[0]> = (app, sessions) => {
  app.get('/login{/:user}', (req, res) => {
    sessions.of(req).session.userId = Number(req.params.user ?? 1)
    res.end('welcome')
  })
  app.get('/set/:key', (req, res) => {
    sessions.of(req).session[req.params.key] = true
    res.end()
  })
  app.get('/public', (req, res) => void res.end(`public: ${sessions.of(req).isReadOnly}`))
  app.get('/call/:method', async (req, res) => {
    const { session } = sessions.of(req)
    const calls: Record<string, () => Promise<unknown>> = {
      save: () => session.save(),
      touch: () => session.touch(),
      reload: () => session.reload(),
      regenerate: () => session.regenerate(),
      destroy: () => session.destroy(),
      update: () => session.update((data) => void Object.assign(data, { updated: true })),
      authenticated: () => sessions.of(req).authenticated(),
    }
    res.end(await calls[req.params.method]!().then(() => 'done', codeOf))
  })
  app.get('/null', (req, res) => {
    Object.assign(req, { session: null })
    res.end()
  })
}

/** A visitor with a stored session on a store that the test can make fail. */
async function signedIn(
  options: Parameters<typeof serveApp>[1] = {},
  more: typeof routes = () => {},
) {
  const clock = new FakeClock()
  const inner = new MemoryStore({ clock })
  const store = new WatchedStore(inner)
  const made = await serveApp(
    (app, sessions) => {
      routes(app, sessions)
      more(app, sessions)
    },
    { store, clock, ...options },
  )
  const visitor = made.browser()
  await visitor.get('/set/kept')
  await visitor.get('/login')
  const dump = async () => {
    const all: unknown[] = []
    for await (const entry of inner.entries()) all.push(entry)
    return all
  }
  await clock.advance(20_000)
  store.calls.length = 0
  return { ...made, store, inner, visitor, dump }
}

describe('a session that cannot be loaded', () => {
  it.each(['fails', 'is not answered'])(
    'because the load %s is a 503; no handler runs, and the cookie stays',
    async (how) => {
      let ran = 0
      const { visitor, store, clock } = await signedIn({}, (app) => {
        app.get('/count', (_req, res) => void res.end(`${ran++}`))
      })
      let answer: ReturnType<typeof visitor.get>
      if (how === 'fails') {
        store.fail('load')
        answer = visitor.get('/count')
      } else {
        const { reached } = store.pause('load')
        answer = visitor.get('/count')
        await reached
        await clock.advance(LIMIT)
      }
      const failed = await answer
      expect(failed).toMatchObject({ status: 503, setCookies: [] })
      const code = how === 'fails' ? 'ERR_STORE' : 'ERR_STORE_TIMEOUT'
      expect(failed.json()).toMatchObject({ code })
      expect(ran).toBe(0)
      expect(store.calls).toEqual(['load'])
      store.recover()
      expect((await visitor.get('/')).json()).toEqual({ kept: true, userId: 1 })
    },
  )
})

describe('the error page of a session that cannot be loaded', () => {
  it('may look at req.session, which is empty, and can change nothing', async () => {
    const { visitor, store, app, sessions } = await signedIn()
    const page: ErrorRequestHandler = async (_error, req, res, _next) => {
      const { session } = req as unknown as { session: AnyData & { save(): Promise<void> } }
      const shown = { ...session }
      session.seen = 'an error page'
      const saved = await session.save().then(() => 'saved', codeOf)
      res.status(503).json([shown, saved, sessions.of(req).isReadOnly])
    }
    app.use(page)
    const { stack } = app.router as unknown as { stack: unknown[] }
    stack.splice(-2, 0, stack.pop())
    store.fail('load')
    const answer = await visitor.get('/')
    expect(answer).toMatchObject({ status: 503, setCookies: [] })
    expect(answer.json()).toEqual([{}, 'ERR_READ_ONLY', true])
    store.recover()
    expect((await visitor.get('/')).json()).toEqual({ kept: true, userId: 1 })
  })

  it('may send the request on, and the middleware tries again', async () => {
    let answered: unknown
    const { visitor, store, app, sessions } = await signedIn()
    const again: ErrorRequestHandler = (error, req, res, next) => {
      if (answered !== undefined) return next(error)
      answered = error.code
      store.recover()
      sessions(req, res, (reason) => {
        if (reason === undefined) res.json({ ...sessions.of(req).session })
        else next(reason)
      })
    }
    app.use(again)
    const { stack } = app.router as unknown as { stack: unknown[] }
    stack.splice(-2, 0, stack.pop())
    store.fail('load')
    const answer = await visitor.get('/')
    expect([answered, answer.status]).toEqual(['ERR_STORE', 200])
    expect(answer.json()).toEqual({ kept: true, userId: 1 })
  })
})

describe('with onStoreError anonymous, a session that cannot be loaded', () => {
  it('is empty and read-only: public pages are served, without a cookie', async () => {
    const { visitor, store, dump } = await signedIn({ onStoreError: 'anonymous' })
    const before = await dump()
    store.fail('load')
    const page = await visitor.get('/public')
    expect(page).toMatchObject({ status: 200, setCookies: [] })
    expect(page.text()).toBe('public: true')
    expect((await visitor.get('/')).json()).toEqual({})
    expect(await dump()).toEqual(before)
  })

  it('drops ordinary data, with one event, although the store is there again', async () => {
    const { visitor, store, dump, sessions } = await signedIn(
      { onStoreError: 'anonymous' },
      (app, all) => {
        app.get('/recovered', (req, res) => {
          all.of(req).session.lost = true
          store.recover()
          res.end()
        })
      },
    )
    const stale: unknown[] = []
    sessions.on('stale-write', ({ reason }) => stale.push(reason))
    const before = await dump()
    store.fail('load')
    expect(await visitor.get('/recovered')).toMatchObject({ status: 200, setCookies: [] })
    expect(stale).toEqual(['unavailable'])
    expect(store.calls).toEqual(['load'])
    expect(await dump()).toEqual(before)
  })

  it('fails a login with 503, not 200, and signs nobody in', async () => {
    const { visitor, store, dump } = await signedIn({ onStoreError: 'anonymous' })
    const before = await dump()
    store.fail('load')
    const login = await visitor.get('/login')
    expect(login).toMatchObject({ status: 503, setCookies: [] })
    expect(login.json()).toMatchObject({ code: 'ERR_READ_ONLY' })
    expect(store.calls).toEqual(['load'])
    expect(await dump()).toEqual(before)
  })

  it.each(['save', 'touch', 'reload', 'update', 'regenerate', 'destroy', 'authenticated'])(
    'refuses %s() with ERR_READ_ONLY, and the store is asked nothing',
    async (method) => {
      const { visitor, store, dump } = await signedIn({ onStoreError: 'anonymous' })
      const before = await dump()
      store.fail('load')
      const answer = await visitor.get(`/call/${method}`)
      expect(answer.setCookies).toEqual([])
      expect(answer.text()).toContain('ERR_READ_ONLY')
      expect(store.calls).toEqual(['load'])
      expect(await dump()).toEqual(before)
    },
  )

  it('is not ended by an assigned null either', async () => {
    const { visitor, store, dump } = await signedIn({ onStoreError: 'anonymous' })
    const before = await dump()
    store.fail('load')
    expect(await visitor.get('/null')).toMatchObject({ status: 503, setCookies: [] })
    expect(await dump()).toEqual(before)
    store.recover()
    expect((await visitor.get('/')).json()).toEqual({ kept: true, userId: 1 })
  })
})

describe('a store that never answers', () => {
  it.each<[string, Operation, string, number]>([
    ['a load', 'load', '/', 503],
    ['a change', 'replace', '/set/late', 500],
    ['a login', 'create', '/login/2', 500],
    ['a sign-out', 'replace', '/null', 500],
  ])('fails %s when the clock passes the limit', async (_name, operation, page, status) => {
    const unhandled = fatal('unhandledRejection')
    const { visitor, store, clock, sessions } = await signedIn()
    const paused = store.pause(operation)
    let answered = false
    const answer = visitor.get(page).finally(() => {
      answered = true
    })
    await paused.reached
    await clock.advance(LIMIT - 1)
    expect(answered).toBe(false)
    await clock.advance(1)
    const late = await answer
    expect(late).toMatchObject({ status, setCookies: [] })
    expect(late.json()).toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
    paused.resume()
    await turns()
    await sessions.settled()
    expect(unhandled).toEqual([])
  })

  it('may answer late: that changes nothing for the next requests', async () => {
    const { visitor, store, clock, sessions } = await signedIn()
    const load = store.pause('load')
    const first = visitor.get('/set/never')
    await load.reached
    await clock.advance(LIMIT)
    expect((await first).status).toBe(503)
    store.recover()
    await visitor.get('/set/next')
    load.resume()
    await turns()
    await sessions.settled()
    expect((await visitor.get('/')).json()).toEqual({ kept: true, userId: 1, next: true })
  })

  it.each<['touch' | 'reload' | 'update' | 'destroy', Operation]>([
    ['touch', 'touch'],
    ['reload', 'load'],
    ['update', 'replace'],
    ['destroy', 'replace'],
  ])('fails an awaited %s() at the limit', async (method, operation) => {
    const { visitor, store, clock, sessions } = await signedIn()
    const cookie = `sid=${visitor.jar.get('sid')?.value}`
    const found = (await sessions.read({ headers: { cookie } }))!
    const paused = store.pause(operation)
    const call =
      method === 'update'
        ? found.update((data) => void Object.assign(data, { n: 1 }))
        : found[method]()
    const failed = expect(call).rejects.toMatchObject({
      code: 'ERR_STORE_TIMEOUT',
      retryable: true,
      outcome: 'unknown',
    })
    await paused.reached
    await clock.advance(LIMIT)
    await failed
  })
})

describe('a process', () => {
  it('that starts during an outage answers errors, and works when the store is there', async () => {
    const folder = freshFolder()
    onTestFinished(() => folder.remove())
    writeFileSync(folder.path, 'another file system')
    const unhandled = fatal('unhandledRejection')
    const { browser } = await serveApp(routes, { store: new FileStore({ path: folder.path }) })
    const visitor = browser()
    const failed = await visitor.get('/login')
    expect(failed).toMatchObject({ status: 500, setCookies: [] })
    expect(failed.json()).toMatchObject({ code: 'ERR_STORE' })
    rmSync(folder.path)
    expect((await visitor.get('/login')).status).toBe(200)
    expect((await visitor.get('/')).json()).toEqual({ userId: 1 })
    expect(unhandled).toEqual([])
  })

  it('survives a touch, a sweep and a load that fail while nobody listens', async () => {
    const ends = [fatal('unhandledRejection'), fatal('uncaughtException')]
    class Failing extends MemoryStore {
      isDown = false
      override touch(...args: Parameters<MemoryStore['touch']>): boolean {
        if (this.isDown) throw new Error('connection lost')
        return super.touch(...args)
      }
      override async sweep(): Promise<number> {
        throw new Error('connection lost')
      }
      override load(key: string) {
        if (this.isDown && this.#loads++ > 0) throw new Error('connection lost')
        return super.load(key)
      }
      #loads = 0
    }
    const store = new Failing()
    const { browser, clock, sessions } = await serveApp(routes, { store })
    const visitor = browser()
    await visitor.get('/set/a')
    await clock.advance(20 * 60_000)
    store.isDown = true
    expect((await visitor.get('/')).status).toBe(200)
    expect((await visitor.get('/')).status).toBe(503)
    await sessions.settled()
    await turns()
    expect(ends).toEqual([[], []])
    store.isDown = false
    expect((await visitor.get('/')).json()).toEqual({ a: true })
  })

  it.each(['memory', 'file'])(
    'with open sessions on a store of kind %s ends by itself when its server has closed',
    async (kind) => {
      const folder = freshFolder()
      onTestFinished(() => folder.remove())
      const process = startProcess(folder.path, { type: 'sessions', kind })
      const killed = once(process.child, 'exit', { signal: AbortSignal.timeout(15_000) })
      killed.catch(() => process.child.kill('SIGKILL'))
      expect(await answerOf(process)).toBe('{"n":1}')
    },
  )
})
