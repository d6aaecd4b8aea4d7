import { kindOf, wrongOption } from './store-options.js'

/**
 * What `PostgresStore` asks of `pg`: a Pool, or a Client. What has the same method fits too, such
 * as PGlite.
 */
export interface PgLike {
  query(text: string, values?: unknown[]): PromiseLike<{ readonly rows: readonly object[] }>
}

/** What `PostgresStore` asks of `postgres` (Postgres.js). */
export interface PostgresJsLike {
  unsafe(
    text: string,
    values?: never[],
    options?: { prepare?: boolean },
  ): PromiseLike<readonly object[]>
  typed(value: never, type: number): unknown
}

/** One statement, its rows as the values of their columns. */
export type Send = (text: string, values: readonly Value[]) => Promise<readonly unknown[][]>

export type Value = string | number | Payload

/** The text of a record: the server is to take it for whatever type its column has. */
export class Payload {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** The type "unknown" of PostgreSQL, which becomes that of the column (`SELECT 'unknown'::regtype::oid`). */
const UNKNOWN = 705

/** How statements are sent over what the caller has. @throws OptionError */
export function sender(store: string, { pool, sql }: { pool?: unknown; sql?: unknown }): Send {
  if ((pool === undefined) === (sql === undefined)) {
    const what = pool === undefined ? pool : sql
    throw wrongOption(store, "pool' or 'sql", what, 'given, one of the two')
  }
  if (sql !== undefined) {
    if (has(sql, 'unsafe') && has(sql, 'typed')) return overPostgresJs(sql as PostgresJsLike)
    throw wrongOption(
      store,
      'sql',
      sql,
      `what postgres() of the package postgres gives${other(sql)}`,
    )
  }
  // Postgres.js is a function, which has no query().
  if (has(pool, 'query')) {
    const send = overPg(pool as PgLike)
    return isOneConnection(pool) ? inTurn(send) : send
  }
  throw wrongOption(store, 'pool', pool, `a Pool or a Client of the package pg${other(pool)}`)
}

function other(value: unknown): string {
  if (has(value, 'unsafe')) return "; this is Postgres.js, for option 'sql'"
  if (has(value, 'query')) return "; this one is for option 'pool'"
  return ''
}

function has(value: unknown, method: string): boolean {
  const held = kindOf(value) === 'an object' || typeof value === 'function'
  return held && typeof (value as Record<string, unknown>)[method] === 'function'
}

function overPg(pool: PgLike): Send {
  return async (text, values) => {
    // No name, so nothing of the session outlives the statement.
    const plain = values.map((value) => (value instanceof Payload ? value.text : value))
    const { rows } = await pool.query(text, plain)
    return rows.map((row) => Object.values(row))
  }
}

/** A Client of `pg`, as opposed to a Pool, which counts its clients. */
function isOneConnection(pool: unknown): boolean {
  return has(pool, 'escapeLiteral') && !('totalCount' in (pool as object))
}

/** One statement after the other: pg 9 refuses what comes while a Client is busy. */
function inTurn(send: Send): Send {
  let last: Promise<unknown> = Promise.resolve()
  return (text, values) => {
    const sent = last.then(() => send(text, values))
    last = sent.catch(() => {})
    return sent
  }
}

function overPostgresJs(sql: PostgresJsLike): Send {
  return async (text, values) => {
    // It would make JSON of a text for a column of JSON, which is JSON already.
    const typed = values.map((value) =>
      value instanceof Payload ? sql.typed(value.text as never, UNKNOWN) : value,
    )
    // Prepared, unless the program has said `prepare: false`: otherwise it asks for the types of
    // the parameters first, each time, and waits for the server twice.
    const rows = await sql.unsafe(text, typed as never[], { prepare: true })
    // Iterated by index: what it gives is an array with more on it.
    return Array.from(rows, (row) => Object.values(row))
  }
}

/** What a pool of `pg` has beside its `query`. */
interface Emitter {
  on(event: 'error', listener: (error: unknown) => void): unknown
  listenerCount(event: 'error'): number
}

/**
 * A pool of `pg` tells of a connection that was lost while nobody used it by an `error` event, and
 * without a listener such an event ends the process: each restart of the database would do so. If
 * the program listens itself, that is enough.
 */
export function hearLostConnections(pool: unknown, tell: (error: unknown) => void): void {
  if (!has(pool, 'on') || !has(pool, 'listenerCount')) return
  const emitter = pool as Emitter
  if (emitter.listenerCount('error') === 0) emitter.on('error', tell)
}
