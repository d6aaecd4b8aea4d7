import { hkdfSync } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'
import Keygrip from 'keygrip'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { cookieSession } from '../../src/cookie-session/index.js'
import { OptionError } from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { CookieClient } from '../../src/testing/index.js'
import { serve } from '../support/serve.js'
import { dropIn, type Middleware, type OldRequest, real } from './implementations.js'
import { cookieOf, dataIn, program, sessionOf } from './program.js'

const KEY = 'a key of cookie-session, of 32 bytes and more'
const OLD_KEY = 'an older key of cookie-session, of 32 bytes'
const SHORT = '8 bytes.'
const GONE = 'path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT; httponly'
const HOUR = 3_600_000

/** What a program does at an address. */
function answer(req: OldRequest): unknown {
  const [, what = '', value] = req.url!.split('/')
  if (what === 'unread') return 'unread'
  if (what === 'sign-in') sessionOf(req).user = value
  if (what === 'grow') sessionOf(req).text = 'x'.repeat(Number(value))
  if (what === 'count') sessionOf(req).views = Number(sessionOf(req).views ?? 0) + 1
  if (what === 'regenerate') (sessionOf(req).regenerate as () => void)()
  if (what === 'sign-out') req.session = null
  return req.session
}

const app = (options: object, implementation = dropIn) => program(implementation, options, answer)
const encrypted = { keys: [KEY], encrypt: true }

/** The cookies of a session of the real cookie-session. */
async function oldCookies(path = '/sign-in/ada', options: object = { keys: [KEY] }) {
  const { browser } = await app(options, real)
  return cookieOf((await browser().get(path)).setCookies)
}

/** One that is encrypted. */
async function newCookie(options: object = encrypted, path = '/sign-in/ada'): Promise<string> {
  const { browser } = await app(options)
  return cookieOf((await browser().get(path)).setCookies)
}

/** What an app answers to a cookie, and what it tells of it. */
async function told(options: object, cookie: string) {
  const sessions = cookieSession(options)
  const events: string[] = []
  sessions.on('reject', ({ reason }) => void events.push(reason))
  const { browser } = await app({}, { ...dropIn, session: () => sessions as Middleware })
  const { status, setCookies, ...response } = await browser().get('/', { headers: { cookie } })
  return { status, setCookies, said: response.json(), events }
}

const keyOf = (secret: string, info = 'coatcheck cookie-session A256GCM') =>
  new Uint8Array(hkdfSync('sha256', secret, '', info, 32))
const kidOf = (secret: string) =>
  Buffer.from(hkdfSync('sha256', secret, '', 'coatcheck cookie-session kid', 6)).toString(
    'base64url',
  )

/** A token as somebody makes it who has the key. */
async function forged(
  text: string,
  { key = keyOf(KEY), ...header }: Record<string, unknown> = {},
): Promise<string> {
  const protectedHeader = {
    alg: 'dir',
    enc: 'A256GCM',
    typ: 'coatcheck+cookie-session',
    kid: kidOf(KEY),
    ...header,
  }
  return new CompactEncrypt(Buffer.from(text))
    .setProtectedHeader(protectedHeader)
    .encrypt(key as Uint8Array)
}

const claims = (more: object = {}) =>
  JSON.stringify({ aud: 'session', iat: Date.now(), exp: null, data: { user: 'eve' }, ...more })

function moveClock(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2030, 0, 1) })
  onTestFinished(() => void vi.useRealTimers())
}

