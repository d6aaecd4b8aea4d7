import { createHash } from 'node:crypto'

/** How an item is called: on the wire, and to the ring that says on which server it is. */
export interface ItemName {
  readonly wire: string
  readonly ring: string
}

/** The server's own limit (protocol.txt). */
const LONGEST_KEY = 250

/**
 * What no key may hold on the wire, or what the `memcached` package refuses or spoils: white space,
 * control characters, half characters, and what stands for something else in a replacement.
 */
const UNSENDABLE = /[\s\p{Cc}\p{Surrogate}]|\$[$&`']/u

/** Begins the names of what is no record; a key that begins so itself is hashed. */
const MARK = '~'

/**
 * Names items as the `memcached` package does, so that both find what the other has written. What
 * that one cannot name has a name of its own, made from a hash.
 */
export class ItemNames {
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  record(key: string): ItemName {
    const full = this.#prefix + key
    const isOurs = key.startsWith(MARK) || ['', 'cas', '__proto__'].includes(full)
    if (full.length > LONGEST_KEY && !/\p{Surrogate}/u.test(full)) {
      // It looks for the server by the key as it was, and then shortens it.
      return { ring: full, wire: createHash('md5').update(full).digest('hex') }
    }
    if (isOurs || UNSENDABLE.test(full) || Buffer.byteLength(full) > LONGEST_KEY) {
      return this.#hashed('k', key)
    }
    return { ring: full, wire: full }
  }

  /** The list of a user's keys. */
  keysOf(user: string): ItemName {
    return this.#hashed('u', user)
  }

  #hashed(kind: string, name: string): ItemName {
    // Half characters have no UTF-8 of their own.
    const hash = createHash('sha256').update(name, 'utf16le').digest('base64url')
    const wire = `${this.#prefix}${MARK}${kind}:${hash}`
    return { ring: wire, wire }
  }
}

/** Whether a prefix leaves room for what follows it, and can be sent. */
export function isPrefix(value: unknown): value is string {
  return typeof value === 'string' && Buffer.byteLength(value) <= 100 && !UNSENDABLE.test(value)
}
