import { Jwe } from './jwe.js'
import { oldFaceKey } from './token-keys.js'

/** What a sealed session is bound to: its cookie, and a time in ms since the epoch. */
export interface SealedFor {
  /** The name of the cookie: under another one it opens nothing. */
  readonly audience: string
  readonly now: number
}

/** A bad one is a value: it must not fail a request. `unknown`: its time is over. */
export type OpenedSession =
  | { readonly text: string; readonly by: number }
  | { readonly rejected: 'format' | 'signature' | 'unknown' }

/** The data is the last of the claims, so that its text is cut out as it is. */
const DATA = ',"data":'

/** `iat` may lie this far ahead, in ms: the clocks of two nodes differ. */
const LEEWAY = 60_000

/**
 * Sessions of the drop-in for cookie-session, encrypted: a compact JWE (RFC 7516) with `alg: dir`
 * and `enc: A256GCM`, of which the text is `{"aud":…,"iat":…,"exp":…,"data":{…}}`, times in ms.
 */
export class SealedSessions {
  readonly #jwe: Jwe

  /** @param secrets newest first, already checked for length */
  constructor([newest, ...older]: readonly [string, ...string[]]) {
    const keys = [oldFaceKey(newest), ...older.map(oldFaceKey)] as const
    this.#jwe = new Jwe(keys, 'coatcheck+cookie-session')
  }

  /**
   * Whether the value of a cookie is meant to be one. Base64, which signed sessions are in, has no
   * dot: the two are told apart before anything is decoded.
   */
  static isOne(value: string): boolean {
    return value.includes('.')
  }

  /** @param text the session as JSON, @param ends when it does, in ms; undefined: nobody knows */
  seal(text: string, { audience, now }: SealedFor, ends: number | undefined): string {
    const head = JSON.stringify({ aud: audience, iat: now, exp: ends ?? null })
    return this.#jwe.seal(`${head.slice(0, -1)}${DATA}${text}}`)
  }

  /** The session as JSON, and which secret opened it: 0 is the newest. */
  open(token: string, { audience, now }: SealedFor): OpenedSession {
    const opened = this.#jwe.open(token)
    if (opened === undefined) return { rejected: 'signature' }
    const claims = claimsOf(opened.text)
    if (claims === undefined || claims.aud !== audience || claims.iat > now + LEEWAY) {
      return { rejected: 'format' }
    }
    if (claims.exp !== null && now >= claims.exp) return { rejected: 'unknown' }
    return { text: claims.data, by: opened.by }
  }
}

interface Claims {
  readonly aud: string
  readonly iat: number
  readonly exp: number | null
  /** As text. */
  readonly data: string
}

/** Of a text that was authenticated; undefined: it is of another make. */
function claimsOf(text: string): Claims | undefined {
  // In a string its quotes would be escaped, so the first one is the key.
  const end = text.indexOf(DATA)
  if (end === -1 || !text.endsWith('}')) return undefined
  const head = `${text.slice(0, end)}}`
  try {
    const { aud, iat, exp } = JSON.parse(head) as Record<string, unknown>
    if (typeof aud !== 'string' || typeof iat !== 'number') return undefined
    if (exp !== null && typeof exp !== 'number') return undefined
    // As it is written here, and in no other way: nothing more, and nothing twice.
    if (JSON.stringify({ aud, iat, exp }) !== head) return undefined
    return { aud, iat, exp, data: text.slice(end + DATA.length, -1) }
  } catch {
    return undefined
  }
}
