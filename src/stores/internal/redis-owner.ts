import { hash } from 'node:crypto'

/** 128 bits, four to a byte of which each is a character of the mark. */
const HASH_BYTES = 16
const MARK_LENGTH = 1 + HASH_BYTES * 4

/** The white space that JSON allows anywhere, so that a marked text is the same JSON to all others. */
const SIGNS = ' \t\n\r'
const ONLY_SIGNS = /^[ \t\n\r]*$/

/** Marks a text of nobody's that ends as if it were marked. */
const NOBODY = `\n${SIGNS[0]!.repeat(MARK_LENGTH - 1)}`

/** A user as the store names one: no key or record of the server shows who it is. */
export interface Owner {
  /** 22 characters of base64url, for a key. */
  readonly name: string
  /** Written behind the texts of this user's records. */
  readonly mark: string
}

/** What a string of the server holds: a text, and behind it the mark of its owner. */
export interface Marked {
  readonly text: string
  readonly mark: string | undefined
}

export function ownerOf(user: string): Owner {
  const bytes = Buffer.from(hash('sha256', user, 'hex'), 'hex').subarray(0, HASH_BYTES)
  let mark = '\n'
  for (const byte of bytes) {
    for (const shift of [6, 4, 2, 0]) mark += SIGNS[(byte >> shift) & 3]
  }
  return { name: bytes.toString('base64url'), mark }
}

/** The string to store. A text of nobody's is stored as it is, whenever that can be read back. */
export function withMark(text: string, owner: Owner | undefined): string {
  if (owner !== undefined) return text + owner.mark
  return endsMarked(text) ? text + NOBODY : text
}

/** What a stored string says, by us or by others. */
export function withoutMark(stored: string): Marked {
  if (!endsMarked(stored)) return { text: stored, mark: undefined }
  const at = stored.length - MARK_LENGTH
  return { text: stored.slice(0, at), mark: stored.slice(at) }
}

/** The arguments of GETRANGE that read the mark alone. */
export const MARK_RANGE = [`-${MARK_LENGTH}`, '-1'] as const

/** The same as `withoutMark`, in Lua: takes the mark off the string `v`. */
export const UNMARKED_IN_LUA = `if #v>=${MARK_LENGTH} and v:byte(-${MARK_LENGTH})==10 and not v:find('[^ \\t\\r\\n]',-${MARK_LENGTH}) then v=v:sub(1,-${MARK_LENGTH + 1}) end`

function endsMarked(text: string): boolean {
  const at = text.length - MARK_LENGTH
  // Nearly every text ends with a brace.
  if (at < 0 || text[at] !== '\n' || !SIGNS.includes(text[text.length - 1]!)) return false
  return ONLY_SIGNS.test(text.slice(at))
}
