import { stringifySetCookie } from 'cookie'
import type { RequestLike } from './secure-request.js'

/** Attributes of the session cookie, complete and checked. */
export interface CookieAttributes {
  /** Replaces the default names. */
  readonly name: string | undefined
  readonly path: string
  readonly domain: string | undefined
  readonly sameSite: 'lax' | 'strict' | 'none'
  readonly secure: 'auto' | boolean
  readonly httpOnly: boolean
  readonly partitioned: boolean
  readonly priority: 'low' | 'medium' | 'high' | undefined
  readonly persistent: boolean
}

/** A token that a request carried, and whether it came under the name of secure requests. */
export interface ReceivedToken {
  readonly token: string
  readonly secure: boolean
  /** What it may be instead, in this order, if it opens nothing: see `cookie-chunks.ts`. */
  readonly others?: readonly string[]
}

/**
 * Browsers compare the prefixes without case, and keep such a cookie only with Secure
 * (RFC 6265bis, section 4.1.3); with `__Http-` and `__Host-Http-` only with HttpOnly too
 * (draft-ietf-httpbis-layered-cookies).
 */
export const PREFIXED = /^__(?:host-(?:http-)?|secure-|http-)/i

/**
 * The name on secure requests. The prefixes make browsers refuse such a cookie from anybody but
 * this host over TLS (RFC 6265bis, section 4.1.3).
 */
export function secureName({ name, domain, path }: CookieAttributes): string {
  return name ?? (domain === undefined && path === '/' ? '__Host-sid' : '__Secure-sid')
}

export function plainName({ name }: CookieAttributes): string {
  return name ?? 'sid'
}

/** What tokens of this cookie are for: its name without a prefix, the same for http and https. */
export function audienceOf(attributes: CookieAttributes): string {
  return plainName(attributes).replace(PREFIXED, '')
}

export function cookieHeader({ headers: { cookie } }: RequestLike): string | undefined {
  // HTTP/2 clients may split the header (RFC 9113, section 8.2.3).
  return Array.isArray(cookie) ? cookie.join('; ') : cookie
}

/** Adds the tokens that came under one name. */
export type TokenReader = (
  found: ReceivedToken[],
  header: string,
  name: string,
  secure: boolean,
) => void

const readWhole: TokenReader = (found, header, name, secure) => {
  for (const token of cookieValues(header, name)) found.push({ token, secure })
}

/**
 * The tokens a request carries, most trusted name first.
 *
 * @param secure the request is known to be secure. Then only the prefixed name is read: a plain
 * `sid` can be planted from http or a sibling host.
 */
export function readTokens(
  header: string | undefined,
  attributes: CookieAttributes,
  secure: boolean,
  read: TokenReader = readWhole,
): ReceivedToken[] {
  if (header === undefined) return []
  const strict = secureName(attributes)
  const plain = plainName(attributes)
  const found: ReceivedToken[] = []
  if (attributes.secure !== false) {
    const asSecure = secure || attributes.secure === true
    const isSecure = asSecure || PREFIXED.test(strict)
    read(found, header, strict, isSecure)
    if (asSecure || strict === plain) return found
  }
  read(found, header, plain, false)
  return found
}

/**
 * All distinct values of one cookie name. Browsers order same-name cookies by path length and age
 * (RFC 6265, section 5.4), so a stale one may stand before the live one.
 */
export function cookieValues(header: string, name: string): Set<string> {
  const values = new Set<string>()
  let at = header.indexOf(name)
  while (at !== -1) {
    const after = at + name.length
    if (header[after] === '=' && isStart(header, at)) {
      const end = header.indexOf(';', after)
      const raw = header.slice(after + 1, end === -1 ? undefined : end).trim()
      const value = raw.length > 1 && raw[0] === '"' && raw.endsWith('"') ? raw.slice(1, -1) : raw
      if (value !== '') values.add(value)
    }
    at = header.indexOf(name, after)
  }
  return values
}

/** Whether a cookie pair starts here: at the beginning, or behind a semicolon and white space. */
function isStart(header: string, at: number): boolean {
  let before = at - 1
  while (before >= 0 && (header[before] === ' ' || header[before] === '\t')) before--
  return before < 0 || header[before] === ';'
}

/** How one response sends the cookie: the same for setting and for clearing it. */
export interface CookieForm {
  readonly name: string
  readonly secure: boolean
  readonly sameSite: 'lax' | 'strict' | 'none'
  readonly partitioned: boolean
}

/**
 * The form of the cookie on this response.
 * @param secure the request is known to be secure, or carried the cookie of secure requests
 */
export function formOf(attributes: CookieAttributes, secure: boolean): CookieForm {
  const isPrefixed = PREFIXED.test(attributes.name ?? '')
  const asSecure =
    attributes.secure === true || (attributes.secure === 'auto' && (secure || isPrefixed))
  return {
    name: asSecure ? secureName(attributes) : plainName(attributes),
    secure: asSecure,
    // SameSite=None without Secure is rejected by browsers.
    sameSite: attributes.sameSite === 'none' && !asSecure ? 'lax' : attributes.sameSite,
    partitioned: attributes.partitioned && asSecure,
  }
}

/** The Set-Cookie line that carries `token`. @param life in ms; undefined: until the browser ends */
export function setLine(
  attributes: CookieAttributes,
  form: CookieForm,
  token: string,
  life: number | undefined,
  now: number,
): string {
  if (life === undefined) return line(attributes, form, token, undefined)
  // Rounded up together, so that Max-Age and Expires name the same second.
  const expires = Math.ceil((now + life) / 1000) * 1000
  const maxAge = Math.ceil(life / 1000)
  return line(attributes, form, token, { maxAge, expires: new Date(expires) })
}

/** The line that deletes the cookie: same name, domain, path, Secure and Partitioned as it was set. */
export function clearLine(attributes: CookieAttributes, form: CookieForm): string {
  return line(attributes, form, '', { maxAge: 0, expires: new Date(0) })
}

/** A cookie of express-session or cookie-session, as it was set. */
export interface OldCookie {
  readonly name: string
  readonly path: string
  readonly domain: string | undefined
  readonly secure: boolean
  readonly partitioned: boolean
}

/** The line that deletes such a cookie, whose session has another one now. */
export function clearOldLine({ name, path, domain, secure, partitioned }: OldCookie): string {
  const place = { path, httpOnly: true, ...(domain === undefined ? {} : { domain }) }
  const dates = { maxAge: 0, expires: new Date(0) }
  const asSecure = secure || PREFIXED.test(name)
  return stringifySetCookie({ name, value: '', ...place, secure: asSecure, partitioned, ...dates })
}

function line(
  { path, domain, httpOnly, priority }: CookieAttributes,
  { name, secure, sameSite, partitioned }: CookieForm,
  value: string,
  dates: { maxAge: number; expires: Date } | undefined,
): string {
  return stringifySetCookie(
    {
      name,
      value,
      path,
      httpOnly,
      secure,
      sameSite,
      partitioned,
      ...(domain === undefined ? {} : { domain }),
      ...(priority === undefined ? {} : { priority }),
      ...dates,
    },
    { encode: (text) => text },
  )
}
