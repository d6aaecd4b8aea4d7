import { maxHeaderSize } from 'node:http'
import express from 'express'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  bearer,
  type CookieOptions,
  OptionError,
  session,
  type TokenSessionOptions,
  type TokenStore,
} from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { JwtStore } from '../../src/stores/jwt.js'
import { FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET } from '../support/serve.js'
import { serveWide, type WideClient } from './wide-client.js'

const KEY = 'a key of the token stores, of 32 bytes and more'
const OLD_KEY = 'an older key of the token stores, of 32 bytes'
const HOUR = 3_600_000

const kinds = [
  { name: 'CookieStore', make: (keys: string[] = [KEY]): TokenStore => new CookieStore({ keys }) },
  { name: 'JwtStore', make: (keys: string[] = [KEY]): TokenStore => new JwtStore({ keys }) },
]

beforeEach(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => {}))
afterEach(() => void vi.restoreAllMocks())

type Options = Partial<TokenSessionOptions<AnyData>>

/** A manager, and what it tells. */
function managerOf(store: TokenStore, options: Options, clock: FakeClock) {
  const sessions = session<AnyData>({ store, clock, chunks: 4, idleTimeout: HOUR, ...options })
  const events: string[] = []
  for (const name of ['reject', 'expire', 'corrupt', 'error', 'duplicate'] as const) {
    sessions.on(
      name,
      (event) => void events.push('reason' in event ? `${name} ${event.reason}` : name),
    )
  }
  const warnings: string[] = []
  sessions.on('warning', ({ code, message }) => void warnings.push(`${code}: ${message}`))
  return { sessions, events, warnings }
}

/** An app whose clients have the sessions, with every page at the root and one folder below. */
async function appWith(store: TokenStore, options: Options = {}) {
  const clock = new FakeClock(Date.UTC(2030, 0, 1))
  const { sessions, events, warnings } = managerOf(store, options, clock)
  const app = express()
  app.use(sessions)
  const of = (req: object) => sessions.of(req).session
  const explained: unknown[] = []
  app.get('/{app/}set/:key/:value', (req, res) => {
    of(req)[req.params.key] = req.params.value
    res.on('finish', () => explained.push(sessions.explain(req)))
    res.end()
  })
  app.get('/{app/}large/:bytes', (req, res) => {
    of(req).large = 'x'.repeat(Number(req.params.bytes))
    res.end()
  })
  app.get('/out', async (req, res) => {
    await of(req).destroy()
    res.end()
  })
  app.get('/{app}', (req, res) => void res.json(of(req)))
  const onError: express.ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(error.status).json({ code: error.code, message: error.message })
  }
  app.use(onError)
  const browser = await serveWide(app, clock)
  return { sessions, clock, events, warnings, browser, explained, listener: app }
}

