import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'

/** The length of an HMAC-SHA-256 in base64url. */
export const SIGNATURE_LENGTH = 43

/** Signs with the newest secret and accepts every one, so that a secret can be retired. */
export class Keyring {
  readonly #keys: readonly KeyObject[]

  /** @param secrets newest first, already checked for length */
  constructor(secrets: readonly string[]) {
    this.#keys = secrets.map((secret) => createSecretKey(secret, 'utf8'))
  }

  sign(text: string): string {
    return this.#hmac(this.#keys[0]!, text)
  }

  /**
   * Which secret signed `text`: 0 is the newest, -1 none. Every secret is tried and compared in
   * constant time.
   */
  signedBy(text: string, signature: string): number {
    // Not latin1, which would keep the low byte of any character and so take several for the same.
    const given = Buffer.from(signature, 'utf8')
    let found = -1
    this.#keys.forEach((key, index) => {
      const expected = Buffer.from(this.#hmac(key, text), 'latin1')
      const equal = given.length === expected.length && timingSafeEqual(given, expected)
      if (equal && found === -1) found = index
    })
    return found
  }

  #hmac(key: KeyObject, text: string): string {
    return createHmac('sha256', key).update(text).digest('base64url')
  }
}
