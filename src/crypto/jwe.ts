import { randomBytes } from 'node:crypto'
import { decrypt, encrypt, IV_BYTES } from './aes-gcm.js'
import { fromBase64url, toBase64url } from './base64url.js'
import { JoseHeaders } from './jose-header.js'
import type { TokenKey } from './token-keys.js'

/** A text that was opened, and which key opened it: 0 is the newest. */
export interface OpenedText {
  readonly text: string
  readonly by: number
}

/**
 * Compact JWE (RFC 7516) with direct encryption, `alg: dir` and `enc: A256GCM` (RFC 7518, sections
 * 4.5 and 5.3). The header picks the key; there is no other algorithm, and no key is tried in vain.
 */
export class Jwe {
  readonly #keys: readonly [TokenKey, ...TokenKey[]]
  readonly #headers: JoseHeaders

  /** @param keys newest first, @param typ what kind of token it is */
  constructor(keys: readonly [TokenKey, ...TokenKey[]], typ: string) {
    this.#keys = keys
    this.#headers = new JoseHeaders(keys, { alg: 'dir', enc: 'A256GCM', typ })
  }

  seal(text: string): string {
    const header = this.#headers.own
    const iv = randomBytes(IV_BYTES)
    const { bytes, tag } = encrypt(this.#keys[0].key, iv, text, header)
    // The second part is an encrypted key, which direct encryption does not have.
    return `${header}..${toBase64url(iv)}.${toBase64url(bytes)}.${toBase64url(tag)}`
  }

  /** undefined: not one of ours, or changed on the way. */
  open(token: string): OpenedText | undefined {
    const parts = token.split('.', 6)
    if (parts.length !== 5 || parts[1] !== '') return undefined
    const [header, , ...sealed] = parts as [string, string, string, string, string]
    const by = this.#headers.keyBy(header)
    const key = this.#keys[by]
    if (key === undefined) return undefined
    const [iv, bytes, tag] = sealed.map(fromBase64url)
    if (iv === undefined || bytes === undefined || tag === undefined) return undefined
    const text = decrypt(key.key, iv, { bytes, tag }, header)
    return text === undefined ? undefined : { text: text.toString('utf8'), by }
  }
}