const nameOf = (line: string) => line.slice(0, line.indexOf('='))
const isDeletion = (line: string) => line.includes('=; Max-Age=0;')
const chunkNames = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${name}.${index}`)

describe.each(kinds)('a session in several cookies: $name', ({ make }) => {
  it('grows to four and shrinks to two and to one, and nobody is signed out on the way', async () => {
    const { browser, events } = await appWith(make())
    const ada = browser()
    await ada.get('/set/userId/ada')
    const steps: [bytes: number, names: string[]][] = [
      [100, ['sid']],
      [10_000, chunkNames('sid', 4)],
      [11_000, chunkNames('sid', 4)],
      [5000, chunkNames('sid', 2)],
      [8000, chunkNames('sid', 3)],
      [10, ['sid']],
    ]
    for (const [bytes, names] of steps) {
      await ada.get(`/large/${bytes}`)
      expect(ada.names.sort()).toEqual(names)
      expect(await ada.data()).toEqual({ userId: 'ada', large: 'x'.repeat(bytes) })
    }
    expect(events).toEqual([])
  })

  it('sends its lines in order, then deletes what is stale, and only that', async () => {
    const { browser } = await appWith(make())
    const ada = browser()
    const told = async (path: string) =>
      (await ada.get(path)).setCookies.map((line) => [nameOf(line), isDeletion(line)])
    const set = (names: string[]) => names.map((name) => [name, false])
    const cleared = (names: string[]) => names.map((name) => [name, true])
    expect(await told('/large/10000')).toEqual(set(chunkNames('sid', 4)))
    expect(await told('/large/5000')).toEqual([
      ...set(['sid.0', 'sid.1']),
      ...cleared(['sid.2', 'sid.3']),
    ])
    expect(await told('/large/1')).toEqual([...set(['sid']), ...cleared(['sid.0', 'sid.1'])])
    expect(await told('/large/2')).toEqual(set(['sid']))
    expect(await told('/large/5000')).toEqual([...set(['sid.0', 'sid.1']), ...cleared(['sid'])])
    expect(await told('/')).toEqual([])
  })

  it('is found though chunks of an older state are still sent, and deletes them when it is set', async () => {
    const { browser, events } = await appWith(make())
    const ada = browser()
    await ada.get('/large/10000')
    const stale = ada.header((name) => name === 'sid.2' || name === 'sid.3')
    await ada.get('/large/5000')
    const both = `${ada.header()}; ${stale}`
    expect(JSON.parse((await ada.get('/', both)).body)).toEqual({ large: 'x'.repeat(5000) })
    expect(events).toEqual([])
    const { setCookies } = await ada.get('/set/a/1', both)
    expect(setCookies.filter(isDeletion).map(nameOf)).toEqual(['sid.2', 'sid.3'])
  })

  it('of which a chunk is missing is no session, and an event tells', async () => {
    const { browser, events } = await appWith(make())
    const ada = browser()
    await ada.get('/large/10000')
    for (const missing of chunkNames('sid', 4)) {
      events.length = 0
      const { body, setCookies } = await ada.get(
        '/',
        ada.header((name) => name !== missing),
      )
      expect([body, setCookies, events]).toEqual(['{}', [], ['reject signature']])
    }
  })

  it('is authenticated as a whole: chunks of two sessions, in another order, or with a gap are none', async () => {
    const { browser, events } = await appWith(make())
    const [ada, bob] = [browser(), browser()]
    await ada.get('/large/5000')
    await bob.get('/large/5001')
    const chunk = (one: WideClient, index: number) => one.jar.get(`sid.${index}`)!.value
    const mixed = `sid.0=${chunk(ada, 0)}; sid.1=${chunk(bob, 1)}`
    const swapped = `sid.0=${chunk(ada, 1)}; sid.1=${chunk(ada, 0)}`
    const twice = `sid.0=${chunk(ada, 0)}; sid.1=${chunk(ada, 0)}; sid.2=${chunk(ada, 1)}`
    const apart = `sid.0=${chunk(ada, 0)}; sid.2=${chunk(ada, 1)}`
    for (const cookie of [mixed, swapped, twice, apart]) {
      events.length = 0
      expect((await ada.get('/', cookie)).body).toBe('{}')
      expect(events).toEqual(['reject signature'])
    }
  })

  it('under its whole and its cut name at once is taken in its later state', async () => {
    const { browser, clock, events } = await appWith(make())
    const ada = browser()
    await ada.get('/set/a/1')
    const whole = ada.header()
    await clock.advance(2000)
    await ada.get('/large/5000')
    const chunks = ada.header()
    await clock.advance(2000)
    const again = await ada.send('/set/b/2', whole)
    const wholeLater = again.setCookies[0]!.split(';')[0]!
    const large = { a: '1', large: 'x'.repeat(5000) }
    expect(JSON.parse((await ada.send('/', `${whole}; ${chunks}`)).body)).toEqual(large)
    const later = await ada.send('/', `${chunks}; ${wholeLater}`)
    expect(JSON.parse(later.body)).toEqual({ a: '1', b: '2' })
    expect(events).toEqual([])
    const { setCookies } = await ada.send('/set/c/3', `${chunks}; ${wholeLater}`)
    expect(setCookies.filter(isDeletion).map(nameOf)).toEqual(['sid.0', 'sid.1'])
  })

  it('is forgotten at a sign-out, in every shape it may have by then', async () => {
    const { browser } = await appWith(make())
    const ada = browser()
    await ada.get('/set/userId/ada')
    const before = ada.header()
    await ada.get('/large/10000')
    expect(ada.names).toEqual(chunkNames('sid', 4))
    // The sign-out left before the other response came.
    await ada.get('/out', before)
    expect(ada.names).toEqual([])
    await ada.get('/large/10000')
    await ada.get('/out')
    expect(ada.names).toEqual([])
  })

  it('that has ended leaves the cookies alone', async () => {
    const { browser, clock, events } = await appWith(make())
    const ada = browser()
    await ada.get('/large/10000')
    await clock.advance(HOUR + 1000)
    const { body, setCookies } = await ada.get('/')
    expect([body, setCookies, events]).toEqual(['{}', [], ['expire idle']])
  })

  it('comes back whole under the newest key', async () => {
    const before = await appWith(make([OLD_KEY]))
    const ada = before.browser()
    await ada.get('/large/5000')
    const both = await appWith(make([KEY, OLD_KEY]))
    const again = await both.browser().send('/', ada.header())
    expect(again.setCookies.map(nameOf)).toEqual(['sid.0', 'sid.1'])
    const now = await appWith(make([KEY]))
    const cookie = again.setCookies.map((line) => line.split(';')[0]).join('; ')
    const read = await now.browser().send('/', cookie)
    expect(JSON.parse(read.body)).toEqual({ large: 'x'.repeat(5000) })
  })

  it('is one of two on one request, each with chunks of its own', async () => {
    const clock = new FakeClock(Date.UTC(2030, 0, 1))
    const one = managerOf(make(), { cookie: { name: 'one' } }, clock)
    const other = managerOf(make(), { cookie: { name: 'other' }, property: 'other' }, clock)
    const app = express()
    app.use(one.sessions, other.sessions)
    app.get('/set/:one/:other', (req, res) => {
      one.sessions.of(req).session.large = 'x'.repeat(Number(req.params.one))
      other.sessions.of(req).session.large = 'y'.repeat(Number(req.params.other))
      res.end()
    })
    app.get('/', (req, res) => {
      const sizes = [one, other].map(({ sessions }) => String(sessions.of(req).session.large))
      res.json(sizes.map((large) => [large[0], large.length]))
    })
    const ada = (await serveWide(app, clock))()
    for (const [first, second] of [
      [5000, 8000],
      [1, 5000],
      [8000, 2],
    ] as const) {
      await ada.get(`/set/${first}/${second}`)
      const read = JSON.parse((await ada.get('/')).body)
      expect(read).toEqual([
        ['x', first],
        ['y', second],
      ])
    }
    expect(ada.names.sort()).toEqual([...chunkNames('one', 3), 'other'])
    expect([...one.events, ...other.events]).toEqual([])
  })

  it('is found beside one of another path, and when that has lost a chunk', async () => {
    const below = await appWith(make(), { cookie: { path: '/app' } })
    const { browser, clock, events } = await appWith(make())
    const [ada, other] = [browser(), below.browser()]
    await other.get('/app/large/8000')
    await clock.advance(1000)
    await ada.get('/set/userId/ada')
    await ada.get('/large/5000')
    for (const cookie of other.jar) ada.jar.set(cookie)
    const cookies = ada.jar.header('http://shop.example/app')!
    expect(cookies.match(/sid\.\d/g)).toEqual(['sid.0', 'sid.1', 'sid.2', 'sid.0', 'sid.1'])
    const large = { userId: 'ada', large: 'x'.repeat(5000) }
    expect(JSON.parse((await ada.send('/', cookies)).body)).toEqual(large)
    expect(events).toEqual(['duplicate'])
    const pairs = cookies.split('; ')
    for (const lost of [0, 1]) {
      const rest = pairs.filter((_, index) => index !== lost).join('; ')
      expect(JSON.parse((await ada.send('/', rest)).body)).toEqual(large)
    }
    // A chunk that was deleted and set again stands behind those of the other set.
    const turned = [0, 1, 3, 4, 2].map((index) => pairs[index]).join('; ')
    expect(JSON.parse((await ada.send('/', turned)).body)).toEqual(large)
  })

  it('is told of by explain as one token under one name', async () => {
    const { browser, explained } = await appWith(make())
    const ada = browser()
    await ada.get('/large/5000')
    await ada.get('/set/a/1')
    expect(explained).toMatchObject([
      {
        session: 'loaded',
        received: { count: 1, rejected: 0 },
        cookie: { action: 'set', reason: 'changed', name: 'sid' },
      },
    ])
  })

  it('that is larger than all of them is an error, and the browser keeps its old state', async () => {
    const { browser } = await appWith(make(), { chunks: 2 })
    const ada = browser()
    await ada.get('/large/5000')
    const { status, body, setCookies } = await ada.get('/large/8000')
    expect([status, setCookies]).toEqual([500, []])
    expect(JSON.parse(body)).toEqual({
      code: 'ERR_COOKIE_TOO_LARGE',
      message: expect.stringMatching(
        /would have \d{5} bytes, and browsers keep 8192 in 2 cookies; .*large \(8002\)/,
      ),
    })
    expect(await ada.data()).toEqual({ large: 'x'.repeat(5000) })
  })

  it('is read after fewer were allowed, and cleared away when it fits', async () => {
    const before = await appWith(make())
    const ada = before.browser()
    await ada.get('/large/10000')
    const { browser } = await appWith(make(), { chunks: 2 })
    const now = browser()
    for (const cookie of ada.jar) now.jar.set(cookie)
    expect(await now.data()).toEqual({ large: 'x'.repeat(10_000) })
    await now.get('/large/5000')
    expect(now.names).toEqual(['sid.0', 'sid.1'])
  })

  it('is sent by a handshake in one line, or not at all', async () => {
    const clock = new FakeClock(Date.UTC(2030, 0, 1))
    const { sessions } = managerOf(make(), {}, clock)
    const sentOf = async (bytes: number) => {
      const token = await sessions.issue({ large: 'x'.repeat(bytes) })
      await clock.advance(HOUR / 2 + 1000)
      const pieces = token.match(/.{1,4000}/g)!
      const cookie =
        pieces.length === 1
          ? `sid=${token}`
          : pieces.map((piece, index) => `sid.${index}=${piece}`).join('; ')
      const headers: Record<string, unknown> = {}
      const res = {
        setHeader: (name: string, value: unknown) => {
          headers[name] = value
        },
        writeHead: () => {},
        end: () => {},
      }
      const req = { headers: { cookie } }
      await new Promise((resolve) => sessions(req as never, res as never, resolve))
      expect(sessions.of(req).session.large).toBe('x'.repeat(bytes))
      res.writeHead()
      return [headers['Set-Cookie'], sessions.explain(req)?.cookie.action]
    }
    expect(await sentOf(10)).toEqual([expect.stringMatching(/^sid=/), 'set'])
    expect(await sentOf(5000)).toEqual([undefined, 'none'])
  })
})

describe('the names of chunks', () => {
  it.each<[CookieOptions, string, string]>([
    [{ secure: true }, 'https://shop.example', '__Host-sid'],
    [{ name: '__Secure-shop' }, 'https://shop.example', '__Secure-shop'],
    [{ name: '__Host-Http-shop' }, 'https://shop.example', '__Host-Http-shop'],
    [{ name: 'a.b' }, 'http://shop.example', 'a.b'],
  ])('keep the prefix of the cookie: %j', async (cookie, site, name) => {
    const { browser } = await appWith(new CookieStore({ keys: KEY }), { cookie })
    const ada = browser(site)
    await ada.get('/large/5000')
    expect(ada.names).toEqual(chunkNames(name, 2))
    expect(await ada.data()).toEqual({ large: 'x'.repeat(5000) })
    await ada.get('/large/1')
    expect(ada.names).toEqual([name])
    await ada.get('/large/5000')
    await ada.get('/out')
    expect(ada.names).toEqual([])
  })

  it('mean nothing where one cookie is all', async () => {
    const several = await appWith(new CookieStore({ keys: KEY }))
    const ada = several.browser()
    await ada.get('/large/5000')
    const one = await appWith(new CookieStore({ keys: KEY }), { chunks: 1 })
    expect((await one.browser().send('/', ada.header())).body).toBe('{}')
    expect(one.events).toEqual([])
  })

  it.each(['sid.4', 'sid.00', 'sid.0x', 'xsid.0', 'sid.', 'sid.-1'])('are not %s', async (name) => {
    const { browser, events } = await appWith(new CookieStore({ keys: KEY }))
    expect((await browser().send('/', `${name}=x`)).body).toBe('{}')
    expect(events).toEqual([])
  })
})

/** Its tokens are as long as the data says. */
class SizedStore implements TokenStore {
  readonly #kept = new Map<string, Parameters<TokenStore['seal']>[0]>()
  opens = 0

  seal(sealed: Parameters<TokenStore['seal']>[0]): string {
    const { data } = JSON.parse(sealed.text) as { data: { length: string } }
    const token = `${this.#kept.size}.`.padEnd(Number(data.length), 'x')
    this.#kept.set(token, sealed)
    return token
  }

  open(token: string): ReturnType<TokenStore['open']> {
    this.opens++
    const sealed = this.#kept.get(token)
    return sealed === undefined ? { rejected: 'signature' } : { sealed, reissue: false }
  }
}

