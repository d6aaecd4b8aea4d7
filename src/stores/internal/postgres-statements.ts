import type { TableNames } from './postgres-schema.js'

/** The statements of a store. `$n` are their parameters, in the order of the comments; times in ms. */
export interface PostgresStatements {
  /** key, now → text, expiry */
  readonly load: string
  /** key, payload, expiry, now → a row if it was made */
  readonly create: string
  /** … and the owner */
  readonly createOwned: string
  /** key, payload, expiry, now, seen → whether a live one was found, whether it was replaced */
  readonly replace: string
  /** … and the owner */
  readonly replaceOwned: string
  /** key, expiry, now → a row if it was live */
  readonly touch: string
  /** key, now → whether the removed one was live */
  readonly destroy: string
  /** now, how many → key and text of each removed one */
  readonly sweep: string
  /** key, now → key, text, expiry of those from this key on */
  readonly from: string
  /** … of those after it */
  readonly after: string
  /** owner, now → keys */
  readonly keysOfOwner: string
  /** key, age → the last key looked at, if there may be more */
  readonly dropOrphans: string
  /** key, now → text, expiry of a record that the old table has */
  readonly findOld: string
  /** key, payload, expiry → a row if there was none for the key */
  readonly copy: string
}

/** How many records a listing reads at once. */
export const PAGE = 100

/** How many rows of the user index one step looks at. */
export const ORPHAN_PAGE = 500

/** A longer text is not sent along with the report that its record has expired. */
const REPORTED_TEXT = 16_384

/**
 * Times go as ms and become moments on the server, in the TimeZone of the connection where the
 * column has none: that is how connect-pg-simple writes and compares them. A `Date` would be sent as
 * the wall clock of this process.
 */
const at = (n: number) => `to_timestamp($${n}::float8 / 1000)`

const EPOCH = 'to_timestamp(0)'

const EXPIRY = '(extract(epoch FROM t."expire"::timestamptz) * 1000)::float8 AS "expiry"'

/**
 * Whether the column holds what was read. json and text give back what was written. jsonb does not,
 * so what a store has written itself and not read since becomes jsonb first; with a part of the row
 * in it, or the planner would try that for columns of other types too.
 */
const SAME = `CASE pg_typeof(t."sess")::text
    WHEN 'jsonb' THEN t."sess"::text = ((left(t."sid", 0) || $5::text)::jsonb)::text
    ELSE t."sess"::text = $5::text
  END`

/**
 * Each is one statement, so a transaction of its own that needs nothing of the connection. Rows of
 * the user index are written after the row of the record, which they read the key from: whoever
 * holds that row has the say, and nobody waits for two in another order.
 */
