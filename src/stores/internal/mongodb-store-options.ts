import type { Clock } from '../../core/clock.js'
import { systemClock } from '../../core/clock.js'
import { KrupteinCipher, type KrupteinOptions } from '../../crypto/kruptein-payload.js'
import { WebCryptoCipher, type WebCryptoOptions } from '../../crypto/web-crypto-payload.js'
import { collectionIn, type MongoClientLike, type MongoCollection } from './mongo-collection.js'
import { encrypted, objects, type Payloads, texts } from './mongo-payloads.js'
import {
  checkClock,
  checkNames,
  checkOptions,
  type OldOptions,
  wrongOption,
} from './store-options.js'

/** What connect-mongo has encrypted its sessions with. */
export type MongoCrypto =
  | (KrupteinOptions & { readonly secret: string; readonly kind?: 'kruptein' })
  | (WebCryptoOptions & { readonly secret: string | Uint8Array; readonly kind: 'webcrypto' })

/** Where a `MongoStore` keeps its records, and in which form. */
export interface MongoStoreOptions {
  /**
   * The collection, which belongs to the sessions alone: of `mongodb` 5 and later, or
   * `mongoose.connection.collection('sessions')`. Its client stays yours to close.
   */
  collection?: MongoCollection
  /** In place of `collection`: a `MongoClient`. It stays yours to close. */
  client?: MongoClientLike
  /** With `client`: the name of the database. @default the one of the connection string */
  dbName?: string
  /** With `client`: the name of the collection. @default 'sessions' */
  collectionName?: string
  /**
   * Whether `session` is a text. False: an object, as connect-mongo has it with the same option, for
   * processes with that beside it, or queries of your own. Both are read.
   * @default true
   */
  stringify?: boolean
  /**
   * What sessions are encrypted with. `{ secret }` is what connect-mongo's option `crypto` takes;
   * with `kind: 'webcrypto'` it is what its `createWebCryptoAdapter` takes. Both kinds are read, this
   * one is written, and a session in plain text counts as unreadable.
   * @default none
   */
  crypto?: MongoCrypto
  /**
   * The `_id` of a key, where connect-mongo has had such a function. Keys cannot be told from it, so
   * the store can then neither list sessions nor find those of a user.
   * @default the key itself
   */
  transformId?: (key: string) => string
  /**
   * Whether the first write starts to make the indexes, in the background. False: `migrate()` does,
   * or somebody by hand.
   * @default true
   */
  autoMigrate?: boolean
  /** Injected by tests. @default the clock of the machine */
  clock?: Clock
}

/** Options, complete and checked. */
export interface MongoStoreSettings {
  readonly collection: MongoCollection
  readonly payloads: Payloads
  readonly transformId: ((key: string) => string) | undefined
  readonly autoMigrate: boolean
  readonly clock: Clock
}

const STORE = 'MongoStore'

const OPTIONS = [
  'collection',
  'client',
  'dbName',
  'collectionName',
  'stringify',
  'crypto',
  'transformId',
  'autoMigrate',
  'clock',
]

const OLD: OldOptions = {
  of: 'connect-mongo',
  instead: {
    mongoUrl: 'make a MongoClient, and give it as client',
    mongoOptions: 'they are options of your MongoClient',
    clientPromise: 'await it, or give a MongoClient that connects later',
    ttl: 'times are options of session(), or of LegacyStore',
    touchAfter: 'a touch is sent once a minute at most, and nobody waits for it',
    autoRemove: 'the index of migrate() and sweep() remove what has expired',
    autoRemoveInterval: 'the index of migrate() and sweep() remove what has expired',
    writeOperationOptions: 'give the client or the collection a writeConcern',
    timestamps: 'fields of your own stay, but for those of a session that begins anew',
    serialize: 'sessions are JSON, or objects with stringify: false',
    unserialize: 'sessions are JSON, or objects with stringify: false',
    cryptoAdapter: "option crypto takes what the package's own two adapters take",
  },
}

/** @throws OptionError naming option, value and what is allowed */
export function mongoStoreSettings(options: MongoStoreOptions): MongoStoreSettings {
  checkOptions(STORE, options)
  checkNames(STORE, options, OPTIONS, OLD)
  const { stringify = true, autoMigrate = true, transformId, crypto, clock = systemClock } = options
  for (const [name, value] of Object.entries({ stringify, autoMigrate })) {
    if (typeof value !== 'boolean') throw wrongOption(STORE, name, value, 'true or false')
  }
  if (transformId !== undefined && typeof transformId !== 'function') {
    throw wrongOption(STORE, 'transformId', transformId, 'a function')
  }
  const plain = stringify ? texts : objects
  return {
    collection: collectionIn(options),
    payloads: crypto === undefined ? plain : encryptedBy(crypto),
    transformId,
    autoMigrate,
    clock: checkClock(STORE, clock),
  }
}

function encryptedBy(crypto: MongoCrypto): Payloads {
  const wrong = (what: string, value: unknown, allowed: string) =>
    wrongOption(STORE, `crypto${what}`, value, allowed)
  if (typeof crypto !== 'object' || crypto === null) {
    throw wrong('', crypto, 'an object with a secret')
  }
  const { kind = 'kruptein', secret } = crypto
  if (kind !== 'kruptein' && kind !== 'webcrypto') {
    throw wrong('.kind', kind, "'kruptein' or 'webcrypto'")
  }
  const isSecret =
    typeof secret === 'string' || (kind === 'webcrypto' && secret instanceof Uint8Array)
  if (!isSecret || secret.length === 0) throw wrong('.secret', secret, 'a string, and not empty')
  for (const name of ['encodeas', 'encoding'] as const) {
    const value = (crypto as { encodeas?: unknown; encoding?: unknown })[name]
    if (value === undefined || ['base64', 'base64url', 'hex'].includes(value as string)) continue
    throw wrong(`.${name}`, value, "'base64', 'base64url' or 'hex'")
  }
  return encrypted(
    crypto.kind === 'webcrypto'
      ? {
          kruptein: krupteinFor(Buffer.from(crypto.secret).toString('utf8'), {}),
          webCrypto: webCryptoFor(crypto),
          written: 'webCrypto',
        }
      : {
          kruptein: krupteinFor(crypto.secret, crypto),
          webCrypto: new WebCryptoCipher(crypto.secret),
          written: 'kruptein',
        },
  )

  function krupteinFor(text: string, settings: KrupteinOptions): KrupteinCipher {
    try {
      return new KrupteinCipher(text, settings)
    } catch {
      throw wrong('', crypto, 'an object with an algorithm and a hashing that Node knows')
    }
  }

  function webCryptoFor({ secret: given, ...rest }: MongoCrypto & { kind: 'webcrypto' }) {
    const { algorithm = 'AES-GCM', ivLength = 12, iterations = 1, salt = '' } = rest
    if (algorithm !== 'AES-GCM' && algorithm !== 'AES-CBC') {
      throw wrong('.algorithm', algorithm, "'AES-GCM' or 'AES-CBC'")
    }
    for (const [name, value] of Object.entries({ ivLength, iterations })) {
      if (!Number.isInteger(value) || value < 1) throw wrong(`.${name}`, value, 'a whole number')
    }
    if (typeof salt !== 'string' && !((salt as unknown) instanceof Uint8Array)) {
      throw wrong('.salt', salt, 'a string or bytes')
    }
    return new WebCryptoCipher(given, rest)
  }
}
