import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type SessionManager, session } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import type { AnyData } from '../support/serve.js'
import {
  AT,
  b64,
  COOKIE,
  HOUR,
  headerOf,
  JWT,
  jws,
  KEY,
  KINDS,
  type Kind,
  NOW,
  OLD_KEY,
  withClaims,
} from './forging.js'

/** A manager, and what it says of a token: the data it leads to, and the events on the way. */
function judge(kind: Kind, keys?: readonly string[]) {
  const clock = new FakeClock(NOW)
  const sessions = session<AnyData>({ store: kind.make(keys), clock, idleTimeout: HOUR })
  const events: string[] = []
  for (const name of ['reject', 'corrupt', 'expire', 'error'] as const) {
    sessions.on(name, (event) => {
      events.push('reason' in event ? `${name} ${event.reason}` : name)
    })
  }
  return {
    sessions,
    async of(token: string) {
      events.length = 0
      const found = await sessions.read({ headers: { cookie: `sid=${token}` } })
      return { data: found === null ? null : { ...found }, events: [...events] }
    },
  }
}

const REFUSED = { data: null, events: ['reject signature'] }
const STRANGE = { data: null, events: ['reject format'] }

function goodToken(kind: Kind, keys?: readonly string[], audience = 'sid', data = '{"cart":1}') {
  const text = `{"v":1,"facts":{"created":${NOW},"started":${NOW},"idle":${HOUR}},"data":${data}}`
  return kind
    .make(keys)
    .seal({ handle: 'handle', text, expiresAt: NOW + HOUR }, { ...AT, audience })
}

/** Headers with the right key behind them: nothing but the look at the header is in their way. */
function headers(kind: Kind): Record<string, string> {
  const other = kind === COOKIE ? JWT : COOKIE
  const add = (more: Record<string, unknown>) => headerOf(kind, more)
  const own = headerOf(kind)
  const { kid } = JSON.parse(own) as { kid: string }
  const without = (name: string) => {
    const { [name]: _, ...rest } = JSON.parse(own) as Record<string, unknown>
    return JSON.stringify(rest)
  }
  return {
    'alg none': add({ alg: 'none' }),
    'alg None': add({ alg: 'None' }),
    'alg empty': add({ alg: '' }),
    'alg HS512': add({ alg: 'HS512' }),
    'alg RS256': add({ alg: 'RS256' }),
    'alg ES256': add({ alg: 'ES256' }),
    'alg A256GCMKW': add({ alg: 'A256GCMKW' }),
    'alg PBES2-HS256+A128KW': add({ alg: 'PBES2-HS256+A128KW', p2s: 'AA', p2c: 1e9 }),
    'alg as a list': add({ alg: [kind.pinned.alg] }),
    'alg in another case': add({ alg: inAnotherCase(kind.pinned.alg!) }),
    'alg of the other kind': add({ alg: other.pinned.alg }),
    'no alg': without('alg'),
    'enc A128GCM': add({ enc: 'A128GCM' }),
    'enc A256CBC-HS512': add({ enc: 'A256CBC-HS512' }),
    'zip DEF': add({ zip: 'DEF' }),
    'crit with an extension': add({ crit: ['exp'], exp: 1 }),
    'crit, empty': add({ crit: [] }),
    'b64 false': add({ b64: false, crit: ['b64'] }),
    jwk: add({ jwk: { kty: 'oct', k: 'AAAA' } }),
    jku: add({ jku: 'https://evil.example/keys' }),
    x5u: add({ x5u: 'https://evil.example/cert' }),
    x5c: add({ x5c: ['MIIB'] }),
    x5t: add({ x5t: 'AAAA' }),
    cty: add({ cty: 'JWT' }),
    'a member of no name': add({ '': '' }),
    'kid of the other kind': add({ kid: other.key(KEY).kid }),
    'an unknown kid': add({ kid: 'AAAAAAAA' }),
    'kid of a removed key': add({ kid: kind.key(OLD_KEY).kid }),
    'kid a path': add({ kid: '../../dev/null' }),
    'kid a number': add({ kid: 0 }),
    'kid a list': add({ kid: [kid] }),
    'kid an object': add({ kid: { toString: kid } }),
    'kid null': add({ kid: null }),
    'kid __proto__': add({ kid: '__proto__' }),
    'no kid': without('kid'),
    'typ of the other kind': add({ typ: other.pinned.typ }),
    'typ in another case': add({ typ: inAnotherCase(kind.pinned.typ!) }),
    'typ of a proof': add({ typ: 'dpop+jwt' }),
    'no typ': without('typ'),
    'white space within': own.replace(',', ', '),
    'white space before': ` ${own}`,
    'white space behind': `${own}\n`,
    'a byte order mark': `\ufeff${own}`,
    'a name twice': own.replace('{', '{"alg":"none",'),
    'a name twice, the same': own.replace('{', `{"alg":"${kind.pinned.alg}",`),
    'an escaped name': own.replace('"alg"', '"\\u0061lg"'),
    'a __proto__': own.replace('{', '{"__proto__":{"alg":"none"},'),
    'a __proto__ for the kid': without('kid').replace('{', `{"__proto__":{"kid":"${kid}"},`),
    'a list': `[${own}]`,
    null: 'null',
    'a text': JSON.stringify(own),
    'a number': '1',
    'no JSON': own.slice(0, -1),
    nothing: '',
    'a thousand levels': `{"alg":${'['.repeat(1000)}${']'.repeat(1000)}}`,
  }
}