describe('what browsers keep', () => {
  const everything: CookieOptions = {
    name: '__Secure-everything',
    domain: 'shop.example',
    path: '/',
    secure: true,
    sameSite: 'none',
    partitioned: true,
    priority: 'medium',
    persistent: true,
  }
  it.each<[CookieOptions]>([
    [{}],
    [{ name: 'a-longer-name-of-a-cookie' }],
    [{ domain: 'shop.example' }],
    [{ path: '/a/longer/path' }],
    [{ secure: true }],
    [{ sameSite: 'strict' }],
    [{ sameSite: 'none', secure: true }],
    [{ partitioned: true, secure: true }],
    [{ priority: 'high' }],
    [{ httpOnly: false }],
    [{ persistent: true }],
    [everything],
  ])('is used to the last byte, and never passed: %j', async (cookie) => {
    const { browser } = await appWith(new SizedStore(), { cookie })
    const limited = await Promise.all(
      ([1, 2, 3] as const).map((chunks) => appWith(new SizedStore(), { cookie, chunks })),
    )
    const apps = [...limited.map((one) => one.browser), browser]
    const [line] = (await browser().send('/set/length/100', undefined)).setCookies
    const around = line!.length - 100
    for (const [index, start] of apps.entries()) {
      const chunks = index + 1
      const room = chunks === 1 ? 4096 - around : chunks * (4096 - around - 2)
      const fits = await start().send(`/set/length/${room}`, undefined)
      expect(fits.setCookies.map(({ length }) => length)).toEqual(Array(chunks).fill(4096))
      const sent = fits.setCookies.map((one) => one.split(';')[0]).join('; ')
      expect(JSON.parse((await start().send('/', sent)).body)).toEqual({ length: String(room) })
      const over = await start().send(`/set/length/${room + 1}`, undefined)
      expect(over).toMatchObject({ status: 500, setCookies: [] })
      expect(JSON.parse(over.body)).toMatchObject({
        code: 'ERR_COOKIE_TOO_LARGE',
        message: expect.stringContaining(`would have ${chunks * 4096 + 1} bytes`),
      })
      const last = await start().send(`/set/length/${4096 - around}`, undefined)
      expect(last.setCookies.map(({ length }) => length)).toEqual([4096])
    }
  })

  it('is deleted under the attributes it was set with', async () => {
    const { browser } = await appWith(new SizedStore(), { cookie: everything })
    const ada = browser('https://shop.example')
    const set = (await ada.get('/set/length/9000')).setCookies
    const cleared = (await ada.get('/out')).setCookies
    const attributesOf = (line: string) =>
      line.split('; ').filter((one, at) => at > 0 && !/^(?:Max-Age|Expires)=/.test(one))
    expect(cleared.map(nameOf)).toEqual([everything.name, ...chunkNames(everything.name!, 4)])
    for (const line of [...set, ...cleared]) {
      expect(attributesOf(line)).toEqual(attributesOf(set[0]!))
    }
    expect(ada.names).toEqual([])
  })

  it.each([
    [1, 3276, 3277, 'has 3277 bytes of the 4096 that browsers keep.'],
    [3, 9830, 9831, 'has 9831 bytes of the 12288 that browsers keep in 3 cookies.'],
  ] as const)(
    'is warned of before it is too much, with chunks: %i',
    async (chunks, below, above, message) => {
      const { browser, warnings } = await appWith(new SizedStore(), { chunks })
      const ada = browser()
      const [line] = (await ada.send('/set/length/100', undefined)).setCookies
      const around = chunks === 1 ? line!.length - 100 : chunks * (line!.length - 98)
      await ada.send(`/set/length/${below - around}`, undefined)
      expect(warnings).toEqual([])
      await ada.send(`/set/length/${above - around}`, undefined)
      await ada.send(`/set/length/${above - around}`, undefined)
      expect(warnings).toEqual([`WARN_COOKIE_LARGE: A session cookie ${message}`])
    },
  )
})

