import { jwtVerify, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { hs256 } from '../../src/crypto/jws.js'
import { signatureKey } from '../../src/crypto/token-keys.js'
import { type Sealed, session, type TokenStore } from '../../src/index.js'
import { JwtStore } from '../../src/stores/jwt.js'
import { FakeClock } from '../../src/testing/index.js'
import type { AnyData } from '../support/serve.js'
import { wrongKeys } from './token-keys.js'

const KEY = 'a key of the tokens in these tests, long'
const OLD_KEY = 'an older key of the tokens in these tests'
const ISSUER = 'https://app.example'
/** As any program has it that knows the key. */
const RAW = Buffer.from(KEY)
const NOW = Date.UTC(2030, 0, 1)
const SECONDS = NOW / 1000
const HOUR = 3_600_000
const AT = { now: NOW, audience: 'sid' }
const FACTS = { created: NOW, started: NOW, idle: HOUR, user: 'ada' }
const textOf = (facts: object, data: string) =>
  `{"v":1,"facts":${JSON.stringify(facts)},"data":${data}}`
const { user: _, ...TIMED } = FACTS
const NOTED = { ...TIMED, authenticated: NOW, own: 1, epoch: 2, issued: 3, untold: true, seen: 4 }
const TEXT = textOf(FACTS, '{"logged_in":true,"cart":{"sub":1}}')
const SEALED: Sealed = { handle: 'handle', text: TEXT, expiresAt: NOW + HOUR }

const store: TokenStore = new JwtStore({ keys: [KEY, OLD_KEY] })
const made = (claims: Record<string, unknown>, secret = KEY) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: signatureKey(secret).kid })
    .sign(Buffer.from(secret))
const TIMES = { aud: 'sid', iat: SECONDS, exp: SECONDS + 3600 }