/** Other texts of a good token. */
function texts(kind: Kind): Record<string, string> {
  const good = goodToken(kind)
  const parts = good.split('.')
  const other = goodToken(kind, [KEY], 'sid', '{"cart":2}').split('.')
  const put = (index: number, part: string) => parts.with(index, part).join('.')
  const last = parts.length - 1
  const swapped = Object.fromEntries(
    parts.flatMap((part, index) =>
      part === other[index] ? [] : [[`part ${index} of another one`, put(index, other[index]!)]],
    ),
  )
  return {
    ...swapped,
    'two parts': parts.slice(0, 2).join('.'),
    'three or more parts': kind === COOKIE ? parts.slice(0, 3).join('.') : `${good}.${parts[1]}.x`,
    'a part more': `${good}.`,
    'a part more, in front': `.${good}`,
    'four parts': parts.concat(parts).slice(0, 4).join('.'),
    'six parts': `${parts.concat(parts).slice(0, 6).join('.')}`,
    'one part': parts[0]!,
    'a point for each': '.'.repeat(last),
    'a thousand points': '.'.repeat(1000),
    'the last part empty': put(last, ''),
    'the header empty': put(0, ''),
    'the text empty': put(last - 1, ''),
    ...(kind === COOKIE
      ? { 'an encrypted key': put(1, 'AAAA'), 'an empty IV': put(2, '') }
      : { 'alg none, unsigned': `${b64('{"alg":"none"}')}.${parts[1]}.` }),
    'a shorter end': good.slice(0, -1),
    'an end of four bytes': put(last, b64(Buffer.from(parts[last]!, 'base64url').subarray(0, 4))),
    'an end of twelve bytes': put(
      last,
      b64(Buffer.from(parts[last]!, 'base64url').subarray(0, 12)),
    ),
    'a longer end': put(last, b64(Buffer.concat([fromB64(parts[last]!), Buffer.of(0)]))),
    'an end in hex': put(last, fromB64(parts[last]!).toString('hex')),
    'padding at the end': `${good}${'='.repeat(4 - (parts[last]!.length % 4))}`,
    'padding of the header': put(0, `${parts[0]}=`),
    'padding of the text': put(last - 1, `${parts[last - 1]}=`),
    'characters that lenient readers skip': put(
      last,
      `${parts[last]!.slice(0, 4)}!${parts[last]!.slice(4)}`,
    ),
    'a line end in it': put(
      last - 1,
      `${parts[last - 1]!.slice(0, 4)}\n${parts[last - 1]!.slice(4)}`,
    ),
    'the standard alphabet': inStandardAlphabet(kind),
    'another case': good.toLowerCase(),
    'code points whose low bytes fit': [...good]
      .map((char) => (char === '.' ? char : String.fromCharCode(char.charCodeAt(0) + 256)))
      .join(''),
    'letters of full width': [...good]
      .map((char) => (char === '.' ? char : String.fromCharCode(char.charCodeAt(0) + 0xfee0)))
      .join(''),
    'half a surrogate': `${good.slice(0, 30)}\ud800${good.slice(31)}`,
    'the other kind': goodToken(kind === COOKIE ? JWT : COOKIE),
    'a removed key': goodToken(kind, [OLD_KEY]),
    'a key of another purpose': kind.forge(
      headerOf(kind),
      JSON.stringify(kind.claims()),
      // What only the other kind has under the same secret.
      (kind === COOKIE ? JWT : COOKIE).key(KEY).key,
    ),
    JSON: JSON.stringify(kind.claims()),
    'JSON in base64url': b64(JSON.stringify(kind.claims())),
    'the cookie of cookie-session': Buffer.from('{"cart":1}').toString('base64'),
    'the cookie of express-session': 's%3Aabc.def',
    'the signed id of a store': `${'A'.repeat(32)}.${'A'.repeat(43)}`,
  }
}

