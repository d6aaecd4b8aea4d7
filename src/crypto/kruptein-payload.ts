import {
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createHmac,
  pbkdf2,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import { promisify } from 'node:util'
import { Recent } from './recent.js'

/**
 * Payloads as kruptein 3 makes them, for connect-mongo and connect-memcached: a DER SEQUENCE (X.690)
 * of OCTET STRINGs `ct, hmac, iv, salt`, and with an authenticating cipher `at, aad`, as base64. `ct`,
 * `hmac` and `aad` are base64 again.
 */

/** How the other side encrypts; the option `crypto` of connect-mongo. */
export interface KrupteinOptions {
  /** @default 'aes-256-gcm' */
  readonly algorithm?: string
  /** @default 'sha512' */
  readonly hashing?: string
  /** @default 'base64' */
  readonly encodeas?: 'base64' | 'base64url' | 'hex'
}

interface Envelope {
  readonly ct: string
  readonly hmac: string
  readonly iv: Buffer
  readonly salt: Buffer
  readonly at: Buffer | undefined
  readonly aad: string | undefined
}

const derive = promisify(pbkdf2)

/** Of version 3.0, which is how payloads are written, and of 3.1 to 3.3. */
const ROUNDS = [15_000, 20_000] as const

const SALT_BYTES = 128
const TAG_BYTES = 16
const AAD_BYTES = 64
/** Derived keys remembered, since each of them costs some 10 ms: twice this many. */
const REMEMBERED_KEYS = 2_000
/** Payloads of one key at most: random ivs of 96 bits may meet (NIST SP 800-38D, section 8.3). */
const KEY_USES = 1_000_000

/** Encrypts and decrypts payloads for one secret. Keys are derived off the event loop. */
export class KrupteinCipher {
  readonly #secret: string
  readonly #algorithm: CipherGCMTypes
  readonly #hashing: string
  readonly #encoding: 'base64' | 'base64url' | 'hex'
  readonly #keys = new Recent<Promise<Buffer>>(REMEMBERED_KEYS)
  #salt = randomBytes(SALT_BYTES)
  #uses = 0

  /** @throws Error if this version of Node does not know the cipher or the hash */
  constructor(secret: string, options: KrupteinOptions = {}) {
    const { algorithm = 'aes-256-gcm', hashing = 'sha512', encodeas = 'base64' } = options
    this.#secret = secret
    // The name decides what is called besides; a cipher without a tag has none of that.
    this.#algorithm = algorithm as CipherGCMTypes
    this.#hashing = hashing
    this.#encoding = encodeas
    this.#encrypt('', Buffer.alloc(this.#keyBytes), this.#salt)
  }

  async encrypt(text: string): Promise<string> {
    this.#uses++
    if (this.#uses > KEY_USES) {
      this.#salt = randomBytes(SALT_BYTES)
      this.#uses = 1
    }
    const salt = this.#salt
    return this.#encrypt(JSON.stringify(text), await this.#keyFor(salt, ROUNDS[0]), salt)
  }

  /** The text; undefined: it is not ours, or not whole. */
  async decrypt(payload: string): Promise<string | undefined> {
    const envelope = this.#envelopeIn(payload)
    if (envelope === undefined) return undefined
    for (const rounds of ROUNDS) {
      const key = await this.#keyFor(envelope.salt, rounds)
      const text = this.#decrypt(envelope, key)
      if (text !== undefined) return innerText(text)
    }
    return undefined
  }

  #encrypt(text: string, key: Buffer, salt: Buffer): string {
    const iv = randomBytes(this.#authenticates ? 12 : 16)
    const cipher = createCipheriv(this.#algorithm, key, iv, { authTagLength: TAG_BYTES })
    const aad = this.#authenticates ? randomBytes(AAD_BYTES) : undefined
    if (aad !== undefined) cipher.setAAD(aad)
    const bytes = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    const ct = bytes.toString(this.#encoding)
    const parts = [Buffer.from(ct), Buffer.from(this.#hmac(ct, key)), iv, salt]
    if (aad !== undefined)
      parts.push(cipher.getAuthTag(), Buffer.from(aad.toString(this.#encoding)))
    return sequence(parts).toString(this.#encoding)
  }

  #decrypt({ ct, hmac, iv, salt, at, aad }: Envelope, key: Buffer): string | undefined {
    try {
      const decipher = createDecipheriv(this.#algorithm, key, iv, { authTagLength: TAG_BYTES })
      if (this.#authenticates) {
        // The tag vouches for all of it, so the HMAC of two versions need not be told apart.
        if (at === undefined || aad === undefined) return undefined
        decipher.setAAD(Buffer.from(aad, this.#encoding))
        decipher.setAuthTag(at)
      } else if (
        !isSame(hmac, this.#hmac(ct, key)) &&
        !isSame(hmac, this.#hmac(`${ct}${salt}${iv}`, key))
      ) {
        return undefined
      }
      const bytes = Buffer.concat([decipher.update(ct, this.#encoding), decipher.final()])
      return bytes.toString('utf8')
    } catch {
      return undefined
    }
  }

  /** Version 3.0: over the text of the ciphertext; later ones: with salt and iv behind it. */
  #hmac(text: string, key: Buffer): string {
    return createHmac(this.#hashing, key).update(text, 'utf8').digest(this.#encoding)
  }

  #keyFor(salt: Buffer, rounds: number): Promise<Buffer> {
    const name = `${rounds} ${salt.toString('base64')}`
    const known = this.#keys.get(name)
    if (known !== undefined) return known
    const key = derive(this.#secret, salt, rounds, this.#keyBytes, this.#hashing)
    this.#keys.set(name, key)
    return key
  }

  #envelopeIn(payload: string): Envelope | undefined {
    const parts = partsOf(Buffer.from(payload, this.#encoding))
    const [ct, hmac, iv, salt, at, aad] = parts ?? []
    if (!ct || !hmac || !iv || !salt) return undefined
    return { ct: `${ct}`, hmac: `${hmac}`, iv, salt, at, aad: aad && `${aad}` }
  }

  get #keyBytes(): number {
    const bits = /^aes-?(128|192)/i.exec(this.#algorithm)?.[1]
    return bits === undefined ? 32 : Number(bits) / 8
  }

  get #authenticates(): boolean {
    return /gcm|ocb/i.test(this.#algorithm)
  }
}

/** Some wrap the JSON of a session in JSON once more. */
function innerText(text: string): string {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : text
  } catch {
    return text
  }
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

const SEQUENCE = 0x30
const OCTET_STRING = 0x04

function sequence(parts: readonly Buffer[]): Buffer {
  return element(SEQUENCE, Buffer.concat(parts.map((part) => element(OCTET_STRING, part))))
}

/** Tag, length, contents: X.690, section 8.1. */
function element(tag: number, contents: Buffer): Buffer {
  const { length } = contents
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), contents])
  const bytes: number[] = []
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256)
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length, ...bytes]), contents])
}

/** The strings of a sequence that fills `bytes`; undefined: it is none. */
function partsOf(bytes: Buffer): Buffer[] | undefined {
  const whole = contentsAt(bytes, 0, SEQUENCE)
  if (whole === undefined || whole.end !== bytes.length) return undefined
  const parts: Buffer[] = []
  for (let at = 0; at < whole.contents.length; ) {
    const part = contentsAt(whole.contents, at, OCTET_STRING)
    if (part === undefined) return undefined
    parts.push(part.contents)
    at = part.end
  }
  return parts
}

function contentsAt(bytes: Buffer, at: number, tag: number) {
  const first = bytes[at + 1]
  if (bytes[at] !== tag || first === undefined) return undefined
  let [from, length] = [at + 2, first]
  if (first >= 0x80) {
    const count = first - 0x80
    // Lengths without an end, or beyond what a document holds, are none of theirs.
    if (count === 0 || count > 4 || from + count > bytes.length) return undefined
    length = bytes.readUIntBE(from, count)
    from += count
  }
  const end = from + length
  return end > bytes.length ? undefined : { contents: bytes.subarray(from, end), end }
}
