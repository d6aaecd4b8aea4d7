import express, { type RequestHandler } from 'express'
import helmet from 'helmet'
import morgan from 'morgan'
import onHeaders from 'on-headers'
import responseTime from 'response-time'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore, session } from '../../src/index.js'
import { type AnyData, SECRET, serve } from '../support/serve.js'
import { gate } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

describe('data that a listener of on-headers sets', () => {
  async function served(isStored: boolean) {
    const store = new WatchedStore(new MemoryStore())
    const sessions = session<AnyData>({ secret: SECRET, store })
    onTestFinished(() => sessions.close())
    const warnings: unknown[] = []
    sessions.on('warning', ({ code }) => warnings.push(code))
    const { origin } = await serve((req, res) =>
      sessions(req, res, () => {
        const current = sessions.of(req).session
        onHeaders(res, () => {
          current.lastStatus = res.statusCode
        })
        if (req.url === '/dirty') current.n = 1
        res.end('x')
      }),
    )
    const headers = isStored ? { cookie: `sid=${await sessions.issue({ userId: 1 })}` } : {}
    const visit = async (path: string) => {
      await (await fetch(origin + path, { headers })).text()
      await sessions.settled()
      return sessions.read({ headers })
    }
    return { visit, warnings, store }
  }

  it.each<[string, AnyData]>([
    ['/', { userId: 1, lastStatus: 200 }],
    ['/dirty', { userId: 1, n: 1, lastStatus: 200 }],
  ])('inside a single end() is stored after it: %s', async (path, stored) => {
    const { visit, warnings } = await served(true)
    expect(await visit(path)).toEqual(stored)
    expect(warnings).toEqual([])
  })

  it('is warned of where it would need a cookie', async () => {
    const { visit, warnings, store } = await served(false)
    await visit('/')
    expect(warnings).toEqual(['WARN_TOO_LATE'])
    expect(store.calls).toEqual([])
  })
})

/** An app with what others put beside a session: all of them before it, or all of them after. */
async function beside(where: 'before' | 'after') {
  const store = new WatchedStore(new MemoryStore())
  const sessions = session<AnyData>({ secret: SECRET, store })
  onTestFinished(() => sessions.close())
  const log: string[] = []
  const logged = gate()
  const heard: unknown[] = []
  const write = (line: string) => {
    log.push(line.trim())
    logged.open()
  }
  const others: RequestHandler[] = [
    morgan(':status :res[content-length] :res[location]', { stream: { write } }),
    helmet(),
    responseTime({ digits: 0 }),
    (_req, res, next) => {
      onHeaders(res, function (this: typeof res) {
        heard.push(this.statusCode)
        this.setHeader('X-Heard', '1')
      })
      next()
    },
  ]
  const app = express()
  const stack = [sessions, ...others]
  for (const one of where === 'after' ? stack : [...others, sessions]) app.use(one)
  app.get('/read', (req, res) => void res.send(`${sessions.of(req).session.cart}`))
  app.get('/login', (req, res) => {
    sessions.of(req).session.userId = 1
    res.redirect('/read')
  })
  app.get('/head', (req, res) => {
    sessions.of(req).session.cart = 'new'
    res.writeHead(201, { 'Content-Length': 4, Location: '/made' })
    res.end('made')
  })
  const page: express.ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(error.status).send('the error page')
  }
  app.use(page)
  const { origin } = await serve(app)
  const get = async (path: string, cookie = '') => {
    const answered = await fetch(`${origin}${path}`, { redirect: 'manual', headers: { cookie } })
    const text = await answered.text()
    await logged.opened
    return { answered, text }
  }
  return { store, sessions, get, log, heard }
}

describe.each(['before', 'after'] as const)('with others %s the session', (where) => {
  it('a clean session leaves them alone', async () => {
    const { sessions, get, log, heard } = await beside(where)
    const { answered, text } = await get('/read', `sid=${await sessions.issue({ cart: 'kept' })}`)
    expect(text).toBe('kept')
    expect(Object.fromEntries(answered.headers)).toMatchObject({
      'x-frame-options': 'SAMEORIGIN',
      'x-response-time': expect.stringMatching(/^\d+ms$/),
      'x-heard': '1',
      vary: 'Cookie',
    })
    expect(log).toEqual(['200 4 -'])
    expect(heard).toEqual([200])
  })

  it.each([
    ['/login', 302, '302 27 /read'],
    ['/head', 201, '201 4 /made'],
  ])('%s is logged as it is sent, once it is stored', async (path, status, line) => {
    const { store, get, log, heard } = await beside(where)
    const create = store.pause('create')
    const answering = get(path)
    await create.reached
    expect(log).toEqual([])
    create.resume()
    const { answered } = await answering
    expect(answered.status).toBe(status)
    expect(answered.headers.getSetCookie()).toEqual([expect.stringMatching(/^sid=/)])
    expect(Object.fromEntries(answered.headers)).toMatchObject({
      'x-frame-options': 'SAMEORIGIN',
      'x-response-time': expect.stringMatching(/^\d+ms$/),
      'x-heard': '1',
      'cache-control': 'no-store',
    })
    expect(log).toEqual([line])
    expect(heard).toEqual([status])
  })

  it.each(['/login', '/head'])('%s is logged as the error that went out', async (path) => {
    const { store, get, log, heard } = await beside(where)
    store.fail('create')
    const { answered, text } = await get(path)
    expect([answered.status, text]).toEqual([500, 'the error page'])
    expect(answered.headers.getSetCookie()).toEqual([])
    expect(answered.headers.get('x-frame-options')).toBe('SAMEORIGIN')
    expect(log).toEqual(['500 14 -'])
    expect(heard.length).toBeLessThanOrEqual(1)
  })
})