function inAnotherCase(text: string): string {
  return text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase()
}

/** A token of which some part has a character that the two alphabets write differently. */
function inStandardAlphabet(kind: Kind): string {
  for (let n = 0; ; n++) {
    const parts = goodToken(kind, [KEY], 'sid', `{"cart":${n}}`).split('.')
    const last = parts.at(-1)!
    const other = last.replaceAll('-', '+').replaceAll('_', '/')
    if (other !== last) return parts.with(-1, other).join('.')
  }
}

const fromB64 = (text: string) => Buffer.from(text, 'base64url')

/** What a key holder may have written, and is none of our sessions. */
function claims(kind: Kind): Record<string, string> {
  const { forge } = kind
  const own = headerOf(kind)
  const unit = kind === COOKIE ? 1 : 1000
  const text = JSON.stringify(kind.claims())
  const one = (more: Record<string, unknown>) => withClaims(kind, more)
  const raw = (from: string, to: string) => forge(own, text.replace(from, to))
  return {
    null: forge(own, 'null'),
    'a list': forge(own, '[]'),
    'a list of them': forge(own, `[${text}]`),
    'a text': forge(own, JSON.stringify(text)),
    'a number': forge(own, '1'),
    true: forge(own, 'true'),
    nothing: forge(own, ''),
    'an empty object': forge(own, '{}'),
    'half an object': forge(own, text.slice(0, -1)),
    'another last character': forge(own, `${text.slice(0, -1)}]`),
    'two objects': forge(own, text + text),
    'a NUL in it': forge(own, `${text.slice(0, -1)}\u0000}`),
    'a byte order mark': forge(own, `\ufeff${text}`),
    'aud of another cookie': one({ aud: 'other' }),
    'aud of the name with its prefix': one({ aud: '__Host-sid' }),
    'aud in another case': one({ aud: 'SID' }),
    'aud an object': one({ aud: { sid: 1 } }),
    'aud null': one({ aud: null }),
    'aud a list of others': one({ aud: ['other', 'SID'] }),
    'aud an empty list': one({ aud: [] }),
    'aud a list in a list': one({ aud: [['sid']] }),
    'no aud': one({ aud: undefined }),
    'iat 61 s ahead': one({ iat: (NOW + 61_000) / unit }),
    'iat for ever': raw(`"iat":${NOW / unit}`, '"iat":1e999'),
    'iat a text': one({ iat: String(NOW / unit) }),
    'no iat': one({ iat: undefined }),
    'exp for ever': raw(`"exp":${(NOW + HOUR) / unit}`, '"exp":1e999'),
    'exp a text': one({ exp: String((NOW + HOUR) / unit) }),
    'exp null': one({ exp: null }),
    'no exp': one({ exp: undefined }),
    'jti a number': one({ jti: 1 }),
    'jti null': one({ jti: null }),
    'names in a __proto__': forge(own, `{"__proto__":${text}}`),
    ...(kind === COOKIE
      ? {
          'no record': one({ record: undefined }),
          'no jti': one({ jti: undefined }),
          'white space': raw(',', ', '),
          'aud twice': raw('{', '{"aud":"other",'),
          'aud twice, the other way': raw('"iat"', '"aud":"sid","iat"'),
          'a claim more': raw('"iat"', '"sub":"ada","iat"'),
          'another order': forge(own, JSON.stringify({ iat: NOW, ...kind.claims() })),
        }
      : {
          'nbf 61 s ahead': one({ nbf: (NOW + 61_000) / unit }),
          'nbf a text': one({ nbf: '0' }),
          'nbf null': one({ nbf: null }),
          'nbf behind the data of a token of ours': raw('"cart":1', '"cart":1,"nbf":9e9'),
          'nbf with an escape': raw('"cart":1', '"cart":1,"\\u006ebf":9e9'),
          'aud again behind the data': raw('"cart":1', '"cart":1,"aud":"other"'),
          'iss that nobody asked for': one({ iss: 'https://issuer.example' }),
          'iss null': one({ iss: null }),
          'sub a number': one({ sub: 42 }),
          'sub null': one({ sub: null }),
          'jti empty': one({ jti: '' }),
          'exp below zero': one({ exp: -1 }),
          'deeper than texts can be made of': forge(
            own,
            text.replace('"cart":1', `"cart":${'['.repeat(50_000)}${']'.repeat(50_000)}`),
          ),
        }),
  }
}

