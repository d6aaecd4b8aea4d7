import type { Awaitable } from '../../core/store.js'
import type { RecordFile } from './record-file.js'

/** How records lie in a folder: which file is whose, and what it says. */
export interface RecordLayout {
  /** The file of a key; undefined: no file can have this key for a name. */
  pathOf(key: string): string | undefined
  /** Whether a file of this name is a record; locks and leftovers lie beside them. */
  isRecord(name: string): boolean
  /** All files, a few at a time, beginning with the folder named `first`. */
  files(first?: string): AsyncIterable<{ path: string; name: string }>
  /** What a file says, in words of its own. @throws `ERR_UNSUPPORTED` if it cannot hold the text */
  encode(record: RecordFile): Awaitable<Buffer>
  /** The record in a file; undefined: there is none, or one of another version. */
  decode(bytes: Buffer, path: string): Awaitable<RecordFile | undefined>
  /** Whether a text is the one that was seen, or has only been touched since. */
  isSame(text: string, seen: string): boolean
  /** The record with another expiry. */
  touched(record: RecordFile, expiresAt: number): RecordFile
}
