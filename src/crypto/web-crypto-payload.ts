import {
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  pbkdf2,
  randomBytes,
} from 'node:crypto'
import { promisify } from 'node:util'

/**
 * Payloads of connect-mongo's `createWebCryptoAdapter`: the iv, the ciphertext and, with GCM, its tag
 * of 16 bytes, one after the other, as base64. One key for all, derived by PBKDF2 with SHA-256.
 */

/** The options of `createWebCryptoAdapter`, but for its secret. */
export interface WebCryptoOptions {
  /** @default 'AES-GCM' */
  readonly algorithm?: 'AES-GCM' | 'AES-CBC'
  /** @default 'base64' */
  readonly encoding?: 'base64' | 'base64url' | 'hex'
  /** In bytes. @default 12 for AES-GCM, 16 for AES-CBC */
  readonly ivLength?: number
  /** @default 'connect-mongo:webcrypto-default-salt' */
  readonly salt?: string | Uint8Array
  /** @default 310_000 */
  readonly iterations?: number
}

const TAG_BYTES = 16
const KEY_BYTES = 32

const derive = promisify(pbkdf2)

/** Encrypts and decrypts payloads for one secret. Its key is derived once, off the event loop. */
export class WebCryptoCipher {
  readonly #algorithm: CipherGCMTypes
  readonly #encoding: 'base64' | 'base64url' | 'hex'
  readonly #ivBytes: number
  readonly #tagBytes: number
  readonly #derive: () => Promise<Buffer>
  #key: Promise<Buffer> | undefined

  constructor(secret: string | Uint8Array, options: WebCryptoOptions = {}) {
    const {
      algorithm = 'AES-GCM',
      encoding = 'base64',
      salt = 'connect-mongo:webcrypto-default-salt',
      iterations = 310_000,
    } = options
    const isGcm = algorithm === 'AES-GCM'
    // The name decides what is called besides; CBC has no tag.
    this.#algorithm = (isGcm ? 'aes-256-gcm' : 'aes-256-cbc') as CipherGCMTypes
    this.#encoding = encoding
    this.#ivBytes = options.ivLength ?? (isGcm ? 12 : 16)
    this.#tagBytes = isGcm ? TAG_BYTES : 0
    this.#derive = () => derive(secret, salt, iterations, KEY_BYTES, 'sha256')
  }

  async encrypt(text: string): Promise<string> {
    const key = await this.#keyOnce()
    const iv = randomBytes(this.#ivBytes)
    const cipher = createCipheriv(this.#algorithm, key, iv, { authTagLength: TAG_BYTES })
    const parts = [iv, cipher.update(text, 'utf8'), cipher.final()]
    if (this.#tagBytes > 0) parts.push(cipher.getAuthTag())
    return Buffer.concat(parts).toString(this.#encoding)
  }

  /** The text; undefined: it is not ours, or not whole. */
  async decrypt(payload: string): Promise<string | undefined> {
    const bytes = Buffer.from(payload, this.#encoding)
    const end = bytes.length - this.#tagBytes
    if (end < this.#ivBytes) return undefined
    const key = await this.#keyOnce()
    try {
      const iv = bytes.subarray(0, this.#ivBytes)
      const decipher = createDecipheriv(this.#algorithm, key, iv, { authTagLength: TAG_BYTES })
      if (this.#tagBytes > 0) decipher.setAuthTag(bytes.subarray(end))
      const text = decipher.update(bytes.subarray(this.#ivBytes, end))
      return Buffer.concat([text, decipher.final()]).toString('utf8')
    } catch {
      return undefined
    }
  }

  #keyOnce(): Promise<Buffer> {
    this.#key ??= this.#derive()
    return this.#key
  }
}
