import { describe, expect, it, onTestFinished } from 'vitest'
import { cookieSession } from '../../src/cookie-session/index.js'
import { CoatcheckError, OptionError } from '../../src/index.js'
import { processWarnings } from '../support/process-events.js'
import { dropIn, real } from './implementations.js'
import { cookieOf, dataIn, type Handler, program, sessionOf } from './program.js'

const KEYS = { keys: ['a key'] }
const store = (value: unknown): Handler => {
  return (req) => {
    sessionOf(req).text = value
  }
}
const keep = (req: Parameters<Handler>[0]) => Object.keys(sessionOf(req))

/** As many characters as make the whole line this long. */
function textFor(bytes: number, path = '/'): string {
  const left = bytes - `session=; path=${path}; httponly`.length
  if (left % 4 !== 0) throw new Error('base64 comes in fours')
  return 'x'.repeat((left / 4) * 3 - '{"text":""}'.length)
}

describe('a session over 4,096 bytes', () => {
  it.each([
    [4096, '/ab', 200],
    [4097, '/abc', 500],
  ])(
    'with its name and attributes: one of %s, with the path %s, is answered by %s',
    async (bytes, path, status) => {
      const { browser } = await program(dropIn, { ...KEYS, path }, store(textFor(bytes, path)))
      const response = await browser().get('/')
      expect(response.status).toBe(status)
      expect(response.setCookies).toHaveLength(status === 200 ? 2 : 0)
      if (status === 200) expect(Buffer.byteLength(response.setCookies[0]!)).toBe(bytes)
    },
  )

  it('counts the attributes that the handler has asked for', async () => {
    const { browser } = await program(dropIn, { ...KEYS }, (req, res) => {
      req.sessionOptions.domain = 'example.com'
      return store(textFor(4094))(req, res)
    })
    expect((await browser().get('/')).status).toBe(500)
  })

  it('is an error with the size and the largest keys, and without what they hold', async () => {
    const secret = 'hunter2'.repeat(400)
    const { browser } = await program(dropIn, { ...KEYS }, (req) => {
      Object.assign(sessionOf(req), {
        id: 1,
        small: 'x'.repeat(20),
        cart: secret,
        log: 'y'.repeat(600),
      })
    })
    const { status, ...response } = await browser().get('/')
    const { code, message } = response.json<{ code: string; message: string }>()
    expect([status, code]).toEqual([500, 'ERR_COOKIE_TOO_LARGE'])
    expect(message).toBe(
      'The session cookie has 4638 bytes, and browsers drop one of more than 4096. Its largest keys are "cart", "log", "small".',
    )
  })

  it('leaves the browser with what it has, which real cookie-session makes useless', async () => {
    const outcomes = await Promise.all(
      [real, dropIn].map(async (implementation) => {
        const { browser } = await program(implementation, { ...KEYS }, (req) => {
          const session = sessionOf(req)
          if (req.url === '/sign-in') session.user = 'ada'
          if (req.url === '/grow') session.text = 'x'.repeat(5000)
          return session.user
        })
        const visitor = browser()
        await visitor.get('/sign-in')
        await visitor.get('/grow')
        return (await visitor.get('/')).json()
      }),
    )
    expect(outcomes).toEqual([null, 'ada'])
  })

  it('is told beforehand, past 80 %, once', async () => {
    const warned = processWarnings()
    const { browser } = await program(dropIn, { ...KEYS }, (req) => {
      sessionOf(req).text = 'x'.repeat(Number(req.url!.slice(1)))
    })
    const visitor = browser()
    // 3,274 bytes, then 3,278; 80 % are 3,276.8.
    await visitor.get(`/${textFor(3274).length}`)
    expect(warned).toEqual([])
    await visitor.get(`/${textFor(3278).length}`)
    await visitor.get(`/${textFor(3278).length + 1}`)
    expect(warned).toEqual(['WARN_COOKIE_LARGE'])
  })
})

describe('a session that JSON cannot hold', () => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  it.each([
    ['a BigInt', 1n, /BigInt/],
    ['a cycle', cycle, /circular/],
  ])('because of %s is an error page, and what the browser has stays', async (_, value, text) => {
    const { browser } = await program(dropIn, { ...KEYS }, (req) => {
      if (req.url === '/set') sessionOf(req).user = 'ada'
      if (req.url === '/bad') sessionOf(req).text = value
      return req.url === '/bad' ? 'not this' : sessionOf(req)
    })
    const visitor = browser()
    await visitor.get('/set')
    const response = await visitor.get('/bad')
    expect([response.status, response.setCookies]).toEqual([500, []])
    expect(response.json<{ message: string }>().message).toMatch(text)
    expect((await visitor.get('/')).json()).toEqual({ user: 'ada' })
  })

  it('is nothing to anybody under real cookie-session', async () => {
    const { browser } = await program(real, { ...KEYS }, store(1n))
    const { status, setCookies } = await browser().get('/')
    expect([status, setCookies]).toEqual([200, []])
  })

  it('is an error event of the middleware', async () => {
    const sessions = cookieSession({ ...KEYS })
    const seen: unknown[] = []
    sessions.on('error', ({ error }) => void seen.push(error.constructor))
    const { browser } = await program({ ...dropIn, session: () => sessions }, {}, store(1n))
    await browser().get('/')
    expect(seen).toEqual([TypeError])
  })
})

