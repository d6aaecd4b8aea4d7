import { type Clock, systemClock } from '../core/clock.js'
import type { OldPolicy } from '../core/commit-plan.js'
import { LONGEST_TIME } from '../core/lifetime.js'
import type { ExpressSessionStore } from '../core/old-store.js'
import type { Store as TextStore } from '../core/store.js'
import type { UserOf } from '../core/user.js'
import { OptionError } from '../errors.js'
import { kind } from '../kind.js'
import { sortOf } from '../store-option.js'
import type { Anything } from './anything.js'
import { Clocks } from './clocks.js'
import type { CookieOptions } from './cookie.js'
import { IdCookie, type Secret } from './id-cookie.js'
import { LegacyStore } from './legacy-store.js'
import { MemoryStore } from './memory-store.js'
import type { Request } from './request.js'
import type { Store } from './store.js'

/** Options of `session()`: those of express-session 1.19 with their defaults, and a few more. */
export interface SessionOptions {
  /** Signs the cookie; of several the newest, first, and all are accepted. @default req.secret */
  secret?: Secret | readonly Secret[] | undefined
  /** Any store made for express-session, or a store of this package. @default new MemoryStore() */
  store?: ExpressSessionStore | TextStore | undefined
  /** Attributes of the cookie, or what gives them for a request. */
  cookie?: CookieOptions | ((req: Anything) => CookieOptions) | undefined
  /** The name of the cookie. @default 'connect.sid' */
  name?: string | undefined
  /** Another word for `name`. */
  key?: string | undefined
  /** Makes an id. One that another session has is an error. @default 24 random bytes, base64url */
  genid?: ((req: Anything) => string | Promise<string>) | undefined
  /** Whether X-Forwarded-Proto is believed. @default as Express's setting `trust proxy` says */
  proxy?: boolean | undefined
  /** Stores a session that has not changed too. @default true, and a deprecation */
  resave?: boolean | undefined
  /** Sends the cookie with every response. @default false */
  rolling?: boolean | undefined
  /** Stores new sessions without data too. @default true, and a deprecation */
  saveUninitialized?: boolean | undefined
  /** What happens to the record when `req.session` was deleted or set to null. @default 'keep' */
  unset?: 'destroy' | 'keep' | undefined
  /**
   * How long the store may take for each operation, in ms. Past it a request fails instead of
   * hanging.
   * @default 30000
   */
  storeTimeout?: number | undefined
  /** Whether a session that ends takes its cookie out of the browser. @default false */
  clearOnDestroy?: boolean | undefined
  /**
   * What happens if a session cannot be stored. `'respond'`: the response leaves as it is, then the
   * error goes to `next`. `'fail'`: the error takes the place of the response.
   * @default 'respond'
   */
  onStoreError?: 'respond' | 'fail' | undefined
  /**
   * Keeps records under the SHA-256 of their ids, so that a stolen database signs nobody in. Records
   * from before are found, and moved. Processes without it do not find those that were moved.
   * @default false
   */
  hashIds?: boolean | undefined
  /**
   * Whose session it is, from its data: when that changes, the session gets a new id before the
   * response leaves, and `list` and `revokeUser` know it. @default nobody looks
   */
  user?: UserOf | undefined
  /** Ends a session this long after its last use, in ms, whatever its cookie says. @default never */
  idleTimeout?: number | undefined
  /** Ends a session this long after it began, in ms, however much it is used. @default never */
  absoluteTimeout?: number | undefined
  /** The clock of timeouts, for tests. @default the system's */
  clock?: Clock | undefined
}

/** Options, complete and checked. */
export interface Settings {
  readonly store: Store
  readonly cookie: CookieOptions | ((req: Request) => CookieOptions)
  /** undefined: `req.secret` signs. */
  readonly idCookie: IdCookie | undefined
  readonly name: string
  readonly genid: ((req: Request) => string | Promise<string>) | undefined
  readonly proxy: boolean | undefined
  readonly policy: OldPolicy
  readonly destroysUnset: boolean
  readonly clearsCookie: boolean
  readonly failsInstead: boolean
  readonly storeTimeout: number
  readonly hashesIds: boolean
  readonly userOf: UserOf | undefined
  /** undefined: the cookie and the store decide alone. */
  readonly clocks: Clocks | undefined
  readonly clock: Clock
  /** Ways of old that this program uses. */
  readonly deprecated: readonly string[]
  readonly weakSecret: boolean
  readonly missingStore: boolean
  readonly keepsInMemory: boolean
}

