import { createHash } from 'node:crypto'
import { splitRecord } from '../../core/record.js'
import { oldExpiryIn } from './memcached-old-session.js'

/**
 * What an item holds: the text of a record, and a tail where something has to stand beside it.
 *
 * The tail is white space, which JSON allows at its end, so that the package which shares the
 * records parses them as before. Each of its characters is a bit: 64 of the hash of the user, 48 of
 * the expiry in ms. A record of this package names its user itself, and a server with the meta
 * commands tells the expiry; so most records have none.
 */
export interface ItemText {
  readonly text: string
  /** A mark of whose record it is; `''`: nobody's. */
  readonly owner: string
  /** undefined: the server knows, or the text. */
  readonly expiresAt: number | undefined
}

const OWNER_BITS = 64
const EXPIRY_BITS = 48
const TAIL = OWNER_BITS + EXPIRY_BITS
const A_TAIL = new RegExp(`[ \\t]{${TAIL}}$`)
const NOBODY = '0'.repeat(OWNER_BITS)

/** The mark of a user in {@link ItemText.owner}. */
export function ownerOf(user: string | undefined): string {
  if (user === undefined) return ''
  const hash = createHash('sha256').update(user, 'utf16le').digest()
  return hash.readBigUInt64BE().toString(2).padStart(OWNER_BITS, '0')
}

export function encodeItem({ text, owner, expiresAt }: ItemText): string {
  // A session of express-session has its end in its cookie.
  const isTold = expiresAt === undefined || expiresAt === oldExpiryIn(text)
  const isPlain = isTold && owner === ownerIn(text) && !A_TAIL.test(text)
  return isPlain ? text : text + tailOf(owner, expiresAt ?? 0)
}

export function decodeItem(value: string): ItemText {
  if (!A_TAIL.test(value)) return { text: value, owner: ownerIn(value), expiresAt: undefined }
  const bits = value.slice(-TAIL).replaceAll(' ', '0').replaceAll('\t', '1')
  const owner = bits.slice(0, OWNER_BITS)
  const expiry = Number.parseInt(bits.slice(OWNER_BITS), 2)
  return {
    text: value.slice(0, -TAIL),
    owner: owner === NOBODY ? '' : owner,
    expiresAt: expiry === 0 ? undefined : expiry,
  }
}

/** The two parts of a value, for those who cannot store both as they are. */
export function splitTail(value: string): [text: string, tail: string] {
  return A_TAIL.test(value) ? [value.slice(0, -TAIL), value.slice(-TAIL)] : [value, '']
}

function tailOf(owner: string, expiresAt: number): string {
  const expiry = Math.min(Math.max(Math.ceil(expiresAt), 0), 2 ** EXPIRY_BITS - 1)
  const bits = (owner || NOBODY) + expiry.toString(2).padStart(EXPIRY_BITS, '0')
  return bits.replaceAll('0', ' ').replaceAll('1', '\t')
}

/** Whose a text says it is, if it is one of this package. */
function ownerIn(text: string): string {
  const facts = splitRecord(text)?.facts
  if (facts === undefined) return ''
  try {
    const { user }: { user?: unknown } = JSON.parse(facts)
    return typeof user === 'string' ? ownerOf(user) : ''
  } catch {
    return ''
  }
}
