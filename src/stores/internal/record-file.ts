/** A record as one file: a line of JSON about it, then its text, byte for byte. */
export interface RecordFile {
  readonly key: string
  readonly expiresAt: number
  readonly user: string | undefined
  /** The text in UTF-8. */
  readonly body: Buffer
}

/** Grows when a program of today could misread the file. Readers leave other versions alone. */
const VERSION = 1

const LINE_FEED = 0x0a

/** The bytes of a record. An expiry of `null` is Infinity, which JSON cannot say. */
export function encodeRecordFile({ key, expiresAt, user, body }: RecordFile): Buffer {
  const moment = Number.isNaN(expiresAt) || expiresAt === -Infinity ? 0 : expiresAt
  const header = JSON.stringify({ v: VERSION, expiresAt: moment, key, user })
  return Buffer.concat([Buffer.from(`${header}\n`), body])
}

/** The record, or undefined if the bytes are none, or one of another version. */
export function decodeRecordFile(bytes: Buffer): RecordFile | undefined {
  const end = bytes.indexOf(LINE_FEED)
  if (end === -1) return undefined
  const { v, key, expiresAt, user } = parsed(bytes.toString('utf8', 0, end))
  if (v !== VERSION || typeof key !== 'string') return undefined
  if (expiresAt !== null && typeof expiresAt !== 'number') return undefined
  if (user !== undefined && typeof user !== 'string') return undefined
  return { key, expiresAt: expiresAt ?? Infinity, user, body: bytes.subarray(end + 1) }
}

function parsed(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
