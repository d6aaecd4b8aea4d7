import { type Clock, systemClock } from './core/clock.js'
import { type LifetimeSettings, LONGEST_TIME } from './core/lifetime.js'
import type { ExpressSessionStore } from './core/old-store.js'
import type { Store } from './core/store.js'
import type { UserOf } from './core/user.js'
import { OptionError } from './errors.js'
import type { RequestLike } from './http/secure-request.js'
import { type CookieAttributes, PREFIXED } from './http/session-cookie.js'
import { hasMethod, kind } from './kind.js'
import { storeFrom } from './store-option.js'

/**
 * Attributes of the session cookie. Browsers refuse a name with a prefix (RFC 6265bis, section 5.7)
 * beside attributes that break its promise; where the compiler sees the name, so does it.
 */
export type CookieOptions<Name extends string = string> = {
  /**
   * Replaces the default names: `__Host-sid` on secure requests (`__Secure-sid` with a domain or
   * another path), `sid` on plain http.
   */
  name?: Name
  /** @default '/' */
  path?: string
  /** Sends the cookie to sub-domains too. Any of them can then plant one. @default the host alone */
  domain?: string
  /** Whether scripts are kept from reading it. False gives every XSS the session. @default true */
  httpOnly?: boolean
  /** @default none sent; browsers take it as medium */
  priority?: 'low' | 'medium' | 'high'
  /** Survives the end of the browser, up to the absolute timeout and 400 days. @default false */
  persistent?: boolean
} & (
  | {
      /**
       * `'auto'`: Secure if the request is known to be secure. `true`: always, also where TLS ends
       * at a proxy. `false`: never.
       * @default 'auto'
       */
      secure?: 'auto' | true
      /** `'none'` sends it on cross-site requests too, and needs Secure. @default 'lax' */
      sameSite?: 'lax' | 'strict' | 'none'
      /** One cookie jar per top-level site (CHIPS), for embedded pages. @default false */
      partitioned?: boolean
    }
  | { secure: false; sameSite?: 'lax' | 'strict'; partitioned?: false }
) &
  Promised<Lowercase<Name>>

/** What a name promises. A name that is only known at run time is checked then. */
type Promised<Name extends string> = (Name extends `__host-${string}`
  ? { path?: '/'; domain?: never; secure?: 'auto' | true }
  : Name extends `__secure-${string}` | `__http-${string}`
    ? { secure?: 'auto' | true }
    : unknown) &
  (Name extends `__http-${string}` | `__host-http-${string}` ? { httpOnly?: true } : unknown)

/** Options of `session()`. Times are in milliseconds. */
export interface SessionOptions<
  Data extends object = Record<string, unknown>,
  Name extends string = string,
> {
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
  /** Fixed attributes, or made for each request. */
  cookie?: CookieOptions<Name> | ((req: RequestLike) => CookieOptions | Promise<CookieOptions>)
  /** Ends a session this long after its last request; false: never. @default 86_400_000 (24 h) */
  idleTimeout?: number | false
  /** Ends a session this long after login or creation; false: never. @default 2_592_000_000 (30 d) */
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
  /** Bounds each load and each commit with its retries. @default 2_000 */
  storeTimeout?: number
  /**
   * When a session cannot be loaded: `'fail'` gives 503; `'anonymous'` goes on with an empty
   * read-only session, so that public pages stay up.
   * @default 'fail'
   */
  onStoreError?: 'fail' | 'anonymous'
  /** Bytes of a response held while the store answers, before a warning. @default 65_536 */
  maxHeldBytes?: number
  /** For hosts without Express's own setting: believe X-Forwarded-Proto. @default false */
  trustProxy?: boolean
  /** Where on `req` the session is, for several on one request. @default 'session' */
  property?: string
  /** Time, for tests. @default the machine's */
  clock?: Clock
}

