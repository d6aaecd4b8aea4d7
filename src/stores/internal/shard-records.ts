import { basename } from 'node:path'
import { type FileLayout, hashName, isHashName, shardFiles } from './file-layout.js'
import type { FileSystem } from './file-system.js'
import { decodeRecordFile, encodeRecordFile, type RecordFile } from './record-file.js'
import type { RecordLayout } from './record-layout.js'

/** The layout of our own: any key and any text, in 256 folders. */
export class ShardRecords implements RecordLayout {
  readonly #fs: FileSystem
  readonly #layout: FileLayout

  constructor(fs: FileSystem, layout: FileLayout) {
    this.#fs = fs
    this.#layout = layout
  }

  pathOf(key: string): string {
    return this.#layout.recordOf(key)
  }

  isRecord(name: string): boolean {
    return isHashName(name)
  }

  files(first?: string): AsyncIterable<{ path: string; name: string }> {
    return shardFiles(this.#fs, this.#layout, first)
  }

  encode(record: RecordFile): Buffer {
    return encodeRecordFile(record)
  }

  decode(bytes: Buffer, path: string): RecordFile | undefined {
    const record = decodeRecordFile(bytes)
    // Set aside, a file has more to its name.
    return record && basename(path).startsWith(hashName(record.key)) ? record : undefined
  }

  isSame(text: string, seen: string): boolean {
    return text === seen
  }

  touched(record: RecordFile, expiresAt: number): RecordFile {
    return { ...record, expiresAt }
  }
}
