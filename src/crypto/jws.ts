import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import { toBase64url } from './base64url.js'
import { JoseHeaders } from './jose-header.js'
import type { OpenedText } from './jwe.js'
import type { TokenKey } from './token-keys.js'

/**
 * Compact JWS (RFC 7515) with HMAC-SHA-256, `alg: HS256` (RFC 7518, section 3.2), and no other
 * algorithm. The header picks the key.
 */
export class Jws {
  readonly #keys: readonly [TokenKey, ...TokenKey[]]
  readonly #headers: JoseHeaders

  /** @param keys newest first, @param typ what kind of token it is */
  constructor(keys: readonly [TokenKey, ...TokenKey[]], typ: string) {
    this.#keys = keys
    this.#headers = new JoseHeaders(keys, { alg: 'HS256', typ })
  }

  sign(text: string): string {
    const signed = `${this.#headers.own}.${toBase64url(text)}`
    return `${signed}.${hs256(this.#keys[0].key, signed)}`
  }

  /** undefined: not one of ours, or changed on the way. Nothing is parsed before that is known. */
  open(token: string): OpenedText | undefined {
    const parts = token.split('.', 4)
    if (parts.length !== 3) return undefined
    const [header, payload, signature] = parts as [string, string, string]
    const by = this.#headers.keyBy(header)
    const key = this.#keys[by]
    if (key === undefined) return undefined
    const expected = hs256(key.key, token.slice(0, header.length + 1 + payload.length))
    if (!isSame(signature, expected)) return undefined
    // The signature is over the text, so there is no other way to write these bytes.
    const text = Buffer.from(payload, 'base64url').toString('utf8')
    return { text, by }
  }
}

/** The signature over a header and a payload, all of them encoded. */
export function hs256(key: KeyObject, signed: string): string {
  return createHmac('sha256', key).update(signed).digest('base64url')
}

/** As texts, so that there is one way to write a signature; in constant time. */
function isSame(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given, 'utf8'), Buffer.from(expected, 'utf8')]
  return one.length === other.length && timingSafeEqual(one, other)
}
