import { createHash } from 'node:crypto'
import { type Facts, joinRecord, splitRecord } from '../core/record.js'
import type { At, OpenedToken, Sealed, TokenStore } from '../core/token-store.js'
import { Jws } from '../crypto/jws.js'
import { signatureKey } from '../crypto/token-keys.js'
import { OptionError } from '../errors.js'
import { checkNames, checkOptions } from './internal/store-options.js'
import { secretsFrom } from './internal/token-keys.js'

/** Options of {@link JwtStore}. */
export interface JwtStoreOptions {
  /** Secrets of 32 bytes or more, newest first: the newest signs, and every one verifies. */
  keys: string | readonly string[]
  /** Who made the token: written as `iss`, and asked of every token. @default none */
  issuer?: string
}

/** Registered claims (RFC 7519, section 4.1), and the one for what the engine notes. */
const RESERVED = new Set(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'coatcheck'])

/** `iat` and `nbf` may lie this far ahead, in ms: the clocks of two nodes differ. */
const LEEWAY = 60_000

/**
 * Keeps each session in a signed JWT that every JWT library can read with the key: its claims are
 * the session's data. Whoever has the cookie can read them; nobody can change them.
 *
 * ```ts
 * app.use(session({ store: new JwtStore({ keys: process.env.SESSION_KEY ?? '' }) }))
 * ```
 *
 * A compact JWS (RFC 7515) with `alg: HS256` and `typ: JWT`. Besides the data there are `sub` (the
 * user), `aud` (the name of the cookie), `iat` and `exp` (seconds, rounded so that no session ends
 * early), `jti` (the handle), `iss` if set, and `coatcheck` (when the session began, and its idle
 * time): these names cannot be keys of data.
 *
 * Whoever has a copy of a token has that session until its time is over: without the option
 * `revocations` a sign-out forgets it on the one client that asked.
 */
export class JwtStore implements TokenStore {
  readonly reserved: ReadonlySet<string> = RESERVED
  readonly #jws: Jws
  readonly #issuer: string | undefined
  /** The claim `iss` as text, or nothing. */
  readonly #iss: string

  /** @throws OptionError for keys that are missing or short */
  constructor(options: JwtStoreOptions) {
    checkOptions('JwtStore', options)
    checkNames('JwtStore', options, ['keys', 'issuer'])
    const { keys, issuer } = options
    const [newest, ...older] = secretsFrom('JwtStore', keys)
    if (issuer !== undefined && (typeof issuer !== 'string' || issuer === '')) {
      throw new OptionError('JwtStore: the option issuer takes a text that is not empty.')
    }
    this.#jws = new Jws([signatureKey(newest), ...older.map(signatureKey)], 'JWT')
    this.#issuer = issuer
    this.#iss = issuer === undefined ? '' : `"iss":${JSON.stringify(issuer)},`
  }

  seal({ handle, text, expiresAt }: Sealed, { now, audience }: At): string {
    const record = splitRecord(text)
    if (record === undefined) throw new TypeError('JwtStore: this is no record of a session.')
    const { sub, noted } = halves(record.facts)
    const more = record.data === '{}' ? '}' : `,${record.data.slice(1)}`
    return this.#jws.sign(
      `{${this.#iss}${sub}"aud":${JSON.stringify(audience)},` +
        `"iat":${Math.floor(now / 1000)},"exp":${Math.ceil(expiresAt / 1000)},` +
        `"jti":${JSON.stringify(handle)},"coatcheck":${noted}${more}`,
    )
  }

  open(token: string, { now, audience }: At): OpenedToken {
    const opened = this.#jws.open(token)
    if (opened === undefined) return { rejected: 'signature' }
    const claims = ownClaims(opened.text) ?? anyClaims(opened.text)
    if (claims === undefined) return { rejected: 'format' }
    const { iss, sub, aud, exp, nbf, iat, jti, noted, data } = claims
    const isOurs =
      iss === this.#issuer &&
      (Array.isArray(aud) ? aud.includes(audience) : aud === audience) &&
      (sub === undefined || typeof sub === 'string') &&
      (jti === undefined || (typeof jti === 'string' && jti !== '')) &&
      isTime(exp) &&
      isTime(iat) &&
      iat * 1000 <= now + LEEWAY &&
      (nbf === undefined || (isTime(nbf) && nbf * 1000 <= now + LEEWAY))
    if (!isOurs) return { rejected: 'format' }
    const facts = noted ?? JSON.stringify(factsOf(iat, exp))
    const user = sub === undefined ? '{}' : `{"user":${JSON.stringify(sub)}}`
    const text = joinRecord(joinObjects(facts, user), data)
    const handle = jti === undefined ? handleOf(token) : jti
    return { sealed: { handle, text, expiresAt: exp * 1000 }, reissue: opened.by > 0 }
  }
}