/** Well made, of this cookie, and with a record that no session can be made of. */
function records(kind: Kind): Record<string, string> {
  const record = (more: Record<string, unknown>) => {
    const good = { v: 1, facts: { created: NOW, started: NOW, idle: HOUR }, data: {} }
    return withClaims(kind, { record: { ...good, ...more } })
  }
  const noted = (coatcheck: unknown) => withClaims(kind, { coatcheck })
  return kind === COOKIE
    ? {
        'record null': withClaims(kind, { record: null }),
        'record a list': withClaims(kind, { record: [] }),
        'record a text': withClaims(kind, { record: '{}' }),
        'of a later version': record({ v: 2 }),
        'without facts': record({ facts: undefined }),
        'with data that is a list': record({ data: [] }),
        'with a claim behind it': kind.forge(
          headerOf(kind),
          `${JSON.stringify(kind.claims()).slice(0, -1)},"aud":"other"}`,
        ),
        'as deep as nobody stores': withClaims(kind, {
          record: JSON.parse(`{"data":${'['.repeat(3000)}${']'.repeat(3000)}}`) as unknown,
        }),
      }
    : {
        'coatcheck null': noted(null),
        'coatcheck a list': noted([NOW]),
        'coatcheck a text': noted('facts'),
        'coatcheck empty': noted({}),
        'coatcheck with times that are texts': noted({ created: '1', started: '1', idle: '1' }),
        'coatcheck with objects': noted({ created: {}, started: NOW, idle: HOUR }),
      }
}

