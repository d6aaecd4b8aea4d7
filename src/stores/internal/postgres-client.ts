import { createHash } from 'node:crypto'
import { CoatcheckError } from '../../errors.js'
import { wrongOption } from './store-options.js'

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

export interface SenderOptions {
  readonly pool?: unknown
  readonly sql?: unknown
  readonly prepare?: unknown
}

/** How statements are sent over what the caller has. @throws OptionError */
export function sender(store: string, { pool, sql, prepare = true }: SenderOptions): Send {
  if (typeof prepare !== 'boolean') throw wrongOption(store, 'prepare', prepare, 'true or false')
  if ((pool === undefined) === (sql === undefined)) {
    const what = pool === undefined ? pool : sql
    throw wrongOption(store, "pool' or 'sql", what, 'given, one of the two')
  }
  if (sql !== undefined) {
    if (has(sql, 'unsafe') && has(sql, 'typed')) {
      const unprepared = overPostgresJs(sql as PostgresJsLike, false)
      if (!prepare) return unprepared
      return untilRefused(overPostgresJs(sql as PostgresJsLike, true), unprepared)
    }
    throw wrongOption(
      store,
      'sql',
      sql,
      `what postgres() of the package postgres gives${other(sql)}`,
    )
  }
  // Postgres.js is a function, which has no query().
  if (has(pool, 'query')) {
    const unprepared = overPg(pool as PgLike)
    // What only has the same query() may take nothing but a text.
    const isNamed = prepare && isOfPg(pool)
    const send = isNamed ? untilRefused(overPreparedPg(pool as PgByName), unprepared) : unprepared
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
  const held = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return held && typeof (value as Record<string, unknown>)[method] === 'function'
}

/** Query builders and mappers have a `query` too, some with the rows themselves as its answer. */
const NO_ROWS =
  "PostgresStore: what 'pool' answers has no rows. It has to be the Pool of pg itself: of pg-promise " +
  'db.$pool, say.'

function overPg(pool: PgLike): Send {
  return async (text, values) => {
    // No name, so nothing of the session outlives the statement.
    const { rows } = await pool.query(text, values.map(plain))
    if (!Array.isArray(rows)) throw new CoatcheckError('ERR_STORE', NO_ROWS, { outcome: 'unknown' })
    return rows.map((row) => Object.values(row))
  }
}

interface PgByName extends PgLike {
  query(text: string, values?: unknown[]): PromiseLike<{ readonly rows: readonly object[] }>
  query(named: {
    readonly name: string
    readonly text: string
    readonly values: unknown[]
  }): PromiseLike<{ readonly rows: readonly object[] }>
}

/** Each connection of `pg` remembers which names it has prepared. */
function overPreparedPg(pool: PgByName): Send {
  const names = new Map<string, string>()
  return async (text, values) => {
    let name = names.get(text)
    if (name === undefined) {
      name = nameOf(text)
      names.set(text, name)
    }
    const { rows } = await pool.query({ name, text, values: values.map(plain) })
    return rows.map((row) => Object.values(row))
  }
}

/**
 * Of 63 bytes at most, and made of the text: where programs share the connections of a pooler, what
 * has the same name is the same statement.
 */
function nameOf(text: string): string {
  return `coatcheck_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
}

function plain(value: Value): string | number {
  return value instanceof Payload ? value.text : value
}

/**
 * What a server answers to a name before it does anything: it has no statement of that name, it has
 * one already (both where a pooler hands out another connection for each transaction), or the
 * columns of its result have become others (`ALTER TABLE`).
 */
const REFUSED_NAMES = ['26000', '42P05', '0A000']

/** Prepares, until it turns out that it cannot be done here. */
function untilRefused(prepared: Send, unprepared: Send): Send {
  let isRefused = false
  return async (text, values) => {
    // A migration is several statements, which no name can have.
    if (isRefused || values.length === 0) return unprepared(text, values)
    try {
      return await prepared(text, values)
    } catch (error) {
      const { code } = Object(error) as { code?: unknown }
      if (!REFUSED_NAMES.includes(code as string)) throw error
      isRefused = true
      return unprepared(text, values)
    }
  }
}

/** A Pool of `pg` counts its clients. */
function isOfPg(pool: unknown): boolean {
  return 'totalCount' in (pool as object) || isOneConnection(pool)
}

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

function overPostgresJs(sql: PostgresJsLike, prepare: boolean): Send {
  return async (text, values) => {
    // It would make JSON of a text for a column of JSON, which is JSON already.
    const typed = values.map((value) =>
      value instanceof Payload ? sql.typed(value.text as never, UNKNOWN) : value,
    )
    // Unless it prepares, it asks for the types of the parameters first, each time, and waits for
    // the server twice. If the program has said `prepare: false` to postgres(), that is how it is.
    const rows = await sql.unsafe(text, typed as never[], { prepare })
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