describe('an encrypted session', () => {
  it('is one cookie, with the attributes that it always had, which any JOSE library opens', async () => {
    const { browser } = await app({ ...encrypted, maxAge: HOUR, sameSite: 'lax' })
    const { setCookies } = await browser().get('/sign-in/ada')
    expect(setCookies).toEqual([
      expect.stringMatching(
        /^session=[\w-]+\.\.[\w-]{16}\.[\w-]+\.[\w-]{22}; path=\/; expires=[^;]+; samesite=lax; httponly$/,
      ),
    ])
    const token = cookieOf(setCookies).slice('session='.length)
    const { plaintext, protectedHeader } = await compactDecrypt(token, keyOf(KEY))
    expect(JSON.parse(Buffer.from(plaintext).toString())).toEqual({
      aud: 'session',
      iat: expect.any(Number),
      exp: expect.any(Number),
      data: { user: 'ada' },
    })
    expect(protectedHeader).toEqual({
      alg: 'dir',
      enc: 'A256GCM',
      typ: 'coatcheck+cookie-session',
      kid: kidOf(KEY),
    })
  })

  it('has the old face, and sends nothing while it is the same', async () => {
    const { browser } = await program(dropIn, encrypted, (req) => {
      const session = sessionOf(req)
      const before = [session.isNew, session.isChanged, session.isPopulated]
      if (req.url === '/set') session.name = 'Zoë'
      return [...before, session.isChanged, session.name ?? '', Object.keys(session)]
    })
    const visitor = browser()
    expect((await visitor.get('/')).setCookies).toEqual([])
    expect((await visitor.get('/set')).json()).toEqual([true, true, false, true, 'Zoë', ['name']])
    const second = await visitor.get('/')
    expect(second.json()).toEqual([false, false, true, false, 'Zoë', ['name']])
    expect((await visitor.get('/set')).setCookies).toEqual([])
    expect(second.setCookies).toEqual([])
  })

  it('is deleted by null, and after a regenerate that nothing follows', async () => {
    const { browser } = await app(encrypted)
    for (const path of ['/sign-out', '/regenerate']) {
      const visitor = browser()
      await visitor.get('/sign-in/ada')
      expect((await visitor.get(path)).setCookies).toEqual([`session=; ${GONE}`])
      expect((await visitor.get('/')).json()).toEqual({})
    }
  })

  it('is seen by the server no longer than by the browser', async () => {
    moveClock()
    const options = { ...encrypted, maxAge: HOUR }
    const cookie = await newCookie(options)
    const endless = await newCookie(encrypted)
    const shown = { status: 200, setCookies: [], said: { user: 'ada' }, events: [] }
    vi.setSystemTime(Date.now() + HOUR - 1)
    expect(await told(options, cookie)).toEqual(shown)
    vi.setSystemTime(Date.now() + 1)
    expect(await told(options, cookie)).toEqual({ ...shown, said: {}, events: ['unknown'] })
    vi.setSystemTime(Date.now() + 10_000 * HOUR)
    expect(await told(options, endless)).toEqual(shown)
  })

  it('ends when the handler has said so, by maxAge or by expires', async () => {
    moveClock()
    const ends = Date.now() + HOUR
    for (const option of [{ maxAge: HOUR }, { expires: new Date(ends) }]) {
      const { lines } = await program(dropIn, encrypted, (req) => {
        Object.assign(req.sessionOptions, option)
        sessionOf(req).user = 'ada'
      })
      const token = cookieOf(await lines()).slice('session='.length)
      const { plaintext } = await compactDecrypt(token, keyOf(KEY))
      expect(JSON.parse(Buffer.from(plaintext).toString())).toMatchObject({ exp: ends })
    }
  })

  it('goes to the newest key at once, and opens no more when its key has gone', async () => {
    const cookie = await newCookie({ keys: [OLD_KEY], encrypt: true })
    const both = await told({ keys: [KEY, OLD_KEY], encrypt: true }, cookie)
    expect([both.said, both.setCookies.length]).toEqual([{ user: 'ada' }, 1])
    const moved = cookieOf(both.setCookies)
    const left = { status: 200, setCookies: [], events: [] }
    expect(await told(encrypted, moved)).toEqual({ ...left, said: { user: 'ada' } })
    expect(await told(encrypted, cookie)).toEqual({ ...left, said: {}, events: ['signature'] })
  })

  it.each([
    [4096, 200],
    [4097, 500],
  ])('is measured as it is sent: one of %s bytes is answered by %s', async (bytes, status) => {
    const { browser } = await app(encrypted)
    const sizeOf = async (length: number) => {
      const { setCookies } = await browser().get(`/grow/${length}`)
      return Buffer.byteLength(setCookies[0]!)
    }
    const length = 2000 + Math.floor(((4096 - (await sizeOf(2000))) * 3) / 4)
    // The attributes count too: what base64 leaves over is filled by them.
    const fill = bytes - (await sizeOf(length))
    const other = await app({ ...encrypted, path: `/${'y'.repeat(fill)}` })
    const response = await other.browser().get(`/grow/${length}`)
    expect(response.status).toBe(status)
    if (status === 200) expect(Buffer.byteLength(response.setCookies[0]!)).toBe(bytes)
    else expect(response.json()).toMatchObject({ code: 'ERR_COOKIE_TOO_LARGE' })
  })
})