/** Options, complete and checked: what the engine works with. */
export interface Settings {
  readonly secrets: readonly string[]
  readonly store: Store
  readonly cookie: CookieAttributes | ((req: RequestLike) => Promise<CookieAttributes>)
  readonly lifetime: LifetimeSettings
  readonly userOf: UserOf | undefined
  readonly concurrency: 'merge' | 'strict' | 'overwrite'
  readonly storeTimeout: number
  readonly onStoreError: 'fail' | 'anonymous'
  readonly maxHeldBytes: number
  readonly trustProxy: boolean
  readonly property: string
  readonly clock: Clock
}

const DAY = 24 * 60 * 60 * 1000
const SECRET_BYTES = 32
/** Timers of Node with a longer time run at once. */
const LONGEST_TIMER = 2 ** 31 - 1

/** Checks and completes options. @throws OptionError naming option, value and what is allowed */
export function settingsFrom<Data extends object>(options: SessionOptions<Data>): Settings {
  if (typeof options !== 'object' || options === null) {
    throw new OptionError('session() takes an object of options; at least { secret } is needed.')
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
  return {
    secrets: secretsFrom(options.secret),
    store: storeFrom(options.store, { clock, patience: storeTimeout }),
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
    trustProxy: optional('trustProxy', options.trustProxy, 'boolean') ?? false,
    property: propertyFrom(options.property),
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
  'trustProxy',
  'property',
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

const COOKIE_KNOWN = new Set([
  'name',
  'path',
  'domain',
  'sameSite',
  'secure',
  'httpOnly',
  'partitioned',
  'priority',
  'persistent',
])

const COOKIE_LEGACY: Readonly<Record<string, string>> = {
  maxAge: 'use idleTimeout and absoluteTimeout, and cookie.persistent to survive the browser',
  expires: 'use idleTimeout and absoluteTimeout, and cookie.persistent to survive the browser',
  originalMaxAge: 'use idleTimeout and absoluteTimeout',
  signed: 'nothing is needed: the id is always signed',
  overwrite: 'nothing is needed: the cookie is sent once',
}

function refuseUnknown(
  options: object,
  known: ReadonlySet<string>,
  legacy: Readonly<Record<string, string>>,
  prefix = '',
): void {
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue
    const instead = Object.hasOwn(legacy, name) ? legacy[name] : undefined
    throw new OptionError(
      instead === undefined
        ? `Unknown option ${prefix}${name}; there are ${[...known].join(', ')}.`
        : `The option ${prefix}${name} is one of express-session: here ${instead}.`,
    )
  }
}

function secretsFrom(secret: unknown): readonly string[] {
  // Copied: forEach passes over the holes of a list.
  const secrets: readonly unknown[] = Array.isArray(secret) ? [...secret] : [secret]
  const how = `Make one with: node -p "require('crypto').randomBytes(32).toString('base64url')"`
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

function oneOf<const T extends string>(
  name: string,
  value: unknown,
  allowed: readonly [T, ...T[]],
): T {
  if (value === undefined) return allowed[0]
  if (allowed.includes(value as T)) return value as T
  throw new OptionError(
    `The option ${name} is ${typeof value === 'string' ? `'${value}'` : kind(value)}; it takes ${allowed.map((one) => `'${one}'`).join(', ')}.`,
  )
}

function optional<T>(name: string, value: T | undefined, type: 'boolean' | 'function' | 'string') {
  if (value === undefined || typeof value === type) return value
  throw new OptionError(`The option ${name} is ${kind(value)}; it takes a ${type}.`)
}

/** RFC 9110, section 5.6.2: a token. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/**
 * RFC 6265, section 4.1.1: no controls, no semicolon; browsers cut white space off the end. The
 * package that writes the line also refuses `<`, which would only show when a cookie is sent.
 */
const PATH = /^\/(?:[\x20-\x3a\x3d-\x7e]*[\x21-\x3a\x3d-\x7e])?$/
/** RFC 1035, section 2.3.4: a label has at most 63 characters. */
const DOMAIN =
  /^\.?[0-9a-z](?:[0-9a-z-]{0,61}[0-9a-z])?(?:\.[0-9a-z](?:[0-9a-z-]{0,61}[0-9a-z])?)*$/i
/** RFC 6265bis, section 5.5: browsers ignore an attribute that is longer. */
const LONGEST_ATTRIBUTE = 1024

/** Checks and completes the attributes of the cookie. */
export function cookieFrom(options: CookieOptions): CookieAttributes {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new OptionError(
      `The option cookie is ${kind(options)}; it takes an object or a function.`,
    )
  }
  refuseUnknown(options, COOKIE_KNOWN, COOKIE_LEGACY, 'cookie.')
  const name = optional('cookie.name', options.name, 'string')
  const path = optional('cookie.path', options.path, 'string') ?? '/'
  const domain = optional('cookie.domain', options.domain, 'string')
  const secure = options.secure === undefined ? 'auto' : options.secure
  if (secure !== 'auto' && typeof secure !== 'boolean') {
    throw new OptionError(
      `The option cookie.secure is ${kind(secure)}; it takes 'auto', true, false.`,
    )
  }
  const attributes: CookieAttributes = {
    name,
    path,
    domain,
    secure,
    sameSite: oneOf('cookie.sameSite', options.sameSite, ['lax', 'strict', 'none']),
    httpOnly: optional('cookie.httpOnly', options.httpOnly, 'boolean') ?? true,
    partitioned: optional('cookie.partitioned', options.partitioned, 'boolean') ?? false,
    persistent: optional('cookie.persistent', options.persistent, 'boolean') ?? false,
    priority:
      options.priority === undefined
        ? undefined
        : oneOf('cookie.priority', options.priority, ['low', 'medium', 'high']),
  }
  matches('cookie.name', name, TOKEN, "letters, digits and !#$%&'*+-.^_`|~")
  matches(
    'cookie.path',
    path,
    PATH,
    'a path that starts with / and has no control character, ; or <',
  )
  matches('cookie.domain', domain, DOMAIN, 'a host name')
  refuseImpossible(attributes)
  return attributes
}

function matches(option: string, value: string | undefined, form: RegExp, allowed: string): void {
  if (value === undefined) return
  if (!form.test(value)) {
    throw new OptionError(`The option ${option} is ${JSON.stringify(value)}; it takes ${allowed}.`)
  }
  if (value.length > LONGEST_ATTRIBUTE) {
    throw new OptionError(`The option ${option} has ${value.length} bytes; browsers take 1024.`)
  }
}

/** Cookies that every browser rejects, so that the mistake shows at start and not in production. */
function refuseImpossible({
  name = '',
  path,
  domain,
  secure,
  sameSite,
  partitioned,
  httpOnly,
}: CookieAttributes) {
  const prefix = PREFIXED.exec(name)?.[0].toLowerCase() ?? ''
  const isOfHost = prefix.startsWith('__host-')
  if (prefix !== '' && secure === false) {
    throw new OptionError(`cookie.name '${name}' needs Secure, and cookie.secure is false.`)
  }
  if (prefix.endsWith('http-') && !httpOnly) {
    throw new OptionError(`cookie.name '${name}' needs HttpOnly, and cookie.httpOnly is false.`)
  }
  if (isOfHost && domain !== undefined) {
    throw new OptionError(
      `cookie.name '${name}' allows no cookie.domain; use the prefix __Secure-.`,
    )
  }
  if (isOfHost && path !== '/') {
    throw new OptionError(`cookie.name '${name}' needs cookie.path '/'; use the prefix __Secure-.`)
  }
  if (secure === false && sameSite === 'none') {
    throw new OptionError("cookie.sameSite 'none' needs Secure, and cookie.secure is false.")
  }
  if (secure === false && partitioned) {
    throw new OptionError('cookie.partitioned needs Secure, and cookie.secure is false.')
  }
}
