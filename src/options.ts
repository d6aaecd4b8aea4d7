import { type CookieOptions, cookieFrom } from './cookie-option.js'
import { type Clock, systemClock } from './core/clock.js'
import { type LifetimeSettings, LONGEST_TIME } from './core/lifetime.js'
import type { ExpressSessionStore } from './core/old-store.js'
import type { Store } from './core/store.js'
import { isTokenStore, type TokenStore } from './core/token-store.js'
import type { UserOf } from './core/user.js'
import { OptionError } from './errors.js'
import { type FromOptions, type FromSettings, fromOption } from './from-option.js'
import type { Bearer } from './http/bearer.js'
import type { RequestLike } from './http/secure-request.js'
import type { CookieAttributes } from './http/session-cookie.js'
import { hasMethod, kind } from './kind.js'
import { oneOf, optional, refuseUnknown } from './option-checks.js'
import { storeFrom, textStoreFrom } from './store-option.js'
import { transportFrom } from './transport/option.js'

/** Options of `session()` with a store: the client has a signed id. Times are in milliseconds. */
export interface SessionOptions<
  Data extends object = Record<string, unknown>,
  Name extends string = string,
> extends CommonOptions<Data, Name> {
  /**
   * Signs the id in the cookie. One, or several with the newest first: all verify, the newest signs,
   * and cookies of older ones are sent again. Each of at least 32 bytes.
   */
  secret: string | readonly string[]
  /**
   * Where records are kept: a store of this package, one of your own, or any made for
   * express-session.
   * @default new MemoryStore(), which forgets on restart
   */
  store?: Store | ExpressSessionStore
  /** Not there: the cookie has an id, which is small. */
  chunks?: never
}

/** Options of `session()` whose clients have the sessions, in tokens that only the store can make. */
export interface TokenSessionOptions<
  Data extends object = Record<string, unknown>,
  Name extends string = string,
> extends CommonOptions<Data, Name> {
  /** `new CookieStore({ keys })` or `new JwtStore({ keys })`. */
  store: TokenStore
  /** Not there: a token store has keys of its own. */
  secret?: never
  /**
   * Cookies that one session may take, each of at most 4096 bytes: one that is too large for its own
   * is cut into `name.0` to `name.3`. Servers and proxies limit what a request may carry.
   * @default 1
   */
  chunks?: 1 | 2 | 3 | 4
  /**
   * Keeps which sessions were ended before their tokens: then a sign-out ends every copy of a token,
   * and `revoke` and `revokeUser` work. Any store of this package; one for all nodes.
   * @default none: `destroy` forgets on the one client that asked
   */
  revocations?: Store
  /**
   * Keeps the sessions that are too large for their tokens, for the rest of their lives. Any store
   * of this package; one for all nodes.
   * @default none: such a session is an error
   */
  overflow?: Store
}

/** Options of `session()` with every kind of store. */
export interface CommonOptions<
  Data extends object = Record<string, unknown>,
  Name extends string = string,
> {
  /** Fixed attributes, or made for each request. */
  cookie?: CookieOptions<Name> | ((req: RequestLike) => CookieOptions | Promise<CookieOptions>)
  /** Ends a session this many ms after its last request; false: never. @default 86_400_000 (24 h) */
  idleTimeout?: number | false
  /** Ends a session this many ms after sign-in or creation; false: never. @default 2_592_000_000 (30 d) */
  absoluteTimeout?: number | false
  /**
   * Whose session it is, from data as stored. A change of it renews the id.
   * @default finds `userId`, `uid`, `user.id`, `user._id`, `user.username`, `user.email`, `user`,
   * `passport.user`, `username`, `email`
   */
  user?: (data: Partial<Data>) => unknown
  /**
   * Two requests that change different keys keep both. The same key: `'merge'`, the later one wins;
   * `'strict'`, it fails with 409; `'overwrite'`, the later one writes the whole record.
   * @default 'merge'
   */
  concurrency?: 'merge' | 'strict' | 'overwrite'
  /** Bounds each load and each commit with its retries, in ms. @default 2_000 */
  storeTimeout?: number
  /**
   * When a session cannot be loaded: `'fail'` gives 503; `'anonymous'` goes on with an empty
   * read-only session, so that public pages stay up.
   * @default 'fail'
   */
  onStoreError?: 'fail' | 'anonymous'
  /** Bytes of a response held while the store answers, before a warning. @default 65_536 */
  maxHeldBytes?: number
  /** How tokens travel: `bearer()`, in `Authorization`. @default in a cookie */
  transport?: Bearer
  /** For hosts without Express's own setting: believe X-Forwarded-Proto. @default false */
  trustProxy?: boolean
  /** Where on `req` the session is, for several on one request. @default 'session' */
  property?: string
  /** The old cookies and records to take over, each once. @default none */
  from?: FromOptions
  /** Time, for tests. @default the machine's */
  clock?: Clock
}

