import type { TableNames } from './mysql-schema.js'
import { SWEEP_STEP } from './sql-steps.js'

/** The statements of a store. Their parameters are in the order of the comments; times in seconds. */
export interface MySQLStatements {
  /** key, now → text, expiry */
  readonly load: string
  /** key, expiry, payload; a duplicate: a row is there */
  readonly create: string
  /** key, expiry, payload, key, owner → count: 0 if the user index does not name the owner any more */
  readonly createOwned: string
  /** [owner, key for the user index,] payload, expiry, key, now → mark: {@link TAKING} */
  readonly takeOver: string
  /** The same for a record of nobody. */
  readonly takeOverForNobody: string
  /** key, owner, since in ms; a duplicate: a row is there */
  readonly own: string
  /** key, payload, expiry, key, now, seen → mark: {@link REPLACING} */
  readonly replace: string
  /** key, payload, expiry, owner, key, now, seen */
  readonly replaceOwned: string
  /** expiry, key, now → mark: {@link TOUCHED} if it was live */
  readonly touch: string
  /** key, key, now: if it is live */
  readonly destroyLive: string
  /** key, key */
  readonly destroy: string
  /** now → key, text of what has expired; `limit` is put in */
  readonly expired: (limit: number) => string
  /** {@link SWEEP_STEP} keys, now */
  readonly sweep: string
  /** {@link SWEEP_STEP} keys, age in ms: their rows in the user index */
  readonly sweepOwners: string
  /** key, now → key, text, expiry of those from this key on */
  readonly from: string
  /** … of those after it */
  readonly after: string
  /** owner, now → keys */
  readonly keysOfOwner: string
  /** key → the keys of the next rows of the user index */
  readonly ownerPage: string
  /** first key (not included), last key, age in ms */
  readonly dropOrphans: string
  /** key, now, key → text, expiry of a record that the old table alone has */
  readonly findOld: string
  /** now, key, key, now → 'live' or 'dead' here (null: no row), and there */
  readonly peek: string
  /** key: leaves a dead row for it */
  readonly hide: string
}

/** What `takeOver` says. 0: no row is there any more. */
export const TAKING = { live: 1, taken: 2, notIndexed: 3 } as const

/** What `replace` says. 0: no row is there. */
export const REPLACING = { dead: 1, changed: 2, replaced: 3, notIndexed: 4 } as const

/** What `touch` says of a live row. 1: it has expired. 0: no row is there. */
export const TOUCHED = 2

/** How many records a listing reads at once. */
export const PAGE = 100

/** How many rows of the user index one step looks at. */
export const ORPHAN_PAGE = 500

/** A longer text is not sent along with the report that its record has expired. */
const REPORTED_TEXT = 16_384

const DUMMY = "'{}'"

/**
 * An UPDATE tells how many rows it has met, or how many it has changed: that is up to a flag of the
 * connection. `LAST_INSERT_ID(n)` comes back in the answer to the same statement, whatever the flag,
 * and tells in addition why a row was left as it is.
 *
 * Each statement is a transaction of its own. Those that write both tables are atomic, lock the row
 * of the record first, and find both rows by a parameter: a comparison of the two columns would be
 * at the mercy of their collations.
 */