describe('a server with the limit that Node has on headers', () => {
  it.each([
    ['its own', maxHeaderSize],
    ['a lower one', 12_000],
  ])('never gives out cookies with which it turns requests away: %s', async (_, most) => {
    const { listener, clock } = await appWith(new SizedStore())
    const ada = (await serveWide(listener, clock, most))()
    let kept = 100
    for (let length = 5000; length <= 16_000; length += 250) {
      const { status, body } = await ada.get(`/set/length/${length}`)
      if (status === 200) kept = length
      else {
        const { code, message } = JSON.parse(body)
        expect(code).toBe('ERR_COOKIE_TOO_LARGE')
        expect(message).toMatch(
          /would have \d+ bytes, and this server has room for \d+ in a request/,
        )
      }
      expect(await ada.data()).toEqual({ length: String(kept) })
    }
    expect(kept).toBeGreaterThan(most - 1500)
    expect(kept).toBeLessThan(most)
  })

  it.each([
    ['chunks last', 5000, 2200, 10_400, chunkNames('sid', 4)],
    ['one cookie last', 1, 10_400, 2200, ['sid']],
  ])('is not left with the cookies of two parallel responses: %s', async (_, ...of) => {
    const [first, one, other, names] = of
    const { listener, clock } = await appWith(new CookieStore({ keys: [KEY] }))
    const ada = (await serveWide(listener, clock, maxHeaderSize))()
    await ada.get('/set/userId/ada')
    await ada.get(`/large/${first}`)
    const before = ada.header()
    await ada.get(`/large/${one}`, before)
    await clock.advance(1000)
    await ada.get(`/large/${other}`, before)
    expect(ada.names).toEqual(names)
    expect(await ada.data()).toEqual({ userId: 'ada', large: 'x'.repeat(other) })
  })

  it('is spared deletions where cookies of both shapes fit', async () => {
    const { listener, clock } = await appWith(new CookieStore({ keys: [KEY] }), { chunks: 2 })
    const ada = (await serveWide(listener, clock, maxHeaderSize))()
    await ada.get('/set/userId/ada')
    const before = ada.header()
    const large = await ada.get('/large/2200', before)
    expect(large.setCookies.map(nameOf)).toEqual(['sid'])
    await ada.get('/large/5000')
    const chunked = await ada.get('/large/5001')
    expect(chunked.setCookies.map(nameOf)).toEqual(['sid.0', 'sid.1'])
  })

  it('sends again what it has let in, beside whatever else the request has', async () => {
    const { listener, clock } = await appWith(new SizedStore())
    const ada = (await serveWide(listener, clock, 12_000))()
    await ada.get('/set/length/10500')
    await clock.advance(HOUR / 2 + 1000)
    const more = { 'x-more': 'x'.repeat(1000) }
    const { status, setCookies } = await ada.send('/', ada.header(), more)
    const sent = setCookies.filter((line) => !isDeletion(line)).map(nameOf)
    expect([status, sent]).toEqual([200, chunkNames('sid', 3)])
    const grown = await ada.send('/set/length/10501', ada.header(), more)
    expect(JSON.parse(grown.body)).toMatchObject({ code: 'ERR_COOKIE_TOO_LARGE' })
    const far = await ada.send(`/set/length/10501?${'x'.repeat(1000)}`, ada.header(), {
      referer: 'x'.repeat(100),
    })
    expect(far.status).toBe(200)
  })
})