describe('secure: true over plain http', () => {
  it('is no cookie, as it always was, and a warning, once', async () => {
    const warned = processWarnings()
    for (const implementation of [real, dropIn]) {
      const { lines } = await program(implementation, { ...KEYS, secure: true }, store(1))
      expect([await lines(), await lines()]).toEqual([[], []])
    }
    expect(warned).toEqual(['WARN_INSECURE_HOP'])
  })
})

describe('a change after the headers', () => {
  it.each([
    ['of data', { a: 1, b: 2 }],
    ['to null', null],
  ])('%s is lost, and a warning, once', async (_, data) => {
    const warned = processWarnings()
    const { lines } = await program(dropIn, { ...KEYS }, (req, res) => {
      sessionOf(req).a = 1
      res.write('begun')
      req.session = data as never
      res.end()
    })
    expect(dataIn(await lines())).toEqual({ a: 1 })
    await lines()
    expect(warned).toEqual(['WARN_TOO_LATE'])
  })

  it('that is none is no warning', async () => {
    const warned = processWarnings()
    const { lines } = await program(dropIn, { ...KEYS }, (req, res) => {
      if (req.headers.cookie === undefined) sessionOf(req).a = 1
      res.write('begun')
      keep(req)
      res.end()
    })
    await lines(cookieOf(await lines()))
    expect(warned).toEqual([])
  })
})

describe('an option that could never work', () => {
  it('is an error with the old text where there are no keys', () => {
    for (const { session } of [real, dropIn]) {
      expect(() => session({})).toThrow(/^\.keys required\.$/)
      expect(() => session({ secret: '' })).toThrow(/^\.keys required\.$/)
      expect(() => session({ signed: false })).not.toThrow()
    }
  })

  it.each([
    ['a text', 'a secret that is no list'],
    ['an empty list', []],
    ['a list with a hole', [undefined]],
    ['a list with a number', [123_456]],
    ['an object without methods', { sign() {} }],
  ])('among the keys is an error at start, without what it holds: %s', (_, keys) => {
    let thrown: unknown
    try {
      dropIn.session({ keys })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(OptionError)
    expect((thrown as Error).message).toMatch(/^The option keys /)
    expect((thrown as Error).message).not.toMatch(/secret|123/)
  })

  it.each(['a;b', 'a=b', 'a\nb'])('as the name %j is an error at start', (name) => {
    expect(() => dropIn.session({ ...KEYS, name })).toThrow(OptionError)
  })

  it.each([
    { path: '/\n' },
    { domain: 'a\0b' },
    { maxAge: Number.NaN },
    { expires: 'tomorrow' },
    { sameSite: 'never' },
    { priority: 'urgent' },
  ])('as an attribute is an error page where a cookie was due: %j', async (attributes) => {
    const { browser } = await program(dropIn, { ...KEYS, ...attributes }, (req) => {
      if (req.url === '/set') sessionOf(req).a = 1
    })
    expect((await browser().get('/')).status).toBe(200)
    const { status, ...response } = await browser().get('/set')
    expect([status, response.json<{ code: string }>().code]).toEqual([500, 'ERR_OPTION'])
  })

  it('is not the name that was left undefined, as real cookie-session takes it', async () => {
    const names = await Promise.all(
      [real, dropIn].map(async (implementation) => {
        const { lines } = await program(implementation, { ...KEYS, name: undefined }, store(1))
        return (await lines())[0]!.split('=')[0]
      }),
    )
    expect(names).toEqual(['undefined', 'session'])
  })

  it('is set on nothing that the program has given', () => {
    const options = Object.freeze({ ...KEYS })
    expect(() => dropIn.session(options)).not.toThrow()
    expect(() => real.session(options)).toThrow(TypeError)
  })
})

it('shows errors of this package as its class', async () => {
  const seen: unknown[] = []
  const sessions = cookieSession({ ...KEYS })
  onTestFinished(sessions.on('error', (event) => void seen.push(event.error)))
  const { browser } = await program(
    { ...dropIn, session: () => sessions },
    {},
    store('x'.repeat(4000)),
  )
  await browser().get('/')
  expect(seen[0]).toBeInstanceOf(CoatcheckError)
})
