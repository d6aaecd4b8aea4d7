import type { CipherKey } from 'node:crypto'
import { sign, unsign } from 'cookie-signature'
import depd from 'depd'
import { Recent } from '../crypto/recent.js'

const deprecate = depd('express-session')

/** What signs the cookie: anything that an HMAC takes. */
export type Secret = CipherKey

/** Verified cookies remembered: twice 5,000 of about 200 bytes. */
const REMEMBERED = 5_000

/** A visitor with more cookies of one name than this has too many. */
const MOST_TRIED = 4

/** Checking a signature costs more than to send one: who sends more of them is no visitor. */
const MOST_VERIFIED = 50

/** The ids that a request brings, and how many cookies of the name were no good. */
export interface Received {
  readonly ids: readonly string[]
  readonly rejected: number
}

/** What of a request may hold the cookie. The last two are cookie-parser's. */
export interface CookieSource {
  readonly headers: { readonly cookie?: string | undefined }
  readonly signedCookies?: Readonly<Record<string, unknown>> | undefined
  readonly cookies?: Readonly<Record<string, unknown>> | undefined
}

const NOTHING: Received = { ids: [], rejected: 0 }

/**
 * The cookie with the id of a session: `s:<id>.<signature>`, percent-encoded. The signature is
 * HMAC-SHA-256 in base64 without padding.
 */
export class IdCookie {
  readonly name: string
  readonly #secrets: readonly Secret[]
  readonly #verified = new Recent<string>(REMEMBERED)

  /** @param secrets newest first */
  constructor(name: string, secrets: readonly Secret[]) {
    this.name = name
    this.#secrets = secrets
  }

  /** The value that carries an id, before it is percent-encoded. */
  valueOf(id: string): string {
    return `s:${sign(id, this.#secrets[0]!)}`
  }

  read(req: CookieSource): Received {
    const header = req.headers.cookie
    const found = header === undefined ? NOTHING : this.#fromHeader(header)
    if (found.ids.length > 0) return found
    const parsed = this.#fromParser(req)
    return parsed === undefined ? found : { ...found, ids: [parsed] }
  }

  #fromHeader(header: string): Received {
    const ids: string[] = []
    let rejected = 0
    for (const raw of valuesOf(header, this.name).slice(0, MOST_VERIFIED)) {
      const id = this.#idOf(raw)
      if (id === undefined) rejected++
      else if (ids.length < MOST_TRIED && !ids.includes(id)) ids.push(id)
    }
    return { ids, rejected }
  }

  #idOf(raw: string): string | undefined {
    const known = this.#verified.get(raw)
    if (known !== undefined) return known
    const value = decoded(raw)
    const id = value.startsWith('s:') ? this.#verify(value.slice(2)) : undefined
    if (id !== undefined) this.#verified.set(raw, id)
    return id
  }

  #verify(signed: string): string | undefined {
    for (const secret of this.#secrets) {
      const id = unsign(signed, secret)
      if (id !== false && id !== '') return id
    }
    return undefined
  }

  /** Where a parser has taken the header away, or the cookie was put there by a program. */
  #fromParser({ signedCookies, cookies }: CookieSource): string | undefined {
    const signed = signedCookies?.[this.name]
    const raw = cookies?.[this.name]
    const id =
      typeof signed === 'string' && signed !== ''
        ? signed
        : typeof raw === 'string' && raw.startsWith('s:')
          ? this.#verify(raw.slice(2))
          : undefined
    if (id !== undefined) deprecate('cookie should be available in req.headers.cookie')
    return id
  }
}

/** The values of one cookie name, as they stand in the header (RFC 6265, section 5.4). */
function valuesOf(header: string, name: string): string[] {
  const values: string[] = []
  let at = 0
  let equals = -1
  while (at < header.length) {
    const semicolon = header.indexOf(';', at)
    const end = semicolon === -1 ? header.length : semicolon
    // Looked for once, however many parts without one stand before it.
    if (equals < at) equals = header.indexOf('=', at)
    if (equals === -1) break
    if (equals < end && header.slice(at, equals).trim() === name) {
      const value = header.slice(equals + 1, end).trim()
      const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"')
      values.push(isQuoted ? value.slice(1, -1) : value)
    }
    at = end + 1
  }
  return values
}

function decoded(value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
