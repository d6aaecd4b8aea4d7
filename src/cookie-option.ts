import { OptionError } from './errors.js'
import { BEARER_AUDIENCE } from './http/bearer.js'
import { audienceOf, type CookieAttributes, PREFIXED } from './http/session-cookie.js'
import { kind } from './kind.js'
import { oneOf, optional, refuseUnknown } from './option-checks.js'

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
  if (audienceOf(attributes) === BEARER_AUDIENCE) {
    throw new OptionError(
      `cookie.name '${name}' is what tokens of bearer() are for, which would be as good in this cookie.`,
    )
  }
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