export function statementsOf({ records, owners, old }: TableNames): PostgresStatements {
  const disown = (done: string) =>
    owners === undefined
      ? ''
      : `, disowned AS (
  DELETE FROM ${owners} WHERE "sid" = $1::text AND EXISTS (SELECT FROM ${done})
)`
  const own = (done: string, n: number, unless = '') => `, owned AS (
  INSERT INTO ${owners} AS o ("sid", "owner", "since") SELECT d."sid", $${n}::text, ${at(4)}
  FROM ${done} d${unless}
  ON CONFLICT ("sid") DO UPDATE SET "owner" = EXCLUDED."owner", "since" = EXCLUDED."since"
)`
  // Of a signed-in visitor's next page, say: no row to write.
  const unlessKnown = `
  WHERE NOT EXISTS (SELECT FROM ${owners} k WHERE k."sid" = $1::text AND k."owner" = $6::text)`

  const create = (then: string) => `WITH made AS (
  INSERT INTO ${records} AS t ("sid", "sess", "expire") VALUES ($1::text, $2, ${at(3)})
  ON CONFLICT ("sid") DO UPDATE SET "sess" = EXCLUDED."sess", "expire" = EXCLUDED."expire"
  WHERE t."expire" <= ${at(4)}
  RETURNING t."sid"
)${then}
SELECT "sid" FROM made`

  // Locked first, so that what is compared is the newest row, and a row that another statement has
  // just removed is gone and not changed.
  const replace = (then: string) => `WITH found AS (
  SELECT t."sid", ${SAME} AS "same"
  FROM ${records} t WHERE t."sid" = $1::text AND t."expire" > ${at(4)}
  FOR NO KEY UPDATE
), written AS (
  UPDATE ${records} AS t SET "sess" = $2, "expire" = ${at(3)}
  FROM found f WHERE t."sid" = f."sid" AND f."same"
  RETURNING t."sid"
)${then}
SELECT EXISTS (SELECT FROM found), EXISTS (SELECT FROM written) AS "written"`

  const list = (comparison: string) => `SELECT t."sid", t."sess"::text AS "text", ${EXPIRY}
FROM ${records} t WHERE t."sid" ${comparison} $1::text AND t."expire" > ${at(2)}
ORDER BY t."sid" LIMIT ${PAGE}`

  const destroy = `WITH ended AS (
  DELETE FROM ${records} AS t WHERE t."sid" = $1::text RETURNING t."expire" > ${at(2)} AS "live"
)${disown('ended')}
SELECT "live" FROM ended`

  const liveOld = (key: string, now: number) =>
    `SELECT true FROM ${old?.table} k WHERE k.${old?.column} = ${key} AND k."expired" > ${at(now)}`
  // The row that stays is long expired, and holds nothing any more.
  const destroyAndHide = `WITH found AS (
  SELECT t."sid", t."expire" > ${at(2)} AS "live" FROM ${records} t WHERE t."sid" = $1::text
  FOR UPDATE
), hidden AS (
  INSERT INTO ${records} AS t ("sid", "sess", "expire")
  SELECT $1::text, '{}', ${EPOCH} WHERE EXISTS (${liveOld('$1::text', 2)})
  ON CONFLICT ("sid") DO UPDATE SET "sess" = EXCLUDED."sess", "expire" = EXCLUDED."expire"
  RETURNING t."sid"
), ended AS (
  DELETE FROM ${records} AS t USING found f WHERE t."sid" = f."sid"
  AND NOT EXISTS (SELECT FROM hidden)
  RETURNING t."sid"
)${disown('found')}
SELECT coalesce((SELECT "live" FROM found), EXISTS (SELECT FROM hidden)) AS "live"`

  return {
    load: `SELECT t."sess"::text AS "text", ${EXPIRY}
FROM ${records} t WHERE t."sid" = $1::text AND t."expire" > ${at(2)}`,
    create: create(disown('made')),
    createOwned: create(own('made', 5)),
    replace: replace(disown('written')),
    replaceOwned: replace(own('written', 6, unlessKnown)),
    touch: `UPDATE ${records} AS t SET "expire" = ${at(2)}
WHERE t."sid" = $1::text AND t."expire" > ${at(3)}
RETURNING t."sid"`,
    destroy: old === undefined ? destroy : destroyAndHide,
    // What the old table has is asked for as a value: of an EXISTS the planner would make a join
    // with all of that table.
    sweep: `WITH dead AS (
  SELECT t."sid" FROM ${records} t WHERE t."expire" <= ${at(1)}${
    old === undefined ? '' : `\n  AND (${liveOld('t."sid"', 1)}) IS NULL`
  }
  ORDER BY t."expire" LIMIT $2::int
  FOR UPDATE OF t SKIP LOCKED
), swept AS (
  DELETE FROM ${records} AS t WHERE t."sid" = ANY (ARRAY(SELECT "sid" FROM dead))
  RETURNING t."sid", t."sess"::text AS "text"
)${
      owners === undefined
        ? ''
        : `, disowned AS (
  DELETE FROM ${owners} WHERE "sid" = ANY (ARRAY(SELECT "sid" FROM swept))
)`
    }
SELECT "sid", CASE WHEN length("text") <= ${REPORTED_TEXT} THEN "text" END FROM swept`,
    from: list('>='),
    after: list('>'),
    keysOfOwner: `SELECT o."sid" FROM ${owners} o JOIN ${records} t ON t."sid" = o."sid"
WHERE o."owner" = $1::text AND t."expire" > ${at(2)}`,
    dropOrphans: `WITH page AS (
  SELECT o."sid" FROM ${owners} o WHERE o."sid" > $1::text ORDER BY o."sid" LIMIT ${ORPHAN_PAGE}
), orphans AS (
  SELECT o."sid" FROM ${owners} o WHERE o."sid" = ANY (ARRAY(SELECT "sid" FROM page))
  AND o."since" < ${at(2)} AND NOT EXISTS (SELECT FROM ${records} t WHERE t."sid" = o."sid")
  FOR UPDATE OF o SKIP LOCKED
), dropped AS (
  DELETE FROM ${owners} WHERE "sid" = ANY (ARRAY(SELECT "sid" FROM orphans))
)
SELECT max("sid") FROM page HAVING count(*) = ${ORPHAN_PAGE}`,
    findOld: `SELECT k."sess"::text AS "text",
  (extract(epoch FROM k."expired"::timestamptz) * 1000)::float8 AS "expiry"
FROM ${old?.table} k WHERE k.${old?.column} = $1::text AND k."expired" > ${at(2)}`,
    copy: `INSERT INTO ${records} AS t ("sid", "sess", "expire") VALUES ($1::text, $2, ${at(3)})
ON CONFLICT ("sid") DO NOTHING
RETURNING t."sid"`,
  }
}