/** Options, complete and checked: what the engine works with. */
export interface Settings {
  readonly secrets: readonly string[]
  readonly store: Store | TokenStore
  readonly cookie: CookieAttributes | ((req: RequestLike) => Promise<CookieAttributes>)
  readonly lifetime: LifetimeSettings
  readonly userOf: UserOf | undefined
  readonly concurrency: 'merge' | 'strict' | 'overwrite'
  readonly storeTimeout: number
  readonly onStoreError: 'fail' | 'anonymous'
  readonly maxHeldBytes: number
  /** Cookies that one token may take. */
  readonly chunks: number
  /** undefined: a cookie carries the token. */
  readonly bearer: Bearer | undefined
  readonly trustProxy: boolean
  readonly property: string
  readonly from: FromSettings | undefined
  /** Both only with a token store. */
  readonly revocations: Store | undefined
  readonly overflow: Store | undefined
  readonly clock: Clock
}

const DAY = 24 * 60 * 60 * 1000
const SECRET_BYTES = 32
/** Timers of Node with a longer time run at once. */
const LONGEST_TIMER = 2 ** 31 - 1

/** Checks and completes options. @throws OptionError naming option, value and what is allowed */
export function settingsFrom<Data extends object>(
  options: SessionOptions<Data> | TokenSessionOptions<Data>,
): Settings {
  if (typeof options !== 'object' || options === null) {
    throw new OptionError('session() takes an object of options; at least { secret } is needed.')
  }
  // app.use(session), without a call: the options are a request.
  if ('headers' in options) {
    throw new OptionError(
      'session was given a request: it makes the middleware, app.use(session({ secret })).',
    )
  }
  refuseUnknown(options, KNOWN, LEGACY)
  const idle = timeout('idleTimeout', options.idleTimeout, DAY)
  const absolute = timeout('absoluteTimeout', options.absoluteTimeout, 30 * DAY)
  if (idle === null && absolute === null) {
    throw new OptionError(
      'idleTimeout and absoluteTimeout cannot both be false: a session must end.',
    )
  }
  const clock = clockFrom(options.clock)
  const { cookie } = options
  const storeTimeout = positive('storeTimeout', options.storeTimeout, 2_000, LONGEST_TIMER)
  const tokens = isTokenStore(options.store) ? options.store : undefined
  if (tokens !== undefined && options.secret !== undefined) {
    throw new OptionError('The option secret is not used: this store has keys of its own.')
  }
  const bearer = transportFrom(options.transport)
  const store = tokens ?? storeFrom(options.store, { clock, patience: storeTimeout })
  const from = fromOption(options.from, options.store ?? store)
  if (bearer !== undefined && from !== undefined) {
    throw new OptionError(
      'The option from does not go with transport: it reads cookies, which other sites can have sent.',
    )
  }
  return {
    secrets: tokens === undefined ? secretsFrom(options.secret) : [],
    store,
    cookie:
      typeof cookie === 'function'
        ? async (req) => cookieFrom(await cookie(req))
        : cookieFrom(cookie === undefined ? {} : cookie),
    lifetime: { idleTimeout: idle, absoluteTimeout: absolute },
    userOf: optional('user', options.user, 'function') as UserOf | undefined,
    concurrency: oneOf('concurrency', options.concurrency, ['merge', 'strict', 'overwrite']),
    storeTimeout,
    onStoreError: oneOf('onStoreError', options.onStoreError, ['fail', 'anonymous']),
    maxHeldBytes: positive('maxHeldBytes', options.maxHeldBytes, 65_536, Number.MAX_SAFE_INTEGER),
    bearer,
    chunks: chunksFrom(options.chunks, tokens === undefined ? 'store' : bearer && 'transport'),
    trustProxy: optional('trustProxy', options.trustProxy, 'boolean') ?? false,
    property: propertyFrom(options.property),
    from,
    revocations: besideTokens('revocations', options, tokens),
    overflow: besideTokens('overflow', options, tokens),
    clock,
  }
}