export function statementsOf({
  records,
  sid,
  expires,
  data,
  owners,
  old,
}: TableNames): MySQLStatements {
  // Columns may be of JSON, which drivers parse, or of bytes, or empty.
  const text = `COALESCE(CAST(t.${data} AS CHAR CHARACTER SET utf8mb4), '')`
  // Whatever a pool makes of numbers and of columns, texts it leaves alone.
  const ending = `CAST(t.${expires} AS CHAR)`
  // As bytes: collations take other letters, and spaces at the end, for the same.
  const same = `CAST(${text} AS BINARY) = CAST(CONVERT(? USING utf8mb4) AS BINARY)`
  const withOwner = owners === undefined ? '' : ` LEFT JOIN ${owners} o ON o.\`sid\` = ?`
  const disowned = owners === undefined ? '' : ', o.`owner` = NULL'
  // MariaDB asks the condition of a row that is not there too, with NULL for its columns; but IS NULL
  // of a column that is NOT NULL is false to its optimizer, whatever is there.
  const taking = (dead: string) => `LAST_INSERT_ID(CASE t.${expires} > ?
  WHEN 1 THEN ${TAKING.live} WHEN 0 THEN ${dead} ELSE 0 END) = ${TAKING.taken}`
  const list = (comparison: string) => `SELECT t.${sid}, ${text}, ${ending}
FROM ${records} t WHERE t.${sid} ${comparison} ? AND t.${expires} > ? ORDER BY t.${sid} LIMIT ${PAGE}`
  const inStep = `IN (${Array(SWEEP_STEP).fill('?').join(',')})`
  const both = owners === undefined ? '' : ', o'
  const liveOld = (key: string) => `SELECT 1 FROM ${old?.table} k WHERE k.${old?.column} = ${key}
AND k.\`expired\` > '1970-01-01' + INTERVAL ? SECOND`

  return {
    load: `SELECT ${text}, ${ending} FROM ${records} t WHERE t.${sid} = ? AND t.${expires} > ?`,
    create: `INSERT INTO ${records} (${sid}, ${expires}, ${data}) VALUES (?, ?, ?)`,
    createOwned: `INSERT INTO ${records} (${sid}, ${expires}, ${data})
SELECT ?, ?, ? FROM ${owners} o WHERE o.\`sid\` = ? AND o.\`owner\` = ? LOCK IN SHARE MODE`,
    takeOver: `UPDATE ${records} t${withOwner}
SET t.${data} = ?, t.${expires} = ?, o.\`owner\` = ?, o.\`since\` = ?
WHERE t.${sid} = ? AND ${taking(`IF(o.\`sid\` IS NULL, ${TAKING.notIndexed}, ${TAKING.taken})`)}`,
    takeOverForNobody: `UPDATE ${records} t${withOwner}
SET t.${data} = ?, t.${expires} = ?${disowned}
WHERE t.${sid} = ? AND ${taking(`${TAKING.taken}`)}`,
    own: `INSERT INTO ${owners} (\`sid\`, \`owner\`, \`since\`) VALUES (?, ?, ?)`,
    replace: `UPDATE ${records} t${withOwner}
SET t.${data} = ?, t.${expires} = ?${disowned}
WHERE t.${sid} = ? AND LAST_INSERT_ID(IF(t.${expires} > ?,
  IF(${same}, ${REPLACING.replaced}, ${REPLACING.changed}), ${REPLACING.dead})) = ${REPLACING.replaced}`,
    replaceOwned: `UPDATE ${records} t${withOwner}
SET t.${data} = ?, t.${expires} = ?, o.\`owner\` = ?
WHERE t.${sid} = ? AND LAST_INSERT_ID(IF(t.${expires} > ?, IF(${same},
  IF(o.\`sid\` IS NULL, ${REPLACING.notIndexed}, ${REPLACING.replaced}),
  ${REPLACING.changed}), ${REPLACING.dead})) = ${REPLACING.replaced}`,
    touch: `UPDATE ${records} t SET t.${expires} = ?
WHERE t.${sid} = ? AND LAST_INSERT_ID(IF(t.${expires} > ?, ${TOUCHED}, 1)) = ${TOUCHED}`,
    destroyLive: `DELETE t${both} FROM ${records} t${withOwner}
WHERE t.${sid} = ? AND t.${expires} > ?`,
    destroy: `DELETE t${both} FROM ${records} t${withOwner} WHERE t.${sid} = ?`,
    expired: (limit) => `SELECT t.${sid}, IF(LENGTH(t.${data}) <= ${REPORTED_TEXT}, ${text}, NULL)
FROM ${records} t WHERE t.${expires} <= ?${
      old === undefined ? '' : `\nAND NOT EXISTS (${liveOld(`t.${sid}`)})`
    }
ORDER BY t.${expires} LIMIT ${limit}`,
    sweep: `DELETE FROM ${records} WHERE ${sid} ${inStep} AND ${expires} <= ?`,
    sweepOwners: `DELETE o FROM ${owners} o LEFT JOIN ${records} t ON t.${sid} = o.\`sid\`
WHERE o.\`sid\` ${inStep} AND o.\`since\` < ? AND t.${sid} IS NULL`,
    from: list('>='),
    after: list('>'),
    keysOfOwner: `SELECT t.${sid} FROM ${owners} o JOIN ${records} t ON t.${sid} = o.\`sid\`
WHERE o.\`owner\` = ? AND t.${expires} > ? ORDER BY t.${sid}`,
    ownerPage: `SELECT o.\`sid\` FROM ${owners} o WHERE o.\`sid\` > ? ORDER BY o.\`sid\` LIMIT ${ORPHAN_PAGE}`,
    dropOrphans: `DELETE o FROM ${owners} o LEFT JOIN ${records} t ON t.${sid} = o.\`sid\`
WHERE o.\`sid\` > ? AND o.\`sid\` <= ? AND o.\`since\` < ? AND t.${sid} IS NULL`,
    findOld: `SELECT CAST(k.\`sess\` AS CHAR CHARACTER SET utf8mb4),
  CAST(TIMESTAMPDIFF(SECOND, '1970-01-01', k.\`expired\`) AS CHAR)
FROM ${old?.table} k WHERE k.${old?.column} = ? AND k.\`expired\` > '1970-01-01' + INTERVAL ? SECOND
AND NOT EXISTS (SELECT 1 FROM ${records} t WHERE t.${sid} = ?)`,
    peek: `SELECT (SELECT IF(t.${expires} > ?, 'live', 'dead') FROM ${records} t WHERE t.${sid} = ?),
  IF(EXISTS (${liveOld('?')}), 'live', 'dead')`,
    hide: `INSERT INTO ${records} (${sid}, ${expires}, ${data}) VALUES (?, 0, ${DUMMY})
ON DUPLICATE KEY UPDATE ${expires} = 0, ${data} = ${DUMMY}`,
  }
}
