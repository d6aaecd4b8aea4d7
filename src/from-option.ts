import { OldCallbackRecords, type OldRecords, OldTextRecords } from './core/old-records.js'
import type { ExpressSessionStore } from './core/old-store.js'
import type { Store } from './core/store.js'
import { isOldSecret, type OldSecret, signedOldId } from './crypto/old-signature.js'
import { OptionError } from './errors.js'
import { kind } from './kind.js'
import { optional, refuseUnknown } from './option-checks.js'
import { sortOf } from './store-option.js'

/** Where visitors come from: what their old cookies and records are. */
export interface FromOptions {
  /**
   * Sessions of express-session, or of the drop-in for it. One that comes with a request is taken
   * over once: its data goes on in a session of ours, and the old one ends.
   */
  expressSession: {
    /** The name of its cookie. @default 'connect.sid' */
    name?: string
    /** What it signs with: its option `secret`. Of several, all are accepted. */
    secret: OldSecret | readonly OldSecret[]
    /**
     * Where its records are: its option `store`, or the store of this package that has its records.
     * @default the option `store` of `session()`
     */
    store?: Store | ExpressSessionStore
  }
}

/** The option, complete and checked. */
export interface FromSettings {
  readonly name: string
  readonly records: OldRecords
  /** The id in the value of a cookie. */
  idIn(value: string): ReturnType<typeof signedOldId>
}

/** @param store the option `store` of `session()`, as it was given or made */
export function fromOption(given: unknown, store: unknown): FromSettings | undefined {
  if (given === undefined) return undefined
  const { expressSession } = object('from', given, ['expressSession']) as unknown as FromOptions
  const known = ['name', 'secret', 'store']
  const old = object('from.expressSession', expressSession, known) as FromOptions['expressSession']
  const name = optional('from.expressSession.name', old.name, 'string') ?? 'connect.sid'
  const secrets = secretsFrom(old.secret)
  const records = old.store ?? store
  return {
    name,
    records:
      sortOf(records) === 'texts'
        ? new OldTextRecords(records as Store)
        : new OldCallbackRecords(records as ExpressSessionStore),
    idIn: (value) => signedOldId(value, secrets),
  }
}

function object(name: string, given: unknown, known: readonly string[]): object {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new OptionError(`The option ${name} is ${kind(given)}; it takes an object.`)
  }
  refuseUnknown(given, new Set(known), {}, `${name}.`)
  return given
}

function secretsFrom(secret: unknown): readonly OldSecret[] {
  const secrets: readonly unknown[] = Array.isArray(secret) ? [...secret] : [secret]
  // Of any length: it is the one that old cookies were signed with.
  if (secrets.length > 0 && secrets.every(isOldSecret)) return secrets
  throw new OptionError(
    `The option from.expressSession.secret is ${kind(secret)}; it takes the secret of express-session, or a list of them.`,
  )
}
