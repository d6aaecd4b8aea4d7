import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'

/** 96 bits, the size that GCM is made for (NIST SP 800-38D, section 8.2). */
export const IV_BYTES = 12
const TAG_BYTES = 16

/** What encryption makes: as many bytes as the text has, and a tag that vouches for them. */
export interface Encrypted {
  readonly bytes: Buffer
  readonly tag: Buffer
}

/**
 * AES-256-GCM (NIST SP 800-38D; RFC 7518, section 5.3). The tag vouches for `beside` too, which is
 * not encrypted.
 *
 * @param iv never used before with this key
 */
export function encrypt(key: KeyObject, iv: Buffer, text: string | Buffer, beside: string) {
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(beside, 'latin1'))
  const bytes = typeof text === 'string' ? cipher.update(text, 'utf8') : cipher.update(text)
  // A stream cipher has given everything by now; this makes the tag.
  cipher.final()
  return { bytes, tag: cipher.getAuthTag() } satisfies Encrypted
}

/** The text; undefined: something of it is not as it was, or the key is another one. */
export function decrypt(
  key: KeyObject,
  iv: Buffer,
  { bytes, tag }: Encrypted,
  beside: string,
): Buffer | undefined {
  // Node takes other lengths, and a shorter tag is easier to guess.
  if (iv.length !== IV_BYTES || tag.length !== TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(beside, 'latin1'))
  decipher.setAuthTag(tag)
  const text = decipher.update(bytes)
  try {
    decipher.final()
    return text
  } catch {
    return undefined
  }
}
