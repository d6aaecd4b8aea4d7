import { isIP } from 'node:net'
import type { Clock } from '../core/clock.js'
import { systemClock } from '../core/clock.js'
import { parseSetCookie } from './set-cookie.js'

/** A cookie as a browser keeps it. */
export interface JarCookie {
  readonly name: string
  /** As it came, not decoded. */
  readonly value: string
  /** The host, or the domain of a cookie that its subdomains get too. */
  readonly domain: string
  /** No Domain attribute: this host and no subdomain. */
  readonly hostOnly: boolean
  readonly path: string
  readonly secure: boolean
  readonly httpOnly: boolean
  readonly partitioned: boolean
  readonly sameSite?: 'strict' | 'lax' | 'none'
  /** Ms since the epoch. Absent: until the browser closes. */
  readonly expiresAt?: number
}

// RFC 6265bis section 5.5: a user agent limits a cookie's life to 400 days.
const LONGEST_LIFE = 400 * 24 * 60 * 60 * 1000

/**
 * The cookies of one browser, by the storage model of RFC 6265bis: names, paths, domains, `Secure`,
 * expiry, the `__Host-` and `__Secure-` prefixes, and `SameSite=None` only with `Secure`. It does
 * not weigh the site a request starts from, and knows no list of public suffixes.
 */
export class CookieJar implements Iterable<JarCookie> {
  readonly #clock: Clock
  // In order of creation, which a replaced cookie keeps (RFC 6265bis section 5.7).
  readonly #cookies = new Map<string, JarCookie>()

  constructor(clock: Clock = systemClock) {
    this.#clock = clock
  }

