import express from 'express'
import { describe, expect, it } from 'vitest'
import { bearer, MemoryStore, OptionError, type SessionManager, session } from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { JwtStore } from '../../src/stores/jwt.js'
import { type AnyData, SECRET, serve } from '../support/serve.js'

const KEY = 'a key of the token stores, of 32 bytes and more'
const transport = bearer({ header: 'Session-Token' })

const kinds: readonly { name: string; make: () => SessionManager<AnyData> }[] = [
  { name: 'a store', make: () => session<AnyData>({ secret: SECRET, transport }) },
  {
    name: 'CookieStore',
    make: () => session<AnyData>({ store: new CookieStore({ keys: KEY }), transport }),
  },
  {
    name: 'JwtStore',
    make: () => session<AnyData>({ store: new JwtStore({ keys: KEY }), transport }),
  },
]

interface Answer {
  readonly status: number
  readonly body: unknown
  readonly headers: Headers
}

async function appWith(sessions: SessionManager<AnyData>) {
  const rejected: string[] = []
  sessions.on('reject', ({ reason }) => void rejected.push(reason))
  const app = express()
  app.use(sessions)
  const of = (req: object) => sessions.of(req).session
  app.get('/set/:key/:value', (req, res) => {
    of(req)[req.params.key] = req.params.value
    res.json('set')
  })
  app.get('/token', async (req, res) => {
    of(req).userId = 'ada'
    res.json(await sessions.of(req).token())
  })
  app.get('/out', async (req, res) => {
    await of(req).destroy()
    res.json('out')
  })
  app.get('/', (req, res) => void res.json(of(req)))
  app.get('/unread', (_req, res) => void res.json('nothing'))
  const { origin } = await serve(app)
  const get = async (path: string, headers: Record<string, string> = {}): Promise<Answer> => {
    const response = await fetch(origin + path, { headers })
    return { status: response.status, body: await response.json(), headers: response.headers }
  }
  const as = (token: string) => ({ authorization: `Bearer ${token}` })
  return { get, as, rejected }
}

const tokenIn = ({ headers }: Answer) => headers.get('session-token') ?? ''

describe.each(kinds)('a token in Authorization, over $name', ({ make }) => {
  it('takes a client from login to logout without a cookie', async () => {
    const { get, as } = await appWith(make())
    const answers: Answer[] = []
    const asked = async (path: string, token?: string) => {
      const answer = await get(path, token === undefined ? {} : as(token))
      answers.push(answer)
      return answer
    }
    const first = await asked('/set/cart/full')
    const signedIn = await asked('/set/userId/ada', tokenIn(first))
    expect(tokenIn(signedIn)).not.toBe(tokenIn(first))
    const read = await asked('/', tokenIn(signedIn))
    expect(read.body).toEqual({ cart: 'full', userId: 'ada' })
    expect(tokenIn(read)).toBe('')
    await asked('/out', tokenIn(signedIn))
    expect(answers.map(({ headers }) => headers.getSetCookie())).toEqual(answers.map(() => []))
  })

  it('is handed out by the handler too', async () => {
    const { get, as } = await appWith(make())
    const { body, headers } = await get('/token')
    expect((await get('/', as(String(body)))).body).toEqual({ userId: 'ada' })
    expect(headers.get('cache-control')).toBe('no-store')
  })

  it('is read from nothing else', async () => {
    const { get, rejected } = await appWith(make())
    const token = tokenIn(await get('/set/a/1'))
    for (const name of ['sid', '__Host-sid']) {
      expect((await get('/', { cookie: `${name}=${token}` })).body).toEqual({})
    }
    expect((await get(`/?sid=${token}&access_token=${token}`)).body).toEqual({})
    expect((await get('/', { authorization: `Basic ${token}` })).body).toEqual({})
    // What belongs to others is no token that was refused.
    expect(rejected).toEqual([])
    expect((await get('/', { authorization: `bEARER   ${token}` })).body).toEqual({ a: '1' })
  })

  it.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer ä', `Bearer ${'x'.repeat(5000)}`])(
    'that is malformed is nobody, and told of: %s',
    async (authorization) => {
      const { get, rejected } = await appWith(make())
      const { status, body } = await get('/', { authorization: encodeURI(authorization) })
      expect([status, body]).toEqual([200, {}])
      expect(rejected).toHaveLength(1)
    },
  )

  it('is what responses depend on', async () => {
    const { get, as } = await appWith(make())
    const set = await get('/set/a/1')
    expect(set.headers.get('vary')).toBe('Authorization')
    expect((await get('/unread', as(tokenIn(set)))).headers.get('vary')).toBeNull()
  })
})

it.each([
  ['a store', () => ({ secret: SECRET, store: new MemoryStore() })],
  ['CookieStore', () => ({ store: new CookieStore({ keys: KEY }) })],
  ['JwtStore', () => ({ store: new JwtStore({ keys: KEY }) })],
] as const)(
  'a token of a cookie opens nothing in Authorization, and the other way round: %s',
  async (_name, make) => {
    const shared = make()
    const byCookie = session<AnyData>(shared)
    const byHeader = session<AnyData>({ ...shared, transport })
    const [cookie, header] = [await byCookie.issue({ a: 1 }), await byHeader.issue({ a: 1 })]
    const inHeader = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
    const inCookie = (token: string) => ({ headers: { cookie: `sid=${token}` } })
    expect(await byHeader.read(inHeader(header))).toEqual({ a: 1 })
    expect(await byHeader.read(inHeader(cookie))).toBeNull()
    expect(await byCookie.read(inCookie(cookie))).toEqual({ a: 1 })
    expect(await byCookie.read(inCookie(header))).toBeNull()
  },
)

it.each(['bearer', '__Host-bearer', '__Secure-bearer', '__http-bearer'])(
  'no cookie is for what it is for: %s',
  (name) => {
    const make = () => session({ secret: SECRET, cookie: { name: name as string } })
    expect(make).toThrow(/is what tokens of bearer\(\) are for/)
  },
)

it.each([{ header: '' }, { header: 'two words' }, { header: 1 }, { header: 'a\nb' }])(
  'bearer(%j) is refused',
  (options) => {
    expect(() => bearer(options as never)).toThrow(OptionError)
  },
)

it.each([null, 'bearer', {}, bearer])('transport: %s is refused', (wrong) => {
  expect(() => session({ secret: SECRET, transport: wrong as never })).toThrow(OptionError)
})
