import depd from 'depd'
import { OptionError } from '../errors.js'
import type { CookieSessionOptions } from './options.js'

/** What a header may hold (RFC 9110, section 5.5). */
const FIELD_CONTENT = /^[\t\x20-\x7e\x80-\xff]+$/
const SAME_SITE = /^(?:lax|none|strict)$/i
const PRIORITY = /^(?:low|medium|high)$/i

// Under the name by which people know these texts.
const deprecate = depd('cookies')

export function isCookieName(name: unknown): name is string {
  return typeof name === 'string' && FIELD_CONTENT.test(name) && !/[;=]/.test(name)
}

/** How the cookies of one response are sent. */
export interface CookieForm {
  readonly name: string
  /** Whether other cookies of the same name are taken out of the response. */
  readonly overwrites: boolean
  /** What follows the value. */
  readonly attributes: string
  /** When the browser drops it, in ms since the epoch; undefined: when it is closed. */
  readonly ends: number | undefined
}

/**
 * The form that the options of a request ask for.
 * @param isSecure the request came over TLS, as far as anybody knows
 * @param deletes the browser is to drop the cookie
 * @throws OptionError for an attribute that no cookie can have
 */
export function formFrom(
  options: CookieSessionOptions,
  name: string,
  isSecure: boolean,
  deletes: boolean,
): CookieForm {
  const given = options as CookieSessionOptions & { readonly maxage?: unknown }
  if (given.maxage !== undefined) deprecate('"maxage"; use "maxAge" instead')
  const maxAge = deletes ? undefined : (given.maxage ?? given.maxAge)
  const { expires, domain, priority, sameSite } = given
  const path = 'path' in given ? given.path : '/'
  const asked = given.name || name
  must('name', isCookieName(asked))
  must('path', !path || FIELD_CONTENT.test(path))
  must('domain', !domain || FIELD_CONTENT.test(domain))
  must('maxAge', typeof maxAge === 'number' ? Number.isFinite(maxAge) : !maxAge)
  must('expires', !expires || typeof expires.toUTCString === 'function')
  must('priority', !priority || PRIORITY.test(priority))
  must('sameSite', !sameSite || sameSite === true || SAME_SITE.test(sameSite))
  const fromNow = () => new Date(Date.now() + (maxAge as number))
  const end = deletes ? new Date(0) : maxAge ? fromNow() : expires
  const attributes = [
    path ? `; path=${path}` : '',
    end ? `; expires=${end.toUTCString()}` : '',
    domain ? `; domain=${domain}` : '',
    priority ? `; priority=${priority.toLowerCase()}` : '',
    sameSite ? `; samesite=${sameSite === true ? 'strict' : sameSite.toLowerCase()}` : '',
    secureOf(given, isSecure) ? '; secure' : '',
    !('httpOnly' in given) || given.httpOnly ? '; httponly' : '',
    given.partitioned ? '; partitioned' : '',
  ].join('')
  // Browsers know it to the second.
  const ends = end ? Date.parse(end.toUTCString()) : undefined
  return { name: asked, overwrites: Boolean(given.overwrite), attributes, ends }
}

/** Whether the cookie may not be sent: it is for https, and the request came by http. */
export function isRefused({ secure }: CookieSessionOptions, isSecure: boolean): boolean {
  return Boolean(secure) && !isSecure
}

function secureOf(given: CookieSessionOptions, isSecure: boolean): unknown {
  if ('secureProxy' in given) {
    deprecate(
      '"secureProxy" option; use "secure" option, provide "secure" to constructor if needed',
    )
    return given.secureProxy
  }
  return given.secure === undefined ? isSecure : given.secure
}

function must(name: string, isRight: boolean): void {
  if (!isRight) throw new OptionError(`The option ${name} is not what a cookie can have.`)
}

/** One line of `Set-Cookie`. */
export interface CookieLine {
  readonly name: string
  readonly text: string
  readonly overwrites: boolean
}

export function lineOf(
  { name: first, attributes, overwrites }: CookieForm,
  value: string,
  suffix: '' | '.sig' = '',
): CookieLine {
  const name = first + suffix
  return { name, text: `${name}=${value}${attributes}`, overwrites }
}

/** The lines of a response with `added` behind them, in a list of its own. */
export function withLines(
  present: string | readonly string[] | undefined,
  added: readonly CookieLine[],
): string[] {
  let lines = present === undefined ? [] : typeof present === 'string' ? [present] : [...present]
  for (const { name, text, overwrites } of added) {
    if (overwrites) lines = lines.filter((line) => !line.startsWith(`${name}=`))
    lines.push(text)
  }
  return lines
}