describe('the change to encrypt', () => {
  it('takes a session over with the first response that has looked at it', async () => {
    const { browser } = await app(encrypted)
    const visitor = browser()
    const headers = { cookie: await oldCookies() }
    expect((await visitor.get('/unread', { headers })).setCookies).toEqual([])
    const first = await visitor.get('/', { headers })
    expect(first.json()).toEqual({ user: 'ada' })
    expect(first.setCookies).toEqual([
      expect.stringMatching(/^session=eyJ[\w.-]+; path=\/; httponly$/),
      `session.sig=; ${GONE}`,
    ])
    expect((await visitor.get('/count')).json()).toEqual({ user: 'ada', views: 1 })
    expect([...visitor.jar].length).toBe(1)
  })

  it('takes one over that the handler changes or ends at once', async () => {
    const { browser } = await app(encrypted)
    const headers = { cookie: await oldCookies() }
    const changed = await browser().get('/count', { headers })
    expect(changed.setCookies).toHaveLength(2)
    expect((await browser().get('/sign-out', { headers })).setCookies).toEqual([
      `session=; ${GONE}`,
      `session.sig=; ${GONE}`,
    ])
  })

  it('takes over what short, older and hashed otherwise keys have signed', async () => {
    const keygrip = new Keygrip([SHORT], 'sha256')
    for (const [before, now] of [
      [[SHORT], { keys: [KEY, SHORT], encrypt: true }],
      [[SHORT], { keys: [SHORT], encrypt: { keys: KEY } }],
      [[SHORT], { secret: SHORT, encrypt: { keys: [KEY] } }],
      [keygrip, { keys: keygrip, encrypt: { keys: [KEY] } }],
    ] as const) {
      const { said, setCookies } = await told(
        now,
        await oldCookies('/sign-in/ada', { keys: before }),
      )
      expect([said, setCookies.length]).toEqual([{ user: 'ada' }, 2])
    }
  })

  it('deletes the signature where it was set', async () => {
    const options = { keys: [KEY], domain: 'example.com', path: '/' }
    const cookie = await oldCookies('/sign-in/ada', options)
    const { setCookies } = await told({ ...options, encrypt: true }, cookie)
    expect(setCookies[1]).toBe(
      'session.sig=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT; domain=example.com; httponly',
    )
  })

  it('leaves a session as it came that would be too large, until it changes', async () => {
    const cookie = await oldCookies('/grow/2900')
    const { browser } = await app(encrypted)
    const headers = { cookie }
    const read = await browser().get('/', { headers })
    expect([read.status, read.setCookies]).toEqual([200, []])
    const changed = await browser().get('/count', { headers })
    expect([changed.status, changed.json<{ code: string }>().code]).toEqual([
      500,
      'ERR_COOKIE_TOO_LARGE',
    ])
  })

  const steps = {
    old: { keys: [KEY, SHORT] },
    reads: { keys: [KEY, SHORT], encrypt: { sends: false } },
    sends: { keys: [KEY, SHORT], encrypt: true },
  }
  const VISITS = ['/sign-in/ada', '/count', '/', '/count', '/sign-out', '/'] as const
  const SAID = [
    { user: 'ada' },
    { user: 'ada', views: 1 },
    { user: 'ada', views: 1 },
    { user: 'ada', views: 2 },
    null,
    {},
  ]

  /** One address, and behind it processes of two steps. */
  async function behindOne(first: Middleware, second: Middleware) {
    const turn = { isSecond: false }
    const { origin } = await serve((req, res) =>
      (turn.isSecond ? second : first)(req, res, () => {
        res.end(JSON.stringify(answer(req as OldRequest)))
      }),
    )
    return { turn, browser: () => new CookieClient(origin) }
  }

  it.each([
    ['before it and at its first step', real.session(steps.old), dropIn.session(steps.reads)],
    ['at its two steps', dropIn.session(steps.reads), dropIn.session(steps.sends)],
  ])('signs nobody out while processes take turns in any order: %s', async (_, first, second) => {
    const { turn, browser } = await behindOne(first, second)
    const visitor = browser()
    for (let order = 0; order < 2 ** VISITS.length; order++) {
      const said: unknown[] = []
      for (const [index, path] of VISITS.entries()) {
        turn.isSecond = ((order >> index) & 1) === 1
        said.push((await visitor.get(path)).json())
      }
      expect([order, said]).toEqual([order, SAID])
    }
  })

  it('has a way back, by its first step', async () => {
    const { turn, browser } = await behindOne(
      dropIn.session(steps.sends),
      dropIn.session(steps.reads),
    )
    const visitor = browser()
    await visitor.get('/sign-in/ada')
    turn.isSecond = true
    const back = await visitor.get('/')
    expect(back.setCookies).toEqual([
      expect.stringMatching(/^session=[\w=]+; path=\/; httponly$/),
      expect.stringMatching(/^session\.sig=[\w-]{27}; path=\/; httponly$/),
    ])
    const old = await app(steps.old, real)
    const headers = { cookie: cookieOf(back.setCookies) }
    expect((await old.browser().get('/', { headers })).json()).toEqual({ user: 'ada' })
  })

  it('without its steps signs out at the old processes, and there is one session at a time', async () => {
    const { turn, browser } = await behindOne(real.session(steps.old), dropIn.session(steps.sends))
    const visitor = browser()
    const at = async (which: 'old' | 'new', path: string) => {
      turn.isSecond = which === 'new'
      return (await visitor.get(path)).json()
    }
    await at('new', '/sign-in/ada')
    // An old process finds nobody, and leaves what it cannot read.
    expect(await at('old', '/')).toEqual({})
    expect(await at('new', '/')).toEqual({ user: 'ada' })
    // What it writes takes the place of that.
    await at('old', '/sign-in/bob')
    expect(await at('new', '/')).toEqual({ user: 'bob' })
    // And who signs out there is signed out.
    await at('old', '/sign-out')
    expect(await at('new', '/')).toEqual({})
  })
})

