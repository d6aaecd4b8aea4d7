import type { TableNames } from './sqlite-schema.js'

/**
 * The statements of a store. Their parameters are `?`, in the order of the comments; moments are ISO
 * texts of one length, so that their order is that of the texts, and an index on them is of use.
 */
export interface SqliteStatements {
  /** key, now → text, expiry */
  readonly load: string
  /** key, payload, expiry, now → changes if it was made */
  readonly create: string
  /** payload, expiry, key, now, seen → changes if it was replaced */
  readonly replace: string
  /** key, now → a row if it is live */
  readonly isLive: string
  /** expiry, key, now → changes if it was live */
  readonly touch: string
  /** now, key → whether the removed one was live */
  readonly destroy: string
  /** key, epoch → a row without a text, in which the key has ended */
  readonly hide: string
  /** now, (now,) how many → key, text of each removed one */
  readonly sweep: string
  /** key, now → key, text, expiry of those from this key on */
  readonly from: string
  /** … of those after it */
  readonly after: string
  /** owner, now → keys */
  readonly keysOfOwner: string
  /** key, owner */
  readonly own: string
  /** key */
  readonly disown: string
  /** key → the last key of the next page, and how many are on it */
  readonly pageOfOwned: string
  /** first key, last key: those of the page without a record go */
  readonly dropOrphans: string
  /** key, now → text, expiry of a record that the old table has */
  readonly findOld: string
  /** key, payload, expiry → changes if there was no row for the key */
  readonly copy: string
}

/** How many records a listing reads at once. */
const PAGE = 100

/** How many rows of the user index one step looks at. */
export const ORPHAN_PAGE = 500

/** A longer text is not sent along with the report that its record has expired. */
const REPORTED_TEXT = 16_384

/** The column may hold bytes, see `payload` of the store. */
const TEXT = 'CAST(t.sess AS TEXT) AS text'

/**
 * Names of columns that are no option are not quoted: what is quoted and not there, an SQLite with
 * its old defaults takes for a text, and compares that in silence. A `+` takes an expiry away from
 * the planner, who might go through the index of all that live.
 */
export function statementsOf({ records, owners, old }: TableNames): SqliteStatements {
  const insert = `INSERT INTO ${records} AS t (sid, sess, expire) VALUES (?, ?, ?)`
  const list = (comparison: string) => `SELECT t.sid, ${TEXT}, t.expire AS expiry
FROM ${records} t WHERE t.sid ${comparison} ? AND +t.expire > ? ORDER BY t.sid LIMIT ${PAGE}`
  const isOldGone =
    old === undefined
      ? ''
      : `
  AND (SELECT 1 FROM ${old.table} k WHERE k.${old.column} = t.sid AND k.expired > ?) IS NULL`
  return {
    load: `SELECT ${TEXT}, t.expire AS expiry FROM ${records} t
WHERE t.sid = ? AND t.expire > ?`,
    create: `${insert}
ON CONFLICT (sid) DO UPDATE SET sess = excluded.sess, expire = excluded.expire
WHERE t.expire <= ?`,
    replace: `UPDATE ${records} AS t SET sess = ?, expire = ?
WHERE t.sid = ? AND t.expire > ? AND CAST(t.sess AS TEXT) = ?`,
    isLive: `SELECT 1 FROM ${records} t WHERE t.sid = ? AND t.expire > ?`,
    touch: `UPDATE ${records} AS t SET expire = ? WHERE t.sid = ? AND t.expire > ?`,
    destroy: `DELETE FROM ${records} WHERE sid = ? RETURNING expire > ? AS live`,
    hide: `${insert} ON CONFLICT (sid) DO UPDATE SET sess = excluded.sess, expire = excluded.expire`,
    sweep: `DELETE FROM ${records} WHERE sid IN (
  SELECT t.sid FROM ${records} t WHERE t.expire <= ?${isOldGone}
  ORDER BY t.expire LIMIT ?
)
RETURNING sid, CASE WHEN length(sess) <= ${REPORTED_TEXT} THEN CAST(sess AS TEXT) END AS text`,
    from: list('>='),
    after: list('>'),
    // A cross join is done in the order it is written in.
    keysOfOwner: `SELECT o.sid FROM ${owners} o CROSS JOIN ${records} t
WHERE o.owner = ? AND t.sid = o.sid AND +t.expire > ?`,
    // Of a signed-in visitor's next page, say: no row to write.
    own: `INSERT INTO ${owners} AS o (sid, owner) VALUES (?, ?)
ON CONFLICT (sid) DO UPDATE SET owner = excluded.owner WHERE o.owner <> excluded.owner`,
    disown: `DELETE FROM ${owners} WHERE sid = ?`,
    pageOfOwned: `SELECT max(p.sid) AS last, count(*) AS length
FROM (SELECT o.sid FROM ${owners} o WHERE o.sid > ? ORDER BY o.sid LIMIT ${ORPHAN_PAGE}) p`,
    dropOrphans: `DELETE FROM ${owners} AS o WHERE o.sid > ? AND o.sid <= ?
AND NOT EXISTS (SELECT 1 FROM ${records} t WHERE t.sid = o.sid)`,
    findOld: `SELECT CAST(k.sess AS TEXT) AS text, k.expired AS expiry FROM ${old?.table} k
WHERE k.${old?.column} = ? AND k.expired > ?`,
    copy: `${insert} ON CONFLICT (sid) DO NOTHING`,
  }
}
