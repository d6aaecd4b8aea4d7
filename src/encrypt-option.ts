import { SealedSessions } from './crypto/sealed-session.js'
import { OptionError } from './errors.js'
import { kind } from './kind.js'
import { optional, refuseUnknown } from './option-checks.js'

/** What the option `encrypt` takes beside true. */
export interface EncryptOptions {
  /**
   * Secrets of 32 bytes or more, the newest first: it encrypts, and all decrypt.
   * @default those of the option `keys` that are long enough, as they are at start
   */
  keys?: string | readonly string[] | undefined
  /**
   * Whether sessions are sent encrypted. With false encrypted ones are read, and sent back signed:
   * the first step of a rolling deploy, and the way back.
   * @default true
   */
  sends?: boolean | undefined
  /**
   * Until when a session is taken from a cookie that is only signed. There is no time in such a cookie:
   * without this date a copy works for as long as its key is among the `keys`.
   * @default as long as there are `keys`
   */
  signedUntil?: Date | undefined
}

/** The option, complete and checked. */
export interface Encryption {
  readonly sessions: SealedSessions
  readonly sends: boolean
  /** In ms since the epoch. */
  readonly signedUntil: number
}

const KNOWN = new Set(['keys', 'sends', 'signedUntil'])

/**
 * @param name how the option is called
 * @param signing what the option `keys` or `secret` holds
 * @throws OptionError
 */
export function encryptionFrom(
  name: string,
  given: unknown,
  signing: unknown,
): Encryption | undefined {
  if (given === undefined || given === false) return undefined
  if (given !== true && (typeof given !== 'object' || given === null || Array.isArray(given))) {
    throw new OptionError(`The option ${name} is ${kind(given)}; it takes true or an object.`)
  }
  const options: EncryptOptions = given === true ? {} : given
  refuseUnknown(options, KNOWN, {}, `${name}.`)
  const { keys, signedUntil } = options
  const isDate = signedUntil instanceof Date && !Number.isNaN(signedUntil.getTime())
  if (signedUntil !== undefined && !isDate) {
    throw new OptionError(
      `The option ${name}.signedUntil is ${kind(signedUntil)}; it takes a Date.`,
    )
  }
  return {
    sessions: sealedSessionsFrom(`${name}.keys`, keys, signing),
    sends: optional(`${name}.sends`, options.sends, 'boolean') ?? true,
    signedUntil: signedUntil?.getTime() ?? Number.POSITIVE_INFINITY,
  }
}

/** As many bytes as the keys that are made of them (RFC 7518, section 3.2). */
const SECRET_BYTES = 32

const HOW = `Make one with: node -p "require('crypto').randomBytes(32).toString('base64url')"`

/**
 * What encrypts the sessions of `coatcheck/cookie-session`, by keys of its own or by those that sign.
 *
 * @param option how the option of its own keys is called
 * @param own its own keys, of which each has to be fit
 * @param signing the keys that sign. The newest has to be fit; the shorter ones behind it have
 * never encrypted anything
 * @throws OptionError for keys that are missing or short
 */
function sealedSessionsFrom(option: string, own: unknown, signing: unknown): SealedSessions {
  if (own !== undefined) {
    const secrets: readonly unknown[] = Array.isArray(own) ? [...own] : [own]
    if (secrets.length === 0) throw new OptionError(`The option ${option} holds no key. ${HOW}`)
    secrets.forEach((secret, index) => {
      const which = Array.isArray(own) ? `${option}[${index}]` : option
      const problem = problemOf(secret)
      if (problem !== undefined) throw new OptionError(`The option ${which} ${problem} ${HOW}`)
    })
    return new SealedSessions(secrets as [string, ...string[]])
  }
  const give = `Give the option ${option}; keys, which sign, can stay as they are. ${HOW}`
  if (!Array.isArray(signing)) {
    throw new OptionError(
      `Sessions cannot be encrypted by the option keys, which is ${signing === undefined ? 'missing' : 'a Keygrip: it does not tell its keys'}. ${give}`,
    )
  }
  const problem = problemOf(signing[0])
  if (problem !== undefined) {
    throw new OptionError(
      `Sessions cannot be encrypted by the first of the keys, which ${problem} ${give}`,
    )
  }
  return new SealedSessions(
    signing.filter((key) => problemOf(key) === undefined) as [string, ...string[]],
  )
}

function problemOf(secret: unknown): string | undefined {
  if (typeof secret !== 'string') return `is ${kind(secret)}; it takes a string.`
  const bytes = Buffer.byteLength(secret)
  return bytes < SECRET_BYTES ? `has ${bytes} bytes; it takes ${SECRET_BYTES} or more.` : undefined
}
