import { OldCallbackRecords, type OldRecords, OldTextRecords } from './core/old-records.js'
import type { ExpressSessionStore } from './core/old-store.js'
import type { Store } from './core/store.js'
import { isTokenStore } from './core/token-store.js'
import {
  isOldSecret,
  isSignedPair,
  type OldSecret,
  type PairSigner,
  signedOldId,
} from './crypto/old-signature.js'
import { type Encryption, type EncryptOptions, encryptionFrom } from './encrypt-option.js'
import { OptionError } from './errors.js'
import { hasMethod, kind } from './kind.js'
import { optional, refuseUnknown } from './option-checks.js'
import { sortOf } from './store-option.js'

/** Where visitors come from: what their old cookies and records are. At least one of the two. */
export interface FromOptions {
  /**
   * Sessions of express-session, or of the drop-in for it. One that comes with a request is taken
   * over once: its data goes on in a session of ours, and the old one ends.
   */
  expressSession?: FromExpressSession
  /**
   * Sessions of cookie-session, or of the drop-in for it. One that comes with a request goes on in a
   * session of ours, and its cookies are deleted. Nothing can end a copy of them but `until`.
   */
  cookieSession?: FromCookieSession
}

/** What sessions of express-session are. */
export interface FromExpressSession {
  /** The name of its cookie. @default 'connect.sid' */
  name?: string
  /** What it signs with: its option `secret`. Of several, all are accepted. */
  secret: OldSecret | readonly OldSecret[]
  /**
   * Where its records are: its option `store`, or the store of this package that has its records.
   * @default the option `store` of `session()`
   */
  store?: Store | ExpressSessionStore
}

/** What sessions of cookie-session are. */
export interface FromCookieSession {
  /** The name of its cookie; that of the signature ends with `.sig`. @default 'session' */
  name?: string
  /** What it signs with: its option `keys` or `secret`. Of several, all are accepted. */
  keys?: OldSecret | readonly OldSecret[] | PairSigner
  /** The option `encrypt` of `coatcheck/cookie-session`, where it was used. @default false */
  encrypt?: boolean | EncryptOptions
  /** The path of its cookies, by which they are deleted. @default '/' */
  path?: string
  /** The domain of its cookies. @default none */
  domain?: string
  /** Whether its cookies are partitioned. @default false */
  partitioned?: boolean
  /**
   * Until when its cookies are taken. A copy of one works until then, since there is no time in them.
   * @default as long as the option is there
   */
  until?: Date
}

/** The option, complete and checked. */
export interface FromSettings {
  readonly expressSession: ExpressSessionSettings | undefined
  readonly cookieSession: CookieSessionSettings | undefined
}

export interface ExpressSessionSettings {
  readonly name: string
  readonly records: OldRecords
  /** The id in the value of a cookie. */
  idIn(value: string): ReturnType<typeof signedOldId>
}

export interface CookieSessionSettings {
  readonly name: string
  readonly path: string
  readonly domain: string | undefined
  readonly partitioned: boolean
  readonly encryption: Encryption | undefined
  /** In ms since the epoch. */
  readonly until: number
  /** Whether a value is signed. Nobody may look at it before. */
  isSigned(value: string, signature: string): boolean
}

const EXPRESS_SESSION = ['name', 'secret', 'store']
const COOKIE_SESSION = ['name', 'keys', 'encrypt', 'path', 'domain', 'partitioned', 'until']

/** @param store the option `store` of `session()`, as it was given or made */
export function fromOption(given: unknown, store: unknown): FromSettings | undefined {
  if (given === undefined) return undefined
  const from = object('from', given, ['expressSession', 'cookieSession']) as FromOptions
  const { expressSession, cookieSession } = from
  if (expressSession === undefined && cookieSession === undefined) {
    throw new OptionError(
      'The option from.expressSession is undefined, and so is from.cookieSession; it takes one of them, or both.',
    )
  }
  return {
    expressSession: expressSession === undefined ? undefined : fromExpress(expressSession, store),
    cookieSession: cookieSession === undefined ? undefined : fromCookies(cookieSession),
  }
}

function fromExpress(given: unknown, store: unknown): ExpressSessionSettings {
  const old = object('from.expressSession', given, EXPRESS_SESSION) as FromExpressSession
  const name = optional('from.expressSession.name', old.name, 'string') ?? 'connect.sid'
  const secrets = secretsFrom(old.secret)
  const records = old.store ?? store
  if (isTokenStore(records)) {
    throw new OptionError(
      'The option from.expressSession.store is missing: the option store keeps no records.',
    )
  }
  return {
    name,
    records:
      sortOf(records) === 'texts'
        ? new OldTextRecords(records as Store)
        : new OldCallbackRecords(records as ExpressSessionStore),
    idIn: (value) => signedOldId(value, secrets),
  }
}

function fromCookies(given: unknown): CookieSessionSettings {
  const old = object('from.cookieSession', given, COOKIE_SESSION) as FromCookieSession
  const { until } = old
  const name = optional('from.cookieSession.name', old.name, 'string') || 'session'
  const listed = isOldSecret(old.keys) ? [old.keys] : old.keys
  const encryption = encryptionFrom('from.cookieSession.encrypt', old.encrypt, listed)
  // Where all is encrypted nothing is signed.
  const keys = listed === undefined && encryption !== undefined ? [] : keysFrom(listed)
  if (until !== undefined && !(until instanceof Date && !Number.isNaN(until.getTime()))) {
    throw new OptionError(`The option from.cookieSession.until is ${kind(until)}; it takes a Date.`)
  }
  return {
    name,
    path: optional('from.cookieSession.path', old.path, 'string') ?? '/',
    domain: optional('from.cookieSession.domain', old.domain, 'string'),
    partitioned: optional('from.cookieSession.partitioned', old.partitioned, 'boolean') ?? false,
    encryption,
    until: until?.getTime() ?? Number.POSITIVE_INFINITY,
    isSigned: (value, signature) => isSignedPair(name, value, signature, keys),
  }
}

function object(name: string, given: unknown, known: readonly string[]): object {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new OptionError(`The option ${name} is ${kind(given)}; it takes an object.`)
  }
  refuseUnknown(given, new Set(known), {}, `${name}.`)
  return given
}

function secretsFrom(secret: unknown): readonly OldSecret[] {
  const secrets: readonly unknown[] = Array.isArray(secret) ? [...secret] : [secret]
  // Of any length: it is the one that old cookies were signed with.
  if (secrets.length > 0 && secrets.every(isOldSecret)) return secrets
  throw new OptionError(
    `The option from.expressSession.secret is ${kind(secret)}; it takes the secret of express-session, or a list of them.`,
  )
}

function keysFrom(keys: unknown): readonly OldSecret[] | PairSigner {
  if (hasMethod(keys, 'index')) return keys as PairSigner
  const list: readonly unknown[] = Array.isArray(keys) ? [...keys] : []
  if (list.length > 0 && list.every(isOldSecret)) return list
  throw new OptionError(
    `The option from.cookieSession.keys is ${kind(keys)}; it takes the keys of cookie-session, a list of them, or its Keygrip.`,
  )
}