/** What is signed, as it was parsed, and the two objects that are only passed on, as texts. */
interface Claims {
  readonly iss: unknown
  readonly sub: unknown
  readonly aud: unknown
  readonly iat: unknown
  readonly exp: unknown
  readonly nbf?: unknown
  readonly jti: unknown
  /** The claim `coatcheck`. */
  readonly noted: string | undefined
  readonly data: string
}

/** A JSON string without an escape. */
const STRING = String.raw`"([^"\\\x00-\x1f]*)"`
const SECONDS = String.raw`(0|[1-9]\d{0,15})`
const NOTED = String.raw`"\w+":(?:\d+|true|null)`

/** Facts as text, with the user among them. */
const FACTS = new RegExp(
  String.raw`^\{(${NOTED}(?:,${NOTED})*)(?:,"user":${STRING})?((?:,${NOTED})*)\}$`,
)

/** The facts of a record as two texts: the claim `sub`, or nothing, and what is noted. */
function halves(facts: string): { sub: string; noted: string } {
  const [whole, before, name, behind] = FACTS.exec(facts) ?? []
  if (whole !== undefined) {
    return { sub: name === undefined ? '' : `"sub":"${name}",`, noted: `{${before}${behind}}` }
  }
  const { user, ...noted } = JSON.parse(facts) as Facts
  return {
    sub: user === undefined ? '' : `"sub":${JSON.stringify(user)},`,
    noted: JSON.stringify(noted),
  }
}

/** How the claims of a token begin that was written here: the registered ones, and what is noted. */
const OWN = new RegExp(
  String.raw`^\{(?:"iss":${STRING},)?(?:"sub":${STRING},)?"aud":${STRING},` +
    `"iat":${SECONDS},"exp":${SECONDS},"jti":${STRING},` +
    String.raw`"coatcheck":(\{(?:${NOTED},)*${NOTED}\})`,
)

/** The name of a registered claim, at any depth. */
const REGISTERED = /[,{\s]"(?:iss|sub|aud|exp|nbf|iat|jti|coatcheck)"/

/**
 * The claims of a token as it is written here: what is noted closes the registered ones, and the
 * data follows, to be cut off as text. undefined: it is of another make.
 */
function ownClaims(text: string): Claims | undefined {
  const found = OWN.exec(text)
  if (found === null) return undefined
  const [head, iss, sub, aud, iat, exp, jti, noted] = found
  const rest = text.slice(head.length)
  if (rest !== '}' && rest[0] !== ',') return undefined
  // Another program may have added such claims. An escape could spell one.
  if (rest.includes('\\u') || REGISTERED.test(rest)) return undefined
  const data = `{${rest.slice(1) || '}'}`
  return { iss, sub, aud, iat: Number(iat), exp: Number(exp), jti, noted, data }
}

/** The claims of any JWT. Of a name that comes twice the last one counts (RFC 7519, section 4). */
function anyClaims(text: string): Claims | undefined {
  const claims = objectIn(text)
  if (claims === undefined) return undefined
  const { iss, sub, aud, exp, nbf, iat, jti, coatcheck, ...data } = claims
  const noted = coatcheck === undefined ? undefined : JSON.stringify(flat(coatcheck))
  try {
    return { iss, sub, aud, exp, nbf, iat, jti, noted, data: JSON.stringify(data) }
  } catch {
    // Nested deeper than texts can be made of.
    return undefined
  }
}

/** The members of an object that are no objects themselves: others make no facts. */
function flat(noted: unknown): object {
  if (typeof noted !== 'object' || noted === null) return {}
  return Object.fromEntries(
    Object.entries(noted).filter(([, value]) => typeof value !== 'object' || value === null),
  )
}

/**
 * A token of another maker notes nothing: it began when it was made, and is to live that long. Who
 * ends the sessions of its user later ends it too, and earlier by more than clocks may differ, not.
 */
function factsOf(iat: number, exp: number): Facts {
  const made = iat * 1000
  const epoch = Math.max(0, made - LEEWAY)
  return { created: made, started: made, idle: Math.max(1, exp - iat) * 1000, epoch }
}

/** One object of the members of two, as texts. */
function joinObjects(first: string, second: string): string {
  return second === '{}' ? first : `${first.slice(0, -1)},${second.slice(1)}`
}

/** A token of another maker may have no `jti`: a name of its own all the same, and no secret. */
function handleOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
