import { KeyObject } from 'node:crypto'
import Keygrip from 'keygrip'
import { OptionError } from '../errors.js'
import { kind } from '../kind.js'

/** What signs cookies: an instance of Keygrip, of any version and hash, or what looks like one. */
export interface KeygripLike {
  sign(text: string): string
  /** Which key has signed: 0 is the newest, less than 0 is none of them. Timing-safe. */
  index(text: string, signature: string): number
  verify?(text: string, signature: string): boolean
}

/** A key of an HMAC, as `crypto.createHmac` takes it. */
export type Key = string | Uint8Array | KeyObject

/**
 * What signs by these keys. An array is read again for each signature: programs put a new key in
 * front of the array that they have given.
 * @throws OptionError for what could never sign
 */
export function signerFrom(keys: readonly Key[] | KeygripLike): KeygripLike {
  if (!Array.isArray(keys)) {
    const { sign, index } = keys as Partial<KeygripLike>
    if (typeof sign === 'function' && typeof index === 'function') return keys as KeygripLike
    throw new OptionError(
      `The option keys is ${kind(keys)}; it takes an array of keys, or a Keygrip.`,
    )
  }
  if (keys.length === 0) throw new OptionError('The option keys holds no key.')
  const wrong = keys.find((key) => !isKey(key))
  if (keys.some((key) => !isKey(key))) {
    throw new OptionError(`The option keys holds ${kind(wrong)}; a key is a string or a Buffer.`)
  }
  return new Keygrip(keys as string[])
}

function isKey(key: unknown): key is Key {
  return typeof key === 'string' || key instanceof Uint8Array || key instanceof KeyObject
}
