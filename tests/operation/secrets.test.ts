import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { inspect, promisify } from 'node:util'
import type { ErrorRequestHandler } from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { StoreKeeper } from '../../src/core/store-keeper.js'
import { MemoryStore, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { allEvents } from '../support/all-events.js'
import { builtUrl } from '../support/built.js'
import { Leaks } from '../support/leaks.js'
import { processWarnings } from '../support/process-events.js'
import { type AnyData, SECRET, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const DATA = 'marked data, which is nobody else’s business'
const ID = /[\w-]{32}(?=\.[\w-]{43})/g

describe('the search for secrets', () => {
  it('finds each kind, wherever it hides', () => {
    const id = 'i'.repeat(32)
    const leaks = new Leaks([SECRET])
    leaks.addId(id)
    leaks.addData({ cart: [{ note: DATA }] })
    expect(leaks.in(`sid=${id}.signature`)).toEqual(['an id'])
    expect(leaks.in(`x${id}x`)).toEqual(['an id'])
    expect(leaks.inside({ a: { b: { c: { d: new Error(DATA) } } } })).toEqual(['data'])
    const hidden = Object.defineProperty({}, Symbol('hidden'), { value: { secret: SECRET } })
    expect(leaks.inside(hidden)).toEqual(['a secret'])
    expect(leaks.inside({ handle: 'h'.repeat(43), short: 'cart' })).toEqual([])
  })

  it('looks at what every test of this project tells', () => {
    expect(StoreKeeper.prototype.newIdentity.toString()).toContain('front')
  })
})

/** Everything that could hold a secret, after a life in which everything has happened. */
async function aLife() {
  const store = new WatchedStore(new MemoryStore())
  const clock = new FakeClock()
  const leaks = new Leaks([SECRET])
  leaks.addData(DATA)
  const outputs: [name: string, value: unknown][] = []
  const failures: unknown[] = []
  const made = await serveApp(
    (app, sessions) => {
      app.get('/set', (req, res) => {
        const { session } = sessions.of(req)
        Object.assign(session, { userId: 'ada', note: DATA, deep: { note: [DATA] } })
        res.end()
      })
      app.get('/bad', (req, res) => {
        Object.assign(sessions.of(req).session, { note: { DATA, total: 1n } })
        res.end()
      })
      app.get('/conflict', async (req, res) => {
        const { session } = sessions.of(req)
        session.note = `${DATA} here`
        const [one] = await Promise.all([sessions.read(req)])
        await one!.update((data) => {
          data.note = `${DATA} there`
        })
        res.end()
      })
      app.get('/update', async (req, res) => {
        await sessions.of(req).session.update((data) => {
          data.note = `${DATA} again`
        })
        res.end()
      })
      app.get('/logout', async (req, res) => {
        await sessions.of(req).session.destroy()
        sessions.of(req).session.note = DATA
        res.end()
      })
      app.get('/late', (req, res) => {
        res.write('begun')
        sessions.of(req).session.note = DATA
        res.end()
      })
      app.get('/look', async (req, res) => {
        const of = sessions.of(req)
        const { session } = of
        session.userId = 'bob'
        const token = await of.token()
        for (const [id] of token.matchAll(ID)) leaks.addId(id)
        delete session.userId
        outputs.push(['explain', sessions.explain(req)], ['of(req)', of], ['session', session])
        outputs.push(['sessions', sessions], ['list', await made.sessions.revoke(session.id)])
        outputs.push(['JSON', JSON.stringify([session, of, sessions.explain(req)])])
        res.end()
      })
      const onError: ErrorRequestHandler = (error, _req, _res, next) => {
        failures.push(error)
        next(error)
      }
      app.use(onError)
    },
    { store, clock, absoluteTimeout: 1000 * 3600, cookie: { secure: true } },
  )
  const told = allEvents(made.sessions)
  const { origin } = made
  const visitor = new CookieClient(origin.replace('http:', 'https:'), { connect: origin, clock })
  const visit = async (path: string, cookie?: string) => {
    const headers = cookie === undefined ? {} : { cookie }
    const { setCookies } = await visitor.get(path, { headers })
    for (const line of setCookies) for (const [id] of line.matchAll(ID)) leaks.addId(id)
  }
  const paths = [
    '/set',
    '/update',
    '/conflict',
    '/bad',
    '/look',
    '/set',
    '/logout',
    '/set',
    '/late',
  ]
  for (const path of paths) await visit(path)
  const cookie = visitor.jar.header(`https://${new URL(origin).host}/`)!
  for (const operation of ['load', 'replace', 'destroy', 'create'] as const) {
    store.fail(operation)
    for (const path of ['/set', '/update', '/logout', '/look']) await visit(path, cookie)
    await visit('/set', '')
    store.recover()
  }
  await visit('/set', `${cookie}x`)
  await visit('/set', `${cookie}; ${cookie.replace(/.$/, 'A')}`)
  await clock.advance(3_600_000)
  await visit('/', cookie)
  return { ...made, leaks, told, outputs, failures, cookie }
}

describe('no id, cookie, secret or data', () => {
  it('shows in an event, an error, a warning or what is printed of them', async () => {
    const warned = processWarnings()
    const { told, leaks, outputs, failures, cookie } = await aLife()
    // The search itself must have found something to search for, and something to search.
    expect(leaks.in(cookie)).toEqual(['an id'])
    expect(new Set(told.map(([name]) => name)).size).toBeGreaterThanOrEqual(8)
    expect(failures.length).toBeGreaterThan(3)
    expect(warned.length).toBeGreaterThan(0)
    for (const one of told) expect([one[0], leaks.inside(one)]).toEqual([one[0], []])
    for (const error of failures) {
      expect(leaks.inside(error)).toEqual([])
      expect(leaks.in(`${error} ${JSON.stringify(error)} ${(error as Error).stack}`)).toEqual([])
    }
    for (const [name, value] of outputs) {
      // The session shows its data, which is what it is for; nothing else does.
      const isData = name === 'session' || name === 'JSON'
      const found = leaks.inside(value).filter((leak) => leak !== 'data' || !isData)
      expect([name, found]).toEqual([name, []])
    }
  })

  it('shows in a request that is printed with everything that hangs on it', async () => {
    const sessions = session<AnyData>({ secret: SECRET })
    const leaks = new Leaks([SECRET])
    leaks.addData(DATA)
    let text = ''
    const server = createServer((req, res) => {
      sessions(req, res, async () => {
        const { session: mine } = sessions.of(req)
        mine.note = DATA
        await mine.save()
        text = inspect([req, res], { depth: 12, showHidden: true })
        res.end()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const browser = new CookieClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const { setCookies } = await browser.get('/')
    for (const [id] of setCookies[0]!.matchAll(ID)) leaks.addId(id)
    expect(leaks.in(setCookies[0]!)).toEqual(['an id'])
    expect(text).toContain('coatcheck')
    expect(leaks.in(text)).toEqual([])
  })

  it('is printed by a process, whatever it is asked to print', async () => {
    const script = fileURLToPath(new URL('life-process.mjs', import.meta.url))
    const env = {
      ...process.env,
      DEBUG: '*',
      NODE_DEBUG: 'coatcheck,session,http',
      NODE_ENV: 'production',
    }
    const args = ['--trace-warnings', script, builtUrl(), 'talk']
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env })
    const { ids } = JSON.parse(stdout.trim().split('\n').at(-1)!)
    expect(ids).toHaveLength(2)
    // What Node itself prints of the sockets is its own matter.
    const printed = stderr.replaceAll(/^HTTP \d+: .*(?:\n(?![A-Z(]).*)*/gm, '')
    expect(printed).toContain('WARN_MEMORY_STORE')
    for (const mark of [...ids, 'marked secret', 'marked data']) {
      expect([mark, printed.includes(mark)]).toEqual([mark, false])
    }
  })
})