describe('a signed cookie that somebody has kept', () => {
  const options = (more: object) => ({ keys: [KEY], encrypt: more })

  it('is taken over until the date that ends it, and is no session from then on', async () => {
    moveClock()
    const cookie = await oldCookies()
    const until = options({ signedUntil: new Date(Date.now() + HOUR) })
    vi.setSystemTime(Date.now() + HOUR - 1)
    expect((await told(until, cookie)).said).toEqual({ user: 'ada' })
    vi.setSystemTime(Date.now() + 1)
    expect(await told(until, cookie)).toEqual({
      status: 200,
      setCookies: [],
      said: {},
      events: ['format'],
    })
    expect((await told(options({}), cookie)).said).toEqual({ user: 'ada' })
  })

  it('is no session where there are no keys to verify it', async () => {
    const { said, events } = await told({ encrypt: { keys: [KEY] } }, await oldCookies())
    expect([said, events]).toEqual([{}, ['format']])
  })

  it('is no session without its signature, whatever the handler asks for', async () => {
    const [unsigned = ''] = (await oldCookies()).split('; ')
    const { browser } = await program(dropIn, encrypted, (req) => {
      req.sessionOptions.signed = false
      return req.session
    })
    const headers = { cookie: unsigned }
    expect((await browser().get('/', { headers })).json()).toEqual({})
  })

  it('is verified before it is parsed', async () => {
    const parse = vi.spyOn(JSON, 'parse')
    onTestFinished(() => parse.mockRestore())
    const { browser } = await program(dropIn, encrypted, (req) => {
      parse.mockClear()
      const { isNew } = sessionOf(req)
      return [isNew, parse.mock.calls.length]
    })
    const good = await oldCookies()
    for (const cookie of [`${good}x`, good.split('; ')[0]!, good.replace('.sig=', '.sig=AAAA')]) {
      const response = await browser().get('/', { headers: { cookie } })
      expect(response.json()).toEqual([true, 0])
    }
  })
})