describe.each(KINDS)('an attack on a session in its own cookie: $name', (kind) => {
  const judged = judge(kind)

  it('has something to attack: a good token opens, and the forged one like it', async () => {
    const good = { data: { cart: 1 }, events: [] }
    expect(await judged.of(goodToken(kind))).toEqual(good)
    expect(await judged.of(withClaims(kind, {}))).toEqual(good)
    const { kid, ...rest } = JSON.parse(headerOf(kind)) as Record<string, string>
    const reordered = kind.forge(JSON.stringify({ kid, ...rest }), JSON.stringify(kind.claims()))
    expect(await judged.of(reordered)).toEqual(good)
  })

  it.each(Object.entries(headers(kind)))('by its header is refused: %s', async (_name, header) => {
    expect(await judged.of(kind.forge(header, JSON.stringify(kind.claims())))).toEqual(REFUSED)
  })

  it.each(Object.entries(texts(kind)))('by its text is refused: %s', async (_name, token) => {
    expect(await judged.of(token)).toEqual(REFUSED)
  })

  it.each(Object.entries(claims(kind)))('by its claims is refused: %s', async (_name, token) => {
    expect(await judged.of(token)).toEqual(STRANGE)
  })

  it.each(Object.entries(records(kind)))('by its record is refused: %s', async (_name, token) => {
    expect(await judged.of(token)).toEqual(STRANGE)
  })

  it('by one changed character is refused, wherever it is', () => {
    const good = goodToken(kind)
    const store = kind.make()
    const opened: string[] = []
    for (let at = 0; at < good.length; at++) {
      for (const char of 'AQg_.=') {
        if (good[at] === char) continue
        const token = good.slice(0, at) + char + good.slice(at + 1)
        if (!('rejected' in store.open(token, AT))) opened.push(`${at} ${char}`)
      }
    }
    expect(opened).toEqual([])
  })

  it('by one flipped bit is refused, in every byte of every part', async () => {
    const parts = goodToken(kind).split('.')
    const store = kind.make()
    const opened: string[] = []
    parts.forEach((part, index) => {
      const bytes = fromB64(part)
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        const token = parts.with(index, b64(flipped)).join('.')
        if (!('rejected' in store.open(token, AT))) opened.push(`${index} ${bit}`)
      }
    })
    expect(opened).toEqual([])
    expect('sealed' in store.open(parts.join('.'), AT)).toBe(true)
  })

  it('by each character of a part left out, or the last bits set, is refused', () => {
    const good = goodToken(kind)
    const store = kind.make()
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const tokens = [
      ...Array.from(good, (_, at) => good.slice(0, at) + good.slice(at + 1)),
      // Some of these are other texts of the very same bytes.
      ...Array.from(alphabet, (char) => good.slice(0, -1) + char).filter((one) => one !== good),
    ]
    expect(tokens.filter((token) => !('rejected' in store.open(token, AT)))).toEqual([])
  })

  it('takes a clock that is 60 s ahead', async () => {
    const unit = kind === COOKIE ? 1 : 1000
    const { data } = await judged.of(withClaims(kind, { iat: (NOW + 60_000) / unit }))
    expect(data).toEqual({ cart: 1 })
  })

  it('by an old token is refused: it has expired', async () => {
    const clock = new FakeClock(NOW)
    const sessions = session<AnyData>({ store: kind.make(), clock, idleTimeout: HOUR })
    const reasons: string[] = []
    sessions.on('expire', ({ reason }) => reasons.push(reason))
    const req = { headers: { cookie: `sid=${goodToken(kind)}` } }
    await clock.advance(HOUR - 1)
    expect(await sessions.read(req)).toEqual({ cart: 1 })
    await clock.advance(1000)
    expect(await sessions.read(req)).toBeNull()
    expect(reasons).toEqual(['idle'])
  })

  it('by a token past its own end is refused, whatever its record says', async () => {
    const { sessions } = judge(kind)
    // No idle clock, and an absolute one that was made longer since.
    const facts = { created: NOW - 60_000, started: NOW - 60_000, idle: null }
    const text = `{"v":1,"facts":${JSON.stringify(facts)},"data":{"cart":1}}`
    const store = kind.make()
    const token = (expiresAt: number) => store.seal({ handle: 'handle', text, expiresAt }, AT)
    const read = (cookie: string) => sessions.read({ headers: { cookie: `sid=${cookie}` } })
    expect(await read(token(NOW + 1000))).not.toBeNull()
    expect(await read(token(NOW - 1000))).toBeNull()
  })

  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'toJSON'])(
    'by data named %s pollutes nothing, and comes back as it was',
    async (name) => {
      const data = `{"${name}":{"polluted":1},"in":{"${name}":{"polluted":1}}}`
      const store = kind.make()
      const opened = store.open(goodToken(kind, [KEY], 'sid', data), AT)
      expect('sealed' in opened && opened.sealed.text.endsWith(`"data":${data}}`)).toBe(true)
      const found = (await judged.of(goodToken(kind, [KEY], 'sid', data))).data as object
      expect(Object.hasOwn(found, 'in')).toBe(true)
      expect(({} as Record<string, unknown>).polluted).toBeUndefined()
      expect(Object.getPrototypeOf(found)).toBe(Object.prototype)
    },
  )

  it('by a header of a megabyte costs a server nothing but the reading', async () => {
    const { sessions } = judge(kind)
    const rejected: string[] = []
    sessions.on('reject', ({ reason }) => rejected.push(reason))
    const origin = await lenientServer(sessions)
    const [first, ...rest] = goodToken(kind).split('.')
    const long = `${first}${'A'.repeat(1_000_000)}`
    const tokens = [[long, ...rest].join('.'), [first, ...rest, 'A'.repeat(1_000_000)].join('.')]
    for (const token of tokens) {
      const answer = await fetch(origin, { headers: { cookie: `sid=${token}` } })
      expect([answer.status, await answer.text()]).toEqual([200, '{}'])
    }
    expect(rejected).toEqual(['signature', 'signature'])
  })
})

