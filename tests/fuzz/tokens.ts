import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { decodeRecord, encodeRecord } from '../../src/core/record.js'
import { encryptionKey, signatureKey } from '../../src/crypto/token-keys.js'
import type { OpenedToken, Sealed } from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { JwtStore } from '../../src/stores/jwt.js'
import { jwe } from '../tokens/forging.js'
import { edited, edits } from './edited-text.js'
import { canonical, type Json, type JsonObject, json, jsonObject } from './json-values.js'
import { facts } from './record-text.js'
import { nothingPolluted, same, type Target, target } from './target.js'

const KEYS = [
  'the newest key of these cases, of 32 bytes',
  'the older key of these cases, of 32 bytes!',
] as const
const STRANGER = 'the key of somebody else, of 32 bytes too'
const NOW = 1_700_000_000_000
const AUDIENCES = ['sid', 'a"b', ',"record":', 'ключ'] as const
const REGISTERED = ['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'coatcheck']

const stores = { cookie: new CookieStore({ keys: KEYS }), jwt: new JwtStore({ keys: KEYS }) }
const kind = fc.constantFrom('cookie', 'jwt')

const entriesOf = (data: JsonObject) =>
  new Map(Object.entries(data).map(([name, value]) => [name, JSON.stringify(value)]))

const sessions = fc.record({
  kind,
  facts,
  data: jsonObject,
  // What is a claim at the top is data further in.
  inner: fc.option(fc.record({ name: fc.constantFrom(...REGISTERED), value: json }), { freq: 2 }),
  handle: fc.constantFrom('handle', '"},"record":{', 'coatcheck":{'),
  audience: fc.constantFrom(...AUDIENCES),
  later: fc.nat(),
})

/** Any data comes back from a token as it was. */
export const tokenRoundTrip: Target = target('token round trip', 8, sessions, (one) => {
  const store = stores[one.kind]
  const data = { ...one.data, ...(one.inner && { in: { [one.inner.name]: one.inner.value } }) }
  const text = encodeRecord(one.facts, entriesOf(data))
  const sealed = { handle: one.handle, text, expiresAt: NOW + one.later * 1000 }
  const at = { now: NOW, audience: one.audience }
  const opened = store.open(store.seal(sealed, at), at)
  same(text, shown(opened), shown({ sealed, reissue: false }))
  const other = store.open(store.seal(sealed, at), { ...at, audience: `${one.audience} ` })
  same(text, JSON.stringify(other), '{"rejected":"format"}')
  nothingPolluted()
})

function shown(opened: OpenedToken): string {
  if ('rejected' in opened) return 'refused'
  const { handle, text, expiresAt } = opened.sealed
  return canonical([handle, decodeRecord(text), expiresAt, opened.reissue])
}

const SEALED: Sealed = {
  handle: 'handle',
  text: encodeRecord({ created: NOW, started: NOW, idle: 1000, user: '1' }, entriesOf({ a: 1 })),
  expiresAt: NOW + 1000,
}

interface Known {
  readonly token: string
  readonly kind: 'cookie' | 'jwt'
  readonly audience: string
}

/** Of both kinds, for two audiences, under every key and that of a stranger. */
const known: readonly Known[] = (['cookie', 'jwt'] as const).flatMap((name) =>
  [KEYS[0], KEYS[1], STRANGER].flatMap((keys) => {
    const store = name === 'cookie' ? new CookieStore({ keys }) : new JwtStore({ keys })
    return ['sid', 'other'].map((audience) => ({
      token: store.seal(SEALED, { now: NOW, audience }),
      kind: name,
      audience: keys === STRANGER ? '' : audience,
    }))
  }),
)
const byToken = new Map(known.map((one) => [one.token, one]))
const HEADERS = known.map(({ token }) => `${token.split('.')[0]}.`)

const SNIPPETS = [...HEADERS, '.', '..', '=', '-', '_', '+', '/', ' ', '\n', '\u0000', 'AAAA', 'A']

const garbage = fc.record({
  kind,
  of: fc.nat(known.length - 1),
  other: fc.nat(known.length - 1),
  changes: edits(SNIPPETS, [0.3, 0.9, 0.99]),
  whole: fc.oneof(
    { weight: 9, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.string({ maxLength: 40, unit: 'binary' }) },
  ),
})

/** Any text is opened without a throw, and what was not sealed here for this cookie is refused. */
export const tokenGarbage: Target = target('token garbage', 10, garbage, (one) => {
  const from = one.whole ?? known[one.of]!.token
  const token = edited(from, known[one.other]!.token, one.changes)
  const made = byToken.get(token)
  const isGood = made?.kind === one.kind && made.audience === 'sid'
  const opened = stores[one.kind].open(token, { now: NOW, audience: 'sid' })
  same(JSON.stringify(token), `${'sealed' in opened}`, `${isGood}`)
})

const CLAIMS = {
  cookie: `{"aud":"sid","iat":${NOW},"exp":${NOW + 1000},"jti":"handle","record":${SEALED.text}}`,
  jwt: `{"sub":"1","aud":"sid","iat":${NOW / 1000},"exp":${NOW / 1000 + 1},"jti":"handle","coatcheck":{"created":${NOW},"started":${NOW},"idle":1000},"a":1}`,
}
const CLAIM_SNIPPETS = [
  ...['{', '}', '[', ']', '"', ',', ':', '\\', 'null', '1e999', '-1', ' ', '\\u0061'],
  ...REGISTERED.map((name) => `,"${name}":1`),
  ...['"sub":"2",', '"aud":"sid",', '"aud":["sid"],', '"aud":"other",', '"nbf":9e9,', ',"b":{}'],
  ...[
    ',"\\u0065xp":1',
    ',"coatcheck":{}',
    '"coatcheck":{"a":{"b":1}},',
    ',"record":',
    '"iss":"x",',
  ],
  ...['"__proto__":{"polluted":1},', ',"data":{"c":1}', '"v":1', '"facts":{', '"user":"3",'],
]

const claims = fc.record({ kind, changes: edits(CLAIM_SNIPPETS), other: json })

/** So is any text that a holder of the key has authenticated; a JWT means what its JSON says. */
export const claimGarbage: Target = target('claim garbage', 10, claims, (one) => {
  const text = edited(CLAIMS[one.kind], JSON.stringify(one.other), one.changes)
  // Half a surrogate does not survive UTF-8.
  const claims = Buffer.from(text).toString()
  const token = one.kind === 'cookie' ? jweOf(claims) : jwsOf(claims)
  const opened = stores[one.kind].open(token, { now: NOW, audience: 'sid' })
  const found = 'sealed' in opened ? decodeRecord(opened.sealed.text) : undefined
  nothingPolluted()
  if (one.kind === 'cookie' || !isJson(claims)) return
  const expected = recordOf(JSON.parse(claims) as Json)
  same(
    JSON.stringify(claims),
    canonical(found?.kind === 'record' && found.record),
    canonical(expected),
  )
})

const cookieKey = encryptionKey(KEYS[0])
const jwtKey = signatureKey(KEYS[0])

function jweOf(text: string): string {
  const header = { alg: 'dir', enc: 'A256GCM', typ: 'coatcheck+jwe', kid: cookieKey.kid }
  return jwe(JSON.stringify(header), text, cookieKey.key)
}

function jwsOf(text: string): string {
  const header = JSON.stringify({ alg: 'HS256', typ: 'JWT', kid: jwtKey.kid })
  const signed = [header, text].map((part) => Buffer.from(part).toString('base64url')).join('.')
  return `${signed}.${createHmac('sha256', KEYS[0]).update(signed).digest('base64url')}`
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** What a JWT says, read a second time and by JSON.parse alone; false: it is no session of ours. */
function recordOf(claims: Json): Json {
  if (!isObject(claims)) return false
  const { iss, sub, aud, exp, nbf, iat, jti, coatcheck, ...data } = claims
  const seconds = NOW / 1000
  const isTime = (value: Json | undefined): value is number =>
    typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY
  const isGood =
    iss === undefined &&
    (sub === undefined || typeof sub === 'string') &&
    (Array.isArray(aud) ? aud.includes('sid') : aud === 'sid') &&
    (jti === undefined || (typeof jti === 'string' && jti !== '')) &&
    (nbf === undefined || (isTime(nbf) && nbf <= seconds + 60))
  if (!isGood || !isTime(exp) || !isTime(iat) || iat > seconds + 60) return false
  const made = iat * 1000
  const noted = isObject(coatcheck)
    ? coatcheck
    : {
        created: made,
        started: made,
        idle: Math.max(1, exp - iat) * 1000,
        epoch: Math.max(0, made - 60_000),
      }
  if (coatcheck !== undefined && !isObject(coatcheck)) return false
  const flat = Object.entries(noted).filter(
    ([, value]) => value === null || !(value instanceof Object),
  )
  const user = sub === undefined ? {} : { user: sub }
  const text = JSON.stringify({ v: 1, facts: { ...Object.fromEntries(flat), ...user }, data })
  const decoded = decodeRecord(text)
  return decoded.kind === 'record' && (JSON.parse(JSON.stringify(decoded.record)) as Json)
}

function isObject(value: Json | undefined): value is JsonObject {
  return Object.prototype.toString.call(value) === '[object Object]'
}