describe('a token that is not ours', () => {
  const other = { audience: 'session', now: Date.now() }
  const signedWith = (value: string) => {
    const keys = new Keygrip([KEY])
    return `session=${value}; session.sig=${keys.sign(`session=${value}`)}`
  }
  const attacks: Record<string, () => Promise<string> | string> = {
    'of another key': () => newCookie({ keys: [OLD_KEY], encrypt: true }),
    'of another name': async () =>
      (await newCookie({ ...encrypted, name: 'admin' })).replace('admin=', 'session='),
    'of CookieStore, under the same secret': () => {
      const sealed = { handle: 'h', text: '{"user":"eve"}', expiresAt: Date.now() + HOUR }
      return `session=${new CookieStore({ keys: KEY }).seal(sealed, other)}`
    },
    'with a tag cut short': async () => (await newCookie()).slice(0, -2),
    'with another part in front': async () => `session=x.${(await newCookie()).slice(8)}`,
    'with a key that comes along': async () =>
      (await newCookie()).replace('..', `.${'A'.repeat(22)}.`),
    'without encryption': () =>
      `session=${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(claims()).toString('base64url')}.`,
    'by the key itself, not by what is derived from it': async () =>
      `session=${await forged(claims(), { key: Buffer.from(KEY).subarray(0, 32) })}`,
    'by the key of CookieStore': async () =>
      `session=${await forged(claims(), { key: keyOf(KEY, 'coatcheck cookie A256GCM') })}`,
    'of another typ': async () => `session=${await forged(claims(), { typ: 'coatcheck+jwe' })}`,
    'with a member too many in its header': async () =>
      `session=${await forged(claims(), { cty: 'json' })}`,
    'of an unknown kid': async () => `session=${await forged(claims(), { kid: 'AAAAAAAA' })}`,
    'from the future': async () =>
      `session=${await forged(claims({ iat: Date.now() + 10 * HOUR }))}`,
    'whose time is over': async () => `session=${await forged(claims({ exp: 1 }))}`,
    'for another cookie': async () => `session=${await forged(claims({ aud: 'admin' }))}`,
    'with a time that is none': async () => `session=${await forged(claims({ exp: '2' }))}`,
    'with a claim that comes twice': async () =>
      `session=${await forged(claims().replace('"iat"', '"aud":"session","iat"'))}`,
    'whose text is no JSON': async () => `session=${await forged('garbage')}`,
    'of one dot': () => 'session=.',
    'of many dots': () => `session=${'.'.repeat(5000)}`,
  }

  it.each(Object.keys(attacks))('is no session, and an event: %s', async (name) => {
    const { events, ...answer } = await told(encrypted, await attacks[name]!())
    expect(answer).toEqual({ status: 200, setCookies: [], said: {} })
    expect(events).toHaveLength(1)
  })

  it('in any bit of it is no session', async () => {
    const cookie = await newCookie()
    const sessions = cookieSession(encrypted)
    const { browser } = await app({}, { ...dropIn, session: () => sessions as Middleware })
    for (let at = 'session='.length; at < cookie.length; at += 3) {
      const changed = `${cookie.slice(0, at)}${cookie[at] === 'A' ? 'B' : 'A'}${cookie.slice(at + 1)}`
      const response = await browser().get('/', { headers: { cookie: changed } })
      expect([at, response.json()]).toEqual([at, {}])
    }
  })

  it('is never read by another decoder, however well it is signed (CVE-2026-39324)', async () => {
    const data = Buffer.from('{"user":"eve"}').toString('base64')
    for (const value of [`${data}.`, `.${data}`, `${data}.x.y.z.a`, `x..y.${data}.z`]) {
      const { said, events, setCookies } = await told(encrypted, signedWith(value))
      expect([value, said, events, setCookies]).toEqual([value, {}, ['signature'], []])
    }
    // Nor does the one that opens look at a signature beside it.
    const { said } = await told(encrypted, `${await newCookie()}; session.sig=junk`)
    expect(said).toEqual({ user: 'ada' })
  })

  it.each(['null', '1', '"abc"', '[1,2]'])('is an empty session if ours holds %s', async (text) => {
    const token = await forged(claims().replace('{"user":"eve"}', text))
    expect(await told(encrypted, `session=${token}`)).toMatchObject({ said: {}, status: 200 })
  })
})

