import { basename, join } from 'node:path'
import { isLegacyPayload, type LegacyCipher } from '../../crypto/legacy-payload.js'
import { CoatcheckError } from '../../errors.js'
import type { DurableFiles } from './durable-files.js'
import type { FileSystem } from './file-system.js'
import { codeOf } from './file-system.js'
import type { RecordFile } from './record-file.js'
import type { RecordLayout } from './record-layout.js'
import {
  lifeOf,
  readSessionFile,
  sameButForDate,
  withDate,
  writeSessionFile,
} from './session-file-text.js'

/** How session-file-store was set up on the same folder. */
export interface SessionFilesOptions {
  readonly folder: string
  /** How long a session lives whose cookie has no life of its own, in ms. */
  readonly ttl: number
  /** Ends the name of each record, and of nothing else. */
  readonly extension: string
  /** undefined: the files are plain. */
  readonly cipher: LegacyCipher | undefined
}

/** File systems take names of 255 bytes; a temporary file, a lock and a claim have up to 40 more. */
const LONGEST_NAME = 215

/** A name that leads somewhere else. */
const NO_NAME = /[/\\\0]|^\.{0,2}$/

/** Dates end there (ECMA-262, section 21.4.1.1), and JSON has no Infinity. */
const NEVER = 8.64e15

/**
 * The layout of session-file-store 1.5: one folder, a file for each session, named by its id, which
 * holds the session as JSON. Old and new processes work on one folder; the old ones know no lock.
 */
export class SessionFiles implements RecordLayout {
  readonly #fs: FileSystem
  readonly #files: DurableFiles
  readonly #options: SessionFilesOptions

  constructor(fs: FileSystem, files: DurableFiles, options: SessionFilesOptions) {
    this.#fs = fs
    this.#files = files
    this.#options = options
  }

  pathOf(key: string): string | undefined {
    const { folder, extension } = this.#options
    const name = key + extension
    // A lone surrogate has no UTF-8 of its own, so that two keys would have one name.
    const isName =
      !NO_NAME.test(key) && Buffer.byteLength(name) <= LONGEST_NAME && isWellFormed(key)
    return isName ? join(folder, name) : undefined
  }

  isRecord(name: string): boolean {
    const { extension } = this.#options
    return name.length > extension.length && name.endsWith(extension)
  }

  async *files(): AsyncGenerator<{ path: string; name: string }, void, undefined> {
    const { folder, extension } = this.#options
    try {
      for await (const { name } of await this.#fs.opendir(folder)) {
        // Other things may lie in the folder; a leftover of ours begins with the name of a record.
        if (name.includes(extension)) yield { path: join(folder, name), name }
      }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }

  async encode({ expiresAt, body }: RecordFile): Promise<Buffer> {
    const text = body.toString()
    const life = lifeOf(text)
    if (life === null) {
      throw new CoatcheckError(
        'ERR_UNSUPPORTED',
        "FileStore: layout 'session-file-store' keeps JSON objects, and this text is none.",
        { op: 'create', store: 'FileStore', outcome: 'failed' },
      )
    }
    const moment = Number.isNaN(expiresAt) ? 0 : Math.max(0, Math.min(expiresAt, NEVER))
    const { ttl, cipher } = this.#options
    const content = writeSessionFile(text, moment - (life ?? ttl))
    return Buffer.from(cipher === undefined ? content : await cipher.encrypt(content))
  }

  async decode(bytes: Buffer, path: string): Promise<RecordFile | undefined> {
    const content = await this.#contentOf(bytes.toString())
    const found = content === undefined ? undefined : readSessionFile(content)
    if (found === undefined) return undefined
    const lastAccess = found.lastAccess ?? (await this.#files.writtenAt(path)) ?? 0
    return {
      key: this.#keyOf(path),
      expiresAt: lastAccess + (found.life ?? this.#options.ttl),
      user: undefined,
      body: Buffer.from(found.text),
    }
  }

  isSame(text: string, seen: string): boolean {
    return sameButForDate(text, seen)
  }

  touched(record: RecordFile, expiresAt: number): RecordFile {
    const text = withDate(record.body.toString(), expiresAt)
    return { ...record, expiresAt, body: Buffer.from(text) }
  }

  /** What is encrypted is never looked for in plain: whoever could write it could write anything. */
  async #contentOf(text: string): Promise<string | undefined> {
    const { cipher } = this.#options
    if (cipher !== undefined) return await cipher.decrypt(text)
    return isLegacyPayload(text) ? undefined : text
  }

  #keyOf(path: string): string {
    const name = basename(path)
    return name.slice(0, name.lastIndexOf(this.#options.extension))
  }
}

function isWellFormed(key: string): boolean {
  return Buffer.from(key).toString() === key
}
