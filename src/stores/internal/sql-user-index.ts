import { createHash } from 'node:crypto'
import { derivedName, isStorable } from './sql-identifier.js'

/**
 * Whose each record is, in a table beside that of the records, which has no column for it in the
 * packages that these stores replace. It has one row for each record of somebody:
 *
 * - `sid`: the key of the record; primary key
 * - `owner`: whose it is, see {@link ownerOf}; with an index of its own
 * - `since`: when that was noted
 *
 * It is written in the same transaction as its record, and after it, so that whoever holds the row
 * of the record has the say; but in MySQL, which inserts into one table at a time, before a new one. It is only ever read joined to live records. Other writers (the old
 * package, an administrator) remove records and leave rows here, which {@link ORPHAN_AGE} is about.
 */
export const USER_INDEX_ENDING = 'by_user'

/** The name of the side table of `table`. */
export function userIndexTable(table: string, longest: number): string {
  return derivedName(table, USER_INDEX_ENDING, longest)
}

/**
 * How old in ms a row without a record has to be to be removed. A record that is made under an old
 * key writes its row again, with a new `since`: who looked for orphans before that and has locked
 * the row since must find that it is none any more. Longer than clocks of two machines differ.
 */
export const ORPHAN_AGE = 60 * 60 * 1000

/** How long a name of a user may be to be kept as it is. Index entries are bounded everywhere. */
const LONGEST_OWNER = 255

const HASHED = 'sha256:'

/** What is kept for a user: the name itself, or its hash if it is too long or no text for SQL. */
export function ownerOf(user: string): string {
  const plain = user.length <= LONGEST_OWNER && !user.startsWith(HASHED) && isStorable(user)
  // To collations of MySQL spaces at the end make no difference.
  if (plain && !user.endsWith(' ')) return user
  // As UTF-16, since a lone surrogate has no UTF-8.
  return HASHED + createHash('sha256').update(Buffer.from(user, 'utf16le')).digest('hex')
}