describe('the option encrypt', () => {
  it.each<[object, RegExp]>([
    [{ keys: [KEY], encrypt: 'yes' }, /encrypt is a string; it takes true or an object/],
    [{ keys: [KEY], encrypt: null }, /encrypt is null/],
    [{ keys: [KEY], encrypt: { key: KEY } }, /Unknown option encrypt\.key/],
    [{ keys: [KEY], encrypt: { sends: 1 } }, /encrypt\.sends is a number/],
    [{ keys: [KEY], encrypt: { signedUntil: '2030' } }, /signedUntil is a string; it takes a Date/],
    [{ keys: [KEY], encrypt: { signedUntil: new Date('x') } }, /signedUntil/],
    [{ keys: [KEY], encrypt: { keys: [] } }, /encrypt\.keys holds no key/],
    [{ keys: [KEY], encrypt: { keys: SHORT } }, /encrypt\.keys has 8 bytes; .*Make one with: node/],
    [{ keys: [KEY], encrypt: { keys: [KEY, 7] } }, /encrypt\.keys\[1\] is a number/],
    [{ keys: [SHORT, KEY], encrypt: true }, /8 bytes; .*Give the option encrypt\.keys; .*Make one/],
    [{ secret: SHORT, encrypt: true }, /8 bytes/],
    [{ keys: [Buffer.from(KEY)], encrypt: true }, /it takes a string/],
    [{ keys: new Keygrip([KEY]), encrypt: true }, /a Keygrip: .*Give the option encrypt\.keys/],
    [{ encrypt: true }, /keys, which is missing/],
    [{ keys: [KEY], signed: false, encrypt: true }, /signed is false/],
    [{ encrypt: { keys: KEY, sends: false } }, /\.keys required/],
  ])('is refused at start, without what it holds: %j', (options, message) => {
    let refused: unknown
    try {
      cookieSession(options)
    } catch (error) {
      refused = error
    }
    expect(refused).toBeInstanceOf(message.source.includes('required') ? Error : OptionError)
    expect((refused as Error).message).toMatch(message)
    expect((refused as Error).message).not.toContain(KEY)
  })

  it('that is false is the signed cookie', async () => {
    const { browser } = await app({ keys: [KEY], encrypt: false })
    expect(dataIn((await browser().get('/sign-in/ada')).setCookies)).toEqual({ user: 'ada' })
  })
})
