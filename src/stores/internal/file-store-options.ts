import { resolve } from 'node:path'
import type { Clock } from '../../core/clock.js'
import { systemClock } from '../../core/clock.js'
import { LegacyCipher, type LegacyCipherOptions } from '../../crypto/legacy-payload.js'
import { ASIDE_SUFFIX, TEMP_SUFFIX } from './durable-files.js'
import { LOCK_SUFFIX } from './file-lock.js'
import {
  checkClock,
  checkNames,
  checkOptions,
  type OldOptions,
  wrongOption,
} from './store-options.js'

/** Where a `FileStore` keeps its records, and how surely. */
export interface FileStoreOptions {
  /**
   * The folder for the records, which belongs to the store alone. It is made with the first write,
   * readable by nobody else (0700, files 0600).
   */
  path: string
  /**
   * How the records lie in the folder. `'shards'`: any key, any text, and the sessions of a user
   * are known. `'session-file-store'`: the files of that package, which may work on the same folder
   * at the same time; for the express-session drop-in. Another layout finds no record of the first.
   * @default 'shards'
   */
  layout?: 'shards' | 'session-file-store'
  /**
   * Whether a write waits until the disk has it. Without it a power cut can undo the last writes
   * or leave empty files, which read as misses; a killed process does no harm either way.
   * @default true
   */
  fsync?: boolean
  /**
   * Layout `'session-file-store'`: how long a session lives whose cookie has no `maxAge`, in ms. Its
   * own option `ttl` is in seconds; with another value here, each side ends what the other keeps.
   * @default 3_600_000 (1 h)
   */
  ttl?: number
  /**
   * Layout `'session-file-store'`: ends the names of the records, as there.
   * @default '.json'
   */
  fileExtension?: string
  /**
   * Layout `'session-file-store'`: what its files are encrypted with, if they are; its own option
   * `secret`. Files are written so too, and plain ones count as unreadable, as there.
   * @default none
   */
  secret?: string
  /**
   * Layout `'session-file-store'`: how it encrypts; its own option `crypto`. As there, an object
   * without `use_scrypt` means PBKDF2.
   * @default { algorithm: 'aes-256-gcm', hashing: 'sha512', use_scrypt: true }
   */
  crypto?: LegacyCipherOptions
  /** Injected by tests. @default the clock of the machine */
  clock?: Clock
}

/** Options, complete and checked. */
export interface FileStoreSettings {
  readonly folder: string
  readonly layout: 'shards' | 'session-file-store'
  readonly fsync: boolean
  readonly ttl: number
  readonly extension: string
  readonly cipher: LegacyCipher | undefined
  readonly clock: Clock
}

const HOUR = 60 * 60 * 1000

const OPTIONS = ['path', 'layout', 'fsync', 'ttl', 'fileExtension', 'secret', 'crypto', 'clock']

const ATTEMPTS = 'an unknown key is a miss at once'
const SWEEP = 'sweep() removes what has expired'
const FORM = 'records are JSON in UTF-8'

const OLD: OldOptions = {
  of: 'session-file-store',
  instead: {
    retries: ATTEMPTS,
    factor: ATTEMPTS,
    minTimeout: ATTEMPTS,
    maxTimeout: ATTEMPTS,
    reapInterval: SWEEP,
    reapMaxConcurrent: SWEEP,
    reapAsync: SWEEP,
    reapSyncFallback: SWEEP,
    logFn: 'listen to the events of the manager',
    fallbackSessionFn: ATTEMPTS,
    encoding: FORM,
    encoder: FORM,
    decoder: FORM,
    encryptEncoding: 'encrypted records are in hex',
    keyFunction: 'the key is derived from secret alone',
  },
}

/** The names of what is no record end so; to an old reader a record is whatever has its extension. */
const NOT_RECORDS = [TEMP_SUFFIX, LOCK_SUFFIX, ASIDE_SUFFIX]

/** @throws OptionError naming option, value and what is allowed */
export function fileStoreSettings(options: FileStoreOptions): FileStoreSettings {
  checkOptions('FileStore', options)
  checkNames('FileStore', options, OPTIONS, OLD)
  const { path, layout = 'shards', fsync = true, clock = systemClock } = options
  const wrong = (option: keyof FileStoreOptions, allowed: string) =>
    wrongOption('FileStore', option, options[option], allowed)
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw wrong('path', 'the path of a folder')
  }
  if (layout !== 'shards' && layout !== 'session-file-store') {
    throw wrong('layout', "'shards' or 'session-file-store'")
  }
  if (typeof fsync !== 'boolean') throw wrong('fsync', 'true or false')
  const { ttl = HOUR, fileExtension: extension = '.json' } = options
  if (layout === 'shards') {
    const only = "left out: it belongs to layout 'session-file-store'"
    for (const name of ['ttl', 'fileExtension', 'secret', 'crypto'] as const) {
      if (options[name] !== undefined) throw wrong(name, only)
    }
  }
  if (typeof ttl !== 'number' || !(ttl > 0 && ttl < Infinity)) throw wrong('ttl', 'ms above 0')
  // The name of a claim ends with a number.
  if (typeof extension !== 'string' || !/^\.\w*[a-z]\w*$/i.test(extension)) {
    throw wrong('fileExtension', "a dot, then letters and digits, such as '.json'")
  }
  if (NOT_RECORDS.includes(extension.toLowerCase())) {
    throw wrong('fileExtension', `another one than ${NOT_RECORDS.join(', ')}`)
  }
  return {
    folder: resolve(path),
    layout,
    fsync,
    ttl,
    extension,
    cipher: cipherFrom(options, wrong),
    clock: checkClock('FileStore', clock),
  }
}

function cipherFrom(
  { secret, crypto }: FileStoreOptions,
  wrong: (option: 'secret' | 'crypto', allowed: string) => Error,
): LegacyCipher | undefined {
  if (secret === undefined) {
    if (crypto !== undefined) throw wrong('crypto', "left out, or beside option 'secret'")
    return undefined
  }
  if (typeof secret !== 'string' || secret === '') throw wrong('secret', 'a string, and not empty')
  try {
    return new LegacyCipher(secret, crypto)
  } catch {
    throw wrong('crypto', 'an object with an algorithm and a hashing that Node knows')
  }
}