const KNOWN = new Set([
  'secret',
  'store',
  'cookie',
  'idleTimeout',
  'absoluteTimeout',
  'user',
  'concurrency',
  'storeTimeout',
  'onStoreError',
  'maxHeldBytes',
  'transport',
  'chunks',
  'trustProxy',
  'property',
  'from',
  'revocations',
  'overflow',
  'clock',
])

/** Options of express-session, and what takes their place. */
const LEGACY: Readonly<Record<string, string>> = {
  resave: 'nothing is needed: only changes are stored',
  saveUninitialized: 'nothing is needed: a session without data is not stored',
  rolling: 'idleTimeout slides by itself; see also cookie.persistent',
  unset: 'use req.session.destroy(), or req.session = null',
  genid: 'nothing is needed: ids are random, and list(user) finds the sessions of a user',
  proxy: "use Express's trust proxy or the option trustProxy, and cookie.secure",
  name: 'use cookie.name',
  key: 'use cookie.name',
}

function secretsFrom(secret: unknown): readonly string[] {
  // Copied: forEach passes over the holes of a list.
  const secrets: readonly unknown[] = Array.isArray(secret) ? [...secret] : [secret]
  const how = 'Make one with: npx coatcheck secret'
  if (secret === undefined || secrets.length === 0) {
    throw new OptionError(`The option secret is missing; it signs the cookie. ${how}`)
  }
  secrets.forEach((one, index) => {
    const which = Array.isArray(secret) ? `secret[${index}]` : 'secret'
    if (typeof one !== 'string') {
      throw new OptionError(`The option ${which} is ${kind(one)}; it takes a string. ${how}`)
    }
    const bytes = Buffer.byteLength(one)
    if (bytes < SECRET_BYTES) {
      throw new OptionError(
        `The option ${which} has ${bytes} bytes; it takes ${SECRET_BYTES} or more. ${how}`,
      )
    }
  })
  return secrets as readonly string[]
}

function chunksFrom(chunks: unknown, unfit: 'store' | 'transport' | undefined): number {
  if (chunks === undefined) return 1
  if (unfit !== undefined) {
    throw new OptionError(
      unfit === 'store'
        ? 'The option chunks needs a store that keeps sessions in cookies, such as CookieStore.'
        : 'The option chunks is of cookies, and transport: bearer() has none.',
    )
  }
  if (chunks === 1 || chunks === 2 || chunks === 3 || chunks === 4) return chunks
  throw new OptionError(
    `The option chunks is ${typeof chunks === 'number' ? chunks : kind(chunks)}; it takes 1, 2, 3 or 4.`,
  )
}

/** A store that stands beside a token store. */
function besideTokens(
  name: 'revocations' | 'overflow',
  options: object,
  tokens: TokenStore | undefined,
): Store | undefined {
  const given: unknown = Reflect.get(options, name)
  if (given === undefined) return undefined
  if (tokens !== undefined) return textStoreFrom(name, given)
  throw new OptionError(
    `The option ${name} is for sessions that travel in their tokens, with CookieStore or JwtStore; this store keeps them itself.`,
  )
}

function propertyFrom(property: unknown): string {
  if (property === undefined) return 'session'
  if (typeof property === 'string' && property !== '' && property !== '__proto__') return property
  throw new OptionError(`The option property is ${kind(property)}; it takes a name on req.`)
}

function clockFrom(clock: unknown): Clock {
  if (clock === undefined) return systemClock
  const methods = ['now', 'setTimeout', 'clearTimeout']
  const lacking = methods.filter((method) => !hasMethod(clock, method))
  if (lacking.length === 0) return clock as Clock
  throw new OptionError(
    `The option clock is ${kind(clock)} without ${lacking.join(', ')}; it takes a clock, such as new FakeClock().`,
  )
}

function timeout(name: string, value: unknown, standard: number): number | null {
  if (value === false) return null
  return positive(name, value, standard, LONGEST_TIME, ', or false for never')
}

function positive(name: string, value: unknown, standard: number, most: number, or = ''): number {
  if (value === undefined) return standard
  if (typeof value === 'number' && value > 0 && value <= most) return value
  throw new OptionError(
    `The option ${name} is ${typeof value === 'number' ? value : kind(value)}; it takes a number above 0, up to ${most}${or}.`,
  )
}