  /** The live cookies, oldest first. */
  [Symbol.iterator](): Iterator<JarCookie> {
    this.#forgetExpired()
    return [...this.#cookies.values()][Symbol.iterator]()
  }

  /** How many cookies are live. */
  get size(): number {
    this.#forgetExpired()
    return this.#cookies.size
  }

  /** The first live cookie with this name, of whichever host and path. */
  get(name: string): JarCookie | undefined {
    return [...this].find((cookie) => cookie.name === name)
  }

  /** Puts a cookie in as it is, unchecked: a forged or a planted one. */
  set(cookie: JarCookie): void {
    this.#cookies.set(identity(cookie), cookie)
  }

  /** Removes every cookie with this name, and gives whether there was one. */
  delete(name: string): boolean {
    const found = [...this].filter((cookie) => cookie.name === name)
    for (const cookie of found) this.#cookies.delete(identity(cookie))
    return found.length > 0
  }

  clear(): void {
    this.#cookies.clear()
  }

  /** Forgets what has no expiry, as a browser does when it closes. */
  dropSessionCookies(): void {
    for (const [key, cookie] of this.#cookies) {
      if (cookie.expiresAt === undefined) this.#cookies.delete(key)
    }
  }

  /** A second jar with the same cookies. They go separate ways from here. */
  clone(): CookieJar {
    const copy = new CookieJar(this.#clock)
    for (const cookie of this) copy.set(cookie)
    return copy
  }

  /** The `Cookie` header for a request to `url`, undefined when there is nothing to send. */
  header(url: URL | string): string | undefined {
    const { hostname, pathname, protocol } = new URL(url)
    const sent = [...this]
      .filter((cookie) => {
        const host = cookie.hostOnly
          ? cookie.domain === hostname
          : domainMatches(hostname, cookie.domain)
        return host && pathMatches(pathname, cookie.path) && (!cookie.secure || isSecure(protocol))
      })
      // A stable sort: longer paths first, then older ones (RFC 6265 section 5.4).
      .sort((a, b) => b.path.length - a.path.length)
    if (sent.length === 0) return undefined
    return sent.map((c) => (c.name === '' ? c.value : `${c.name}=${c.value}`)).join('; ')
  }

  /**
   * Takes one `Set-Cookie` line that came from `url`. Gives whether a browser would heed it: a line
   * that deletes is heeded too.
   */
  take(line: string, url: URL | string): boolean {
    const { hostname, pathname, protocol } = new URL(url)
    const parsed = parseSetCookie(line)
    if (parsed === undefined) return false
    const secureOrigin = isSecure(protocol)

    let domain = parsed.domain
    if (domain === hostname && (isIP(hostname) !== 0 || !hostname.includes('.'))) domain = undefined
    if (domain !== undefined && (!domain.includes('.') || !domainMatches(hostname, domain))) {
      return false
    }
    const cookie: JarCookie = {
      name: parsed.name,
      value: parsed.value,
      domain: domain ?? hostname,
      hostOnly: domain === undefined,
      path: parsed.path ?? defaultPath(pathname),
      secure: parsed.secure,
      httpOnly: parsed.httpOnly,
      partitioned: parsed.partitioned,
      ...(parsed.sameSite && { sameSite: parsed.sameSite }),
      ...this.#expiry(parsed),
    }

    if (cookie.secure && !secureOrigin) return false
    if (!secureOrigin && this.#hidesSecureCookie(cookie)) return false
    if ((cookie.sameSite === 'none' || cookie.partitioned) && !cookie.secure) return false
    // A nameless cookie whose value looks like a prefixed name would be sent as that name.
    const prefix = /^__(?:host|secure)-/i.exec(cookie.name || cookie.value)?.[0].toLowerCase()
    if (prefix !== undefined && (cookie.name === '' || !cookie.secure)) return false
    if (prefix === '__host-') {
      if (parsed.domain !== undefined || parsed.path !== '/') return false
    }

    if (cookie.expiresAt !== undefined && cookie.expiresAt <= this.#clock.now()) {
      this.#cookies.delete(identity(cookie))
    } else {
      this.#cookies.set(identity(cookie), cookie)
    }
    return true
  }

  #expiry(parsed: { maxAge?: number; expires?: number }): { expiresAt?: number } {
    const now = this.#clock.now()
    if (parsed.maxAge !== undefined) {
      if (parsed.maxAge <= 0) return { expiresAt: Number.NEGATIVE_INFINITY }
      return { expiresAt: now + Math.min(parsed.maxAge * 1000, LONGEST_LIFE) }
    }
    if (parsed.expires === undefined) return {}
    return { expiresAt: Math.min(parsed.expires, now + LONGEST_LIFE) }
  }

  /** A plain origin may not overlay a Secure cookie (RFC 6265bis section 5.7, step 17). */
  #hidesSecureCookie(cookie: JarCookie): boolean {
    return [...this].some(
      (kept) =>
        kept.secure &&
        kept.name === cookie.name &&
        (domainMatches(kept.domain, cookie.domain) || domainMatches(cookie.domain, kept.domain)) &&
        pathMatches(cookie.path, kept.path),
    )
  }

  #forgetExpired(): void {
    const now = this.#clock.now()
    for (const [key, cookie] of this.#cookies) {
      if (cookie.expiresAt !== undefined && cookie.expiresAt <= now) this.#cookies.delete(key)
    }
  }
}

function identity({ name, domain, hostOnly, path }: JarCookie): string {
  return JSON.stringify([name, domain, hostOnly, path])
}

function isSecure(protocol: string): boolean {
  return protocol === 'https:' || protocol === 'wss:'
}

function domainMatches(host: string, domain: string): boolean {
  if (host === domain) return true
  return host.endsWith(`.${domain}`) && isIP(host) === 0
}

function pathMatches(requested: string, path: string): boolean {
  if (requested === path) return true
  return requested.startsWith(path) && (path.endsWith('/') || requested[path.length] === '/')
}

function defaultPath(pathname: string): string {
  const end = pathname.lastIndexOf('/')
  return end <= 0 ? '/' : pathname.slice(0, end)
}