/** Characters. Shorter secrets are words and phrases, which one cookie is enough to guess. */
const STRONG_SECRET = 16

/** @throws TypeError for an option that cannot be meant */
export function settingsFrom(options: SessionOptions): Settings {
  const deprecated: string[] = []
  const { genid, unset } = options
  if (genid && typeof genid !== 'function') throw new TypeError('genid option must be a function')
  if (options.resave === undefined) {
    deprecated.push('undefined resave option; provide resave option')
  }
  if (options.saveUninitialized === undefined) {
    deprecated.push('undefined saveUninitialized option; provide saveUninitialized option')
  }
  if (unset && unset !== 'destroy' && unset !== 'keep') {
    throw new TypeError('unset option must be "destroy" or "keep"')
  }
  const secrets = secretsFrom(options.secret)
  if (secrets === undefined) deprecated.push('req.secret; provide secret option')
  const name = options.name || options.key || 'connect.sid'
  const store = storeFrom(options)
  const clock = options.clock ?? systemClock
  return {
    store,
    keepsInMemory: store instanceof MemoryStore,
    cookie: options.cookie || {},
    idCookie: secrets && new IdCookie(name, secrets),
    name,
    genid: genid || undefined,
    proxy: options.proxy,
    policy: {
      resave: options.resave === undefined || Boolean(options.resave),
      saveUninitialized:
        options.saveUninitialized === undefined || Boolean(options.saveUninitialized),
      rolling: Boolean(options.rolling),
    },
    destroysUnset: unset === 'destroy',
    clearsCookie: Boolean(options.clearOnDestroy),
    failsInstead: oneOf('onStoreError', options.onStoreError, ['respond', 'fail']) === 'fail',
    // Longer ones a timer of Node takes for 1 ms.
    storeTimeout: Math.min(timeFrom('storeTimeout', options.storeTimeout, 30_000), 2 ** 31 - 1),
    hashesIds: Boolean(options.hashIds),
    userOf: userFrom(options.user),
    clocks: clocksFrom(options, clock),
    clock,
    deprecated,
    weakSecret: (secrets ?? []).some(
      (secret) => typeof secret === 'string' && secret.length < STRONG_SECRET,
    ),
    // A factory called without `new` gives nothing, and nobody notices.
    missingStore: Object.hasOwn(options, 'store') && !options.store,
  }
}

function secretsFrom(secret: SessionOptions['secret']): readonly Secret[] | undefined {
  if (Array.isArray(secret)) {
    if (secret.length === 0) {
      throw new TypeError('secret option array must contain one or more strings')
    }
    return [...secret]
  }
  return secret ? [secret as Secret] : undefined
}

function storeFrom({ store }: SessionOptions): Store {
  if (!store) return new MemoryStore()
  return sortOf(store) === 'texts' ? new LegacyStore(store as TextStore) : (store as Store)
}

function userFrom(user: unknown): UserOf | undefined {
  if (user === undefined || typeof user === 'function') return user as UserOf | undefined
  throw new OptionError(`The option user is ${kind(user)}; it takes a function of the data.`)
}

function clocksFrom(
  { idleTimeout, absoluteTimeout }: SessionOptions,
  clock: Clock,
): Clocks | undefined {
  if (idleTimeout === undefined && absoluteTimeout === undefined) return undefined
  const idle = timeFrom('idleTimeout', idleTimeout, Number.POSITIVE_INFINITY)
  const absolute = timeFrom('absoluteTimeout', absoluteTimeout, Number.POSITIVE_INFINITY)
  return new Clocks(idle, absolute, clock)
}

function oneOf<Choice extends string>(
  name: string,
  given: Choice | undefined,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  if (given === undefined) return choices[0]
  if (choices.includes(given)) return given
  throw new OptionError(
    `The option ${name} takes ${choices.map((one) => `'${one}'`).join(' or ')}.`,
  )
}

function timeFrom(name: string, given: number | undefined, usual: number): number {
  if (given === undefined) return usual
  if (typeof given === 'number' && given > 0 && given <= LONGEST_TIME) return given
  throw new OptionError(`The option ${name} is ${kind(given)}; it takes milliseconds above 0.`)
}