describe('a header that is made to cost much', () => {
  it.each<[string, number, (index: number) => string]>([
    ['many of each name', 100, (index) => `sid.${index % 4}=${index}`],
    ['many names', 8, (index) => `sid.${index}=${index}`],
    ['many of one name', 8, () => `sid.3=${Math.random()}`],
    ['both prefixes', 200, (index) => `${index % 8 < 4 ? '__Host-' : ''}sid.${index % 4}=${index}`],
  ])('is looked at a few times only: %s', async (_, most, pair) => {
    const store = new SizedStore()
    const { browser } = await appWith(store)
    const cookie = Array.from({ length: 10_000 }, (_, index) => pair(index)).join('; ')
    expect((await browser().send('/', cookie)).body).toBe('{}')
    expect(store.opens).toBeGreaterThan(0)
    expect(store.opens).toBeLessThanOrEqual(most)
  })

  it('does not make tokens of what no browser would keep', async () => {
    const store = new SizedStore()
    const { browser } = await appWith(store)
    const cookie = chunkNames('sid', 4).map((name) => `${name}=${'x'.repeat(100_000)}`)
    expect((await browser().send('/', cookie.join('; '))).body).toBe('{}')
    expect(store.opens).toBe(0)
  })
})

describe('whatever cookies come in whatever order', () => {
  it('the session is the best of those that are complete', async () => {
    const clock = new FakeClock(Date.UTC(2030, 0, 1))
    const { sessions } = managerOf(new CookieStore({ keys: KEY }), {}, clock)
    const bytes = fc.integer({ min: 3000, max: 10_000 })
    const made = fc.record({ bytes, userId: fc.constantFrom(undefined, 'ada') })
    const order = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
      minLength: 11,
      maxLength: 11,
    })
    const check = async (
      given: readonly { bytes: number; userId: string | undefined }[],
      ranks: readonly number[],
    ) => {
      const sets: { n: number; pairs: string[]; userId: string | undefined }[] = []
      for (const [n, { bytes, userId }] of given.entries()) {
        clock.set(clock.now() + 1000)
        const data = { n, large: 'x'.repeat(bytes), ...(userId && { userId }) }
        const token = await sessions.issue(data)
        const pieces = token.match(/.{1,4000}/g)!
        sets.push({ n, userId, pairs: pieces.map((piece, at) => `sid.${at}=${piece}`) })
      }
      clock.set(clock.now() + 1000)
      sets.push({ n: 2, userId: undefined, pairs: [`sid=${await sessions.issue({ n: 2 })}`] })
      // A rank above 0.85: the cookie does not come.
      const sent = sets
        .flatMap(({ pairs }) => pairs)
        .map((pair, at) => ({ pair, rank: ranks[at]! }))
        .filter(({ rank }) => rank <= 0.85)
        .sort((a, b) => a.rank - b.rank)
        .map(({ pair }) => pair)
      const complete = sets.filter(({ pairs }) => pairs.every((pair) => sent.includes(pair)))
      const best = complete.sort(
        (a, b) => Number(b.userId !== undefined) - Number(a.userId !== undefined) || b.n - a.n,
      )[0]
      const found = await sessions.read({ headers: { cookie: sent.join('; ') } })
      expect(found?.n).toBe(best?.n)
    }
    const two = fc.array(made, { minLength: 2, maxLength: 2 })
    await fc.assert(fc.asyncProperty(two, order, check), { numRuns: 300 })
  })
})

describe('the option chunks', () => {
  it.each([0, 5, 2.5, -1, Number.NaN, '2', null, true, [2]])('is not %j', (chunks) => {
    const store = new CookieStore({ keys: KEY })
    expect(() => session({ store, chunks: chunks as never })).toThrow(
      /option chunks .*1, 2, 3 or 4/,
    )
  })

  it('is of stores whose tokens are the sessions', () => {
    const make = () => session({ secret: SECRET, chunks: 2 as never })
    expect(make).toThrow(OptionError)
    expect(make).toThrow(/chunks needs a store that keeps sessions in cookies/)
  })

  it('is of cookies', () => {
    const store = new CookieStore({ keys: KEY })
    const make = () => session({ store, chunks: 2, transport: bearer() })
    expect(make).toThrow(/chunks is of cookies/)
  })
})