describe('CVE-2026-39324', () => {
  it('a cookie that does not decrypt is never read by another decoder', async () => {
    const judged = judge(COOKIE, [KEY, OLD_KEY])
    const data = JSON.stringify(COOKIE.claims())
    const [header, , iv, , tag] = goodToken(COOKIE).split('.')
    const signed = jws(headerOf(JWT), JSON.stringify(JWT.claims()), JWT.key(KEY).key)
    const plain = [
      data,
      b64(data),
      encodeURIComponent(data),
      Buffer.from(data).toString('base64'),
      Buffer.from(data).toString('hex'),
      // The place of what is encrypted, filled with what is not.
      [header, '', iv, b64(data), tag].join('.'),
      [header, '', iv, b64(data), ''].join('.'),
      [header, '', '', b64(data), ''].join('.'),
      `${b64('{"alg":"none"}')}.${b64(data)}.`,
      // Well signed with the very same secret.
      signed,
      jws(headerOf(COOKIE), data, COOKIE.key(KEY).key),
      `${b64(data)}--${b64(COOKIE.key(KEY).key.export())}`,
    ]
    for (const token of plain) expect(await judged.of(token)).toEqual(REFUSED)
  })

  it('nor does a JWT whose signature is wrong fall back to its readable claims', async () => {
    const judged = judge(JWT, [KEY, OLD_KEY])
    const [header, payload, signature] = goodToken(JWT).split('.') as [string, string, string]
    for (const token of [
      `${header}.${payload}.${signature.slice(0, -2)}AA`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      payload,
      jws(headerOf(JWT), JSON.stringify(JWT.claims()), COOKIE.key(KEY).key),
      goodToken(COOKIE),
    ]) {
      expect(await judged.of(token)).toEqual(REFUSED)
    }
  })
})

/** Takes headers that Node by itself would answer with 431. */
async function lenientServer(sessions: SessionManager<AnyData>): Promise<string> {
  const server = createServer({ maxHeaderSize: 4_000_000 }, (req, res) => {
    sessions(req, res, (error) => {
      res.statusCode = error === undefined ? 200 : 500
      res.end(JSON.stringify(sessions.of(req).session))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
