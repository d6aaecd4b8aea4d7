import {
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createHmac,
  pbkdf2,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto'
import { promisify } from 'node:util'
import { Recent } from './recent.js'

/**
 * Payloads as session-file-store 1.4 and later encrypt them: JSON with `hmac`, `ct`, `iv`, `salt`,
 * and with an authenticating cipher `aad` and `at`. Bytes are texts of latin1, or what
 * `JSON.stringify` makes of a Buffer.
 */

/** How the other side encrypts; its option `crypto`. */
export interface LegacyCipherOptions {
  /** @default 'aes-256-gcm' */
  readonly algorithm?: string
  /** @default 'sha512' */
  readonly hashing?: string
  /** Whether keys are derived by scrypt. An object without it means PBKDF2. */
  readonly use_scrypt?: boolean
}

interface Envelope {
  readonly hmac: string
  readonly ct: string
  readonly iv: Buffer
  readonly salt: Buffer
  readonly aad: string | undefined
  readonly at: Buffer | undefined
}

type Derivation = 'scrypt' | 'pbkdf2'

const derive = { scrypt: promisify(scrypt), pbkdf2: promisify(pbkdf2) }

const PBKDF2_ROUNDS = 15_000
const SALT_BYTES = 128
const TAG_BYTES = 16
/** Derived keys remembered, since each of them costs some 50 ms: twice this many. */
const REMEMBERED_KEYS = 2_000
/** Payloads of one key at most: random ivs of 96 bits may meet (NIST SP 800-38D, section 8.3). */
const KEY_USES = 1_000_000

/** Whether a text is such a payload. */
export function isLegacyPayload(text: string): boolean {
  return envelopeIn(text) !== undefined
}

/** Encrypts and decrypts payloads for one secret. Keys are derived off the event loop. */
export class LegacyCipher {
  readonly #secret: string
  readonly #algorithm: CipherGCMTypes
  readonly #hashing: string
  readonly #derivation: Derivation
  readonly #keys = new Recent<Promise<Buffer>>(REMEMBERED_KEYS)
  #salt = randomBytes(SALT_BYTES)
  #uses = 0

  /** @throws Error if this version of Node does not know the cipher or the hash */
  constructor(secret: string, options: LegacyCipherOptions = { use_scrypt: true }) {
    const { algorithm = 'aes-256-gcm', hashing = 'sha512', use_scrypt = false } = options
    this.#secret = secret
    // The name decides what is called besides; a cipher without a tag has none of that.
    this.#algorithm = algorithm as CipherGCMTypes
    this.#hashing = hashing
    this.#derivation = use_scrypt ? 'scrypt' : 'pbkdf2'
    this.#encrypt('', Buffer.alloc(this.#keyBytes))
  }

  async encrypt(text: string): Promise<string> {
    this.#uses++
    if (this.#uses > KEY_USES) {
      this.#salt = randomBytes(SALT_BYTES)
      this.#uses = 1
    }
    const salt = this.#salt
    const key = await this.#keyFor(salt, this.#derivation)
    return JSON.stringify({ ...this.#encrypt(text, key), salt })
  }

  /** The text; undefined: it is not ours, or not whole. */
  async decrypt(payload: string): Promise<string | undefined> {
    const envelope = envelopeIn(payload)
    if (envelope === undefined) return undefined
    const others: Derivation = this.#derivation === 'scrypt' ? 'pbkdf2' : 'scrypt'
    for (const derivation of [this.#derivation, others]) {
      const key = await this.#keyFor(envelope.salt, derivation)
      if (!this.#isSigned(envelope, key)) continue
      try {
        const text: unknown = JSON.parse(this.#decrypt(envelope, key))
        return typeof text === 'string' ? text : undefined
      } catch {
        return undefined
      }
    }
    return undefined
  }

  #encrypt(text: string, key: Buffer): object {
    const iv = randomBytes(this.#authenticates ? 12 : 16)
    const cipher = createCipheriv(this.#algorithm, key, iv, { authTagLength: TAG_BYTES })
    const aad = this.#authenticates ? randomBytes(64) : undefined
    if (aad !== undefined) cipher.setAAD(aad)
    const bytes = Buffer.concat([cipher.update(JSON.stringify(text), 'utf8'), cipher.final()])
    const ct = bytes.toString('latin1')
    return {
      hmac: this.#hmac(ct, key),
      ct,
      iv,
      ...(aad === undefined ? {} : { aad: aad.toString('latin1'), at: cipher.getAuthTag() }),
    }
  }

  #decrypt({ ct, iv, aad, at }: Envelope, key: Buffer): string {
    const decipher = createDecipheriv(this.#algorithm, key, iv, { authTagLength: TAG_BYTES })
    if (this.#authenticates) {
      decipher.setAAD(Buffer.from(aad ?? '', 'latin1'))
      decipher.setAuthTag(at ?? Buffer.alloc(0))
    }
    return decipher.update(ct, 'latin1', 'utf8') + decipher.final('utf8')
  }

  #isSigned({ hmac, ct }: Envelope, key: Buffer): boolean {
    const [given, expected] = [hmac, this.#hmac(ct, key)].map((text) => Buffer.from(text, 'utf8'))
    return given!.length === expected!.length && timingSafeEqual(given!, expected!)
  }

  /** Over the text of the ciphertext, in UTF-8. */
  #hmac(ct: string, key: Buffer): string {
    return createHmac(this.#hashing, key).update(ct, 'utf8').digest('binary')
  }

  #keyFor(salt: Buffer, derivation: Derivation): Promise<Buffer> {
    const name = `${derivation} ${salt.toString('base64')}`
    const known = this.#keys.get(name)
    if (known !== undefined) return known
    const bytes = this.#keyBytes
    const key =
      derivation === 'scrypt'
        ? (derive.scrypt(this.#secret, salt, bytes) as Promise<Buffer>)
        : derive.pbkdf2(this.#secret, salt, PBKDF2_ROUNDS, bytes, this.#hashing)
    this.#keys.set(name, key)
    return key
  }

  get #keyBytes(): number {
    const bits = /^aes-(128|192)-/.exec(this.#algorithm)?.[1]
    return bits === undefined ? 32 : Number(bits) / 8
  }

  get #authenticates(): boolean {
    return /gcm|ocb/.test(this.#algorithm)
  }
}

function envelopeIn(text: string): Envelope | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null || 'cookie' in parsed) return undefined
  const { hmac, ct, aad, ...rest } = parsed as Record<string, unknown>
  const [iv, salt, at] = [rest.iv, rest.salt, rest.at].map(bytesOf)
  if (typeof hmac !== 'string' || typeof ct !== 'string') return undefined
  if (iv === undefined || salt === undefined) return undefined
  return { hmac, ct, iv, salt, at, aad: typeof aad === 'string' ? aad : undefined }
}

function bytesOf(value: unknown): Buffer | undefined {
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown }
  return type === 'Buffer' && Array.isArray(data) ? Buffer.from(data) : undefined
}
