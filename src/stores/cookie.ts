import type { At, OpenedToken, Sealed, TokenStore } from '../core/token-store.js'
import { Jwe } from '../crypto/jwe.js'
import { encryptionKey } from '../crypto/token-keys.js'
import { checkNames, checkOptions } from './internal/store-options.js'
import { secretsFrom } from './internal/token-keys.js'

/** Options of {@link CookieStore}. */
export interface CookieStoreOptions {
  /**
   * Secrets of 32 bytes or more, newest first: the newest encrypts, and every one decrypts. Replace
   * one before 2^32 sessions were written with it (NIST SP 800-38D, section 8.3).
   */
  keys: string | readonly string[]
}

/** The record is the last of the claims, so that its text is cut out as it is. */
const RECORD = ',"record":'

/** `iat` may lie this far ahead, in ms: the clocks of two nodes differ. */
const LEEWAY = 60_000

/**
 * Keeps each session in its own cookie, encrypted: there is no server that could be asked, and none
 * that could fail. A browser keeps 4096 bytes of it.
 *
 * ```ts
 * app.use(session({ store: new CookieStore({ keys: process.env.SESSION_KEY ?? '' }) }))
 * ```
 *
 * The cookie is a compact JWE (RFC 7516) with `alg: dir` and `enc: A256GCM`, whose text is
 * `{"aud":…,"iat":…,"exp":…,"jti":…,"record":{…}}`: the name of the cookie, two times in ms since the
 * epoch, the handle, and the record. Its key is derived from the newest secret by HKDF-SHA-256.
 *
 * Whoever has a copy of a cookie has that session until its time is over: without the option
 * `revocations` a sign-out forgets it on the one client that asked.
 */
export class CookieStore implements TokenStore {
  readonly #jwe: Jwe

  /** @throws OptionError for keys that are missing or short */
  constructor(options: CookieStoreOptions) {
    checkOptions('CookieStore', options)
    checkNames('CookieStore', options, ['keys'])
    const { keys } = options
    const [newest, ...older] = secretsFrom('CookieStore', keys)
    this.#jwe = new Jwe([encryptionKey(newest), ...older.map(encryptionKey)], 'coatcheck+jwe')
  }

  seal({ handle, text, expiresAt }: Sealed, { now, audience }: At): string {
    const claims = JSON.stringify({ aud: audience, iat: now, exp: expiresAt, jti: handle })
    return this.#jwe.seal(`${claims.slice(0, -1)}${RECORD}${text}}`)
  }

  open(token: string, { now, audience }: At): OpenedToken {
    const opened = this.#jwe.open(token)
    if (opened === undefined) return { rejected: 'signature' }
    const claims = claimsOf(opened.text)
    if (claims === undefined || claims.aud !== audience || claims.iat > now + LEEWAY) {
      return { rejected: 'format' }
    }
    const { jti: handle, exp: expiresAt, record: text } = claims
    return { sealed: { handle, expiresAt, text }, reissue: opened.by > 0 }
  }
}

interface Claims {
  readonly aud: string
  readonly iat: number
  readonly exp: number
  readonly jti: string
  /** As text. */
  readonly record: string
}

/** Of a text that was authenticated; undefined: it is of another make. */
function claimsOf(text: string): Claims | undefined {
  // In a string its quotes would be escaped, so the first one is the key.
  const end = text.indexOf(RECORD)
  if (end === -1 || !text.endsWith('}')) return undefined
  const head = `${text.slice(0, end)}}`
  try {
    const { aud, iat, exp, jti } = JSON.parse(head) as Record<string, unknown>
    if (typeof aud !== 'string' || typeof jti !== 'string') return undefined
    if (typeof iat !== 'number' || typeof exp !== 'number') return undefined
    // As it is written here, and in no other way: nothing more, and nothing twice.
    if (JSON.stringify({ aud, iat, exp, jti }) !== head) return undefined
    return { aud, iat, exp, jti, record: text.slice(end + RECORD.length, -1) }
  } catch {
    return undefined
  }
}