describe('JwtStore', () => {
  it.each([
    ['data', TEXT],
    ['no data', textOf(FACTS, '{}')],
    ['nobody', textOf({ created: NOW, started: NOW, idle: HOUR }, '{"a":1}')],
    ['names of claims further in', textOf(FACTS, '{"a":[{"exp":1,"nbf":2,"coatcheck":{}}]}')],
    ['braces and quotes', textOf(FACTS, '{"}":"}","\\"":"\\\\\\"","a":"\\u0000\\ud800"}')],
    ['a user with such a name', textOf({ ...FACTS, user: '}},"coatcheck":{"data":{' }, '{"a":1}')],
    ['all that is noted', textOf({ ...NOTED, user: 'ada' }, '{"a":1}')],
    ['a time with a fraction', textOf({ created: NOW + 0.5, started: NOW, idle: 1 }, '{"a":1}')],
    ['an empty name', textOf({ ...FACTS, user: '' }, '{"a":1}')],
    ['a name with an escape', textOf({ ...FACTS, user: '\\ "ada" \u0000' }, '{"a":1}')],
    ['no idle clock', textOf({ created: NOW, started: NOW, idle: null, user: '1' }, '{"a":1}')],
  ])('opens what it has signed: %s', (_name, text) => {
    const sealed = { ...SEALED, text }
    expect(store.open(store.seal(sealed, AT), AT)).toEqual({ sealed, reissue: false })
  })

  it('takes the user out of what is noted, wherever it stands', async () => {
    for (const facts of [
      { user: 'ada', ...NOTED },
      { ...FACTS, ...NOTED },
      { ...NOTED, user: 'ada' },
    ]) {
      const token = store.seal({ ...SEALED, text: textOf(facts, '{"a":1}') }, AT)
      const { payload } = await jwtVerify(token, RAW, { currentDate: new Date(NOW) })
      expect(payload).toMatchObject({ sub: 'ada', coatcheck: NOTED, a: 1 })
      expect(payload.coatcheck).not.toHaveProperty('user')
    }
  })

  it('is read by jose with the key itself: the claims are the data', async () => {
    const { payload, protectedHeader } = await jwtVerify(store.seal(SEALED, AT), RAW, {
      algorithms: ['HS256'],
      audience: 'sid',
      typ: 'JWT',
      currentDate: new Date(NOW),
    })
    expect(protectedHeader).toEqual({ alg: 'HS256', typ: 'JWT', kid: signatureKey(KEY).kid })
    expect(payload).toEqual({
      sub: 'ada',
      aud: 'sid',
      iat: SECONDS,
      exp: SECONDS + 3600,
      jti: 'handle',
      coatcheck: { created: NOW, started: NOW, idle: HOUR },
      logged_in: true,
      cart: { sub: 1 },
    })
  })

  it('is over for jose too when it is over', async () => {
    const late = { currentDate: new Date(NOW + HOUR), audience: 'sid' }
    await expect(jwtVerify(store.seal(SEALED, AT), RAW, late)).rejects.toThrow(/exp/)
  })

  it('rounds its times so that no session ends early', async () => {
    const token = store.seal({ ...SEALED, expiresAt: NOW + HOUR + 1 }, { ...AT, now: NOW + 999 })
    const { payload } = await jwtVerify(token, RAW, { currentDate: new Date(NOW) })
    expect([payload.iat, payload.exp]).toEqual([SECONDS, SECONDS + 3601])
  })

  it.each([
    [KEY, false],
    [OLD_KEY, true],
  ])(
    'opens what jose has signed, and says whether the key is an older one',
    async (key, reissue) => {
      const token = await made({ logged_in: true, sub: 'ada', ...TIMES, jti: 'theirs' }, key)
      // By clocks that may differ by a minute, it was made after its user's sessions were ended.
      const { user, ...times } = FACTS
      const text = textOf({ ...times, epoch: NOW - 60_000, user }, '{"logged_in":true}')
      const sealed = { handle: 'theirs', text, expiresAt: NOW + HOUR }
      expect(store.open(token, AT)).toEqual({ sealed, reissue })
    },
  )

  it('gives a token without jti a handle of its own, which opens nothing', async () => {
    const tokens = [await made({ ...TIMES, a: 1 }), await made({ ...TIMES, a: 2 })]
    const handles = tokens.map((token) => {
      const opened = store.open(token, AT)
      return 'sealed' in opened ? opened.sealed.handle : ''
    })
    expect(new Set(handles).size).toBe(2)
    for (const handle of handles) expect(handle).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  it.each([
    ['a list with the name', { aud: ['other', 'sid'] }],
    ['nbf now', { nbf: SECONDS }],
    ['nbf 60 s ahead', { nbf: SECONDS + 60 }],
    ['iat 60 s ahead', { iat: SECONDS + 60 }],
    ['times with fractions', { iat: SECONDS - 0.5, exp: SECONDS + 0.5 }],
    ['times as libraries write them', { iat: SECONDS - 1e-3 }],
  ])('takes %s', async (_name, claims) => {
    expect(store.open(await made({ ...TIMES, ...claims }), AT)).toHaveProperty('sealed')
  })

  it('takes claims in any order and with any white space, with the last of two of a name', () => {
    const claims = `{ "a" : 1, "exp": 1, "aud": "other",\r\n "aud": "sid", "iat": ${SECONDS}, "exp": ${SECONDS + 3600}, "a": 2 }`
    const opened = store.open(signed(claims), AT)
    expect('sealed' in opened && opened.sealed.text.endsWith('"data":{"a":2}}')).toBe(true)
  })

  it('takes what another program has added to a token of ours', () => {
    const [, payload] = store.seal(SEALED, AT).split('.')
    const claims = Buffer.from(payload!, 'base64url').toString()
    const more = (text: string) => store.open(signed(`${claims.slice(0, -1)},${text}}`), AT)
    const opened = more('"exp":1893459660,"sub":"eve","cart":2')
    expect(opened).toEqual({
      sealed: {
        handle: 'handle',
        text: textOf({ ...FACTS, user: 'eve' }, '{"logged_in":true,"cart":2}'),
        expiresAt: 1_893_459_660_000,
      },
      reissue: false,
    })
    expect(more('"\\u0065xp":1893459660')).toMatchObject({
      sealed: { expiresAt: 1_893_459_660_000 },
    })
    expect(more('"aud":"other"')).toEqual({ rejected: 'format' })
  })

  it('takes data that stands among the registered claims', () => {
    const sealed = { ...SEALED, text: textOf(FACTS, '{"a":1}') }
    const [, payload] = store.seal(sealed, AT).split('.')
    const claims = Buffer.from(payload!, 'base64url').toString()
    const opened = store.open(signed(claims.replace('"iat"', '"theme":"dark","iat"')), AT)
    const text = textOf(FACTS, '{"theme":"dark","a":1}')
    expect(opened).toEqual({ sealed: { ...SEALED, text }, reissue: false })
  })

  it.each([42, null, ['ada'], { id: 'ada' }])('refuses the user %j', async (sub) => {
    expect(store.open(await made({ ...TIMES, sub }), AT)).toEqual({ rejected: 'format' })
  })

  describe('with an issuer', () => {
    const issuing = new JwtStore({ keys: KEY, issuer: ISSUER })

    it('writes iss, and opens what has it', async () => {
      const token = issuing.seal(SEALED, AT)
      const how = { issuer: ISSUER, audience: 'sid', currentDate: new Date(NOW) }
      expect((await jwtVerify(token, RAW, how)).payload.iss).toBe(ISSUER)
      expect(issuing.open(token, AT)).toEqual({ sealed: SEALED, reissue: false })
    })

    it.each([
      ['none', undefined],
      ['another', 'https://evil.example'],
      ['one that begins like it', `${ISSUER}.evil.example`],
      ['a list of it', [ISSUER]],
      ['null', null],
      ['an empty one', ''],
    ])('refuses %s', async (_name, iss) => {
      expect(issuing.open(await made({ ...TIMES, iss }), AT)).toEqual({ rejected: 'format' })
      expect(issuing.open(await made({ ...TIMES, iss: ISSUER }), AT)).toHaveProperty('sealed')
    })

    it.each(['', 1, null, [ISSUER], {}])('refuses %j as the option', (issuer) => {
      expect(() => new JwtStore({ keys: KEY, issuer: issuer as string })).toThrow(/option issuer/)
    })
  })

  it.each([undefined, null, 'a key', []])('refuses %j for its options', (options) => {
    expect(() => new JwtStore(options as never)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining('JwtStore') }),
    )
  })

  it.each(wrongKeys)('refuses keys at once: %s', (_name, keys, message) => {
    expect(() => new JwtStore({ keys: keys as string })).toThrow(message)
    expect(() => new JwtStore({ keys: keys as string })).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION' }),
    )
  })

  it.each(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'coatcheck'])(
    'has a meaning of its own for %s, which data cannot have',
    async (name) => {
      const sessions = session<AnyData>({ store, clock: new FakeClock(NOW) })
      await expect(sessions.issue({ [name]: 1 })).rejects.toMatchObject({
        code: 'ERR_RESERVED_KEY',
        message: expect.stringContaining(`"${name}"`),
      })
      const token = await sessions.issue({ in: { [name]: 1 } })
      const found = await sessions.read({ headers: { cookie: `sid=${token}` } })
      expect(found).toEqual({ in: { [name]: 1 } })
    },
  )

  it.each([
    `{"v":1,"ended":${NOW}}`,
    '{"v":2,"facts":{},"data":{}}',
    '{"v":1,"facts":{},"data":{},"more":1}',
    '{}',
    '',
  ])('signs sessions only, and not %j', (text) => {
    expect(() => store.seal({ ...SEALED, text }, AT)).toThrow(TypeError)
  })

  it('seals again what another program has noted of its own', async () => {
    const coatcheck = { created: NOW, more: { a: 1, data: { b: 1 } }, started: NOW, idle: HOUR }
    const opened = store.open(await made({ ...TIMES, coatcheck, a: 1 }), AT)
    const { sealed } = opened as Extract<typeof opened, { sealed: Sealed }>
    expect(sealed.text).toBe(textOf({ created: NOW, started: NOW, idle: HOUR }, '{"a":1}'))
    expect(store.open(store.seal(sealed, AT), AT)).toEqual({ sealed, reissue: false })
  })

  it('makes a session of a token that another program has made', async () => {
    const clock = new FakeClock(NOW)
    const sessions = session<AnyData>({ store, clock, idleTimeout: 2 * HOUR })
    const token = await made({ logged_in: true, sub: 'ada', ...TIMES })
    const read = () => sessions.read({ headers: { cookie: `sid=${token}` } })
    expect(await read()).toEqual({ logged_in: true })
    await clock.advance(HOUR - 1)
    expect(await read()).toEqual({ logged_in: true })
    await clock.advance(1)
    expect(await read()).toBeNull()
  })
})

/** A JWT with these very claims, as text. */
function signed(claims: string): string {
  const { kid } = signatureKey(KEY)
  const header = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'JWT', kid }))
  const text = `${header.toString('base64url')}.${Buffer.from(claims).toString('base64url')}`
  return `${text}.${hs256(signatureKey(KEY).key, text)}`
}
