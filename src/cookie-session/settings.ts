import { type Encryption, encryptionFrom } from '../encrypt-option.js'
import { OptionError } from '../errors.js'
import type { CookieSessionOptions } from './options.js'
import { isCookieName } from './set-cookie.js'
import { type KeygripLike, signerFrom } from './signer.js'

/** Options, complete and checked. */
export interface Settings {
  /** What each request's `sessionOptions` inherits from. */
  readonly base: CookieSessionOptions
  readonly name: string
  readonly signer: KeygripLike | undefined
  /** undefined: sessions are signed and not encrypted. */
  readonly encryption: Encryption | undefined
}

/** @throws Error without keys; OptionError for what could never work */
export function settingsFrom(options: CookieSessionOptions): Settings {
  const name = options.name || 'session'
  if (!isCookieName(name)) throw new OptionError('The option name cannot be the name of a cookie.')
  const keys = options.keys || (options.secret ? [options.secret] : undefined)
  const base = withDefaults(options)
  const signer = keys ? signerFrom(keys) : undefined
  const encryption = encryptionFrom('encrypt', options.encrypt, keys)
  if (encryption !== undefined && !base.signed) {
    throw new OptionError(
      'The option signed is false, and anybody could write sessions beside the encrypted ones. Take it away.',
    )
  }
  if (!keys && base.signed && !encryption?.sends) throw new Error('.keys required.')
  return { base, name, signer, encryption }
}

/** What a program changes about its options later, requests still see; its object stays as it is. */
function withDefaults(options: CookieSessionOptions): CookieSessionOptions {
  const base: CookieSessionOptions = Object.create(options)
  for (const name of ['overwrite', 'httpOnly', 'signed'] as const) {
    if (options[name] != null) continue
    // Not by assignment, which fails where the options are frozen.
    const value = true
    Object.defineProperty(base, name, { value, enumerable: true, writable: true })
  }
  return base
}
