import { CoatcheckError } from '../../errors.js'
import { wrongOption } from './store-options.js'

/**
 * What `MySQLStore` asks of a pool of `mysql2`, of either of its faces, and of `mariadb`. `execute`
 * sends a prepared statement, so no text of a session is ever part of SQL: what `query` quotes is
 * not safe where the server's mode is NO_BACKSLASH_ESCAPES.
 */
export interface MySQLPoolLike {
  execute(...args: never[]): unknown
  getConnection(...args: never[]): unknown
}

/** What a server has said to one statement. */
export interface Answer {
  /** The values of each row. */
  readonly rows: readonly (readonly unknown[])[]
  /** Of an INSERT or a DELETE: how many rows. */
  readonly count: number
  /** What the statement has given to `LAST_INSERT_ID()`, 0 if no row came as far as there. */
  readonly mark: number
}

export type Value = string | number | null

export type Send = (sql: string, values: readonly Value[]) => Promise<Answer>

/** How both packages are asked for the same answer, whatever the options of the pool are. */
const SHAPE = {
  rowsAsArray: true,
  metaAsArray: true,
  nestTables: false,
  namedPlaceholders: false,
}

/** What a pool gives that answers by promises. */
interface PromisePool {
  execute(options: object, values: readonly Value[]): PromiseLike<readonly unknown[]>
}

/** How statements are sent over the caller's pool. @throws OptionError */
export function sender(store: string, pool: unknown): Send {
  if (!has(pool, 'execute') || !has(pool, 'getConnection')) {
    const allowed = 'what createPool() of the package mysql2 or mariadb gives'
    throw wrongOption(store, 'pool', pool, allowed)
  }
  const { promise } = pool as { promise?: unknown }
  // The face of mysql2 with callbacks has the other one too.
  const promises = typeof promise === 'function' ? promise.call(pool) : pool
  const ask: Send = async (sql, values) => {
    const asked: unknown = (promises as PromisePool).execute({ sql, ...SHAPE }, values)
    if (!has(asked, 'then')) {
      throw new CoatcheckError(
        'ERR_STORE',
        `${store}: the pool answers by callbacks; use that of mariadb, not mariadb/callback.`,
        { store, outcome: 'unknown' },
      )
    }
    const [first] = (await asked) as readonly unknown[]
    if (Array.isArray(first)) return { rows: first, count: 0, mark: 0 }
    const { affectedRows, insertId } = (first ?? {}) as Record<string, unknown>
    return { rows: [], count: Number(affectedRows ?? 0), mark: Number(insertId ?? 0) }
  }
  let isUnicode = false
  return async (sql, values) => {
    if (!isUnicode && values.some(hasOtherLetters)) {
      await checkUnicode(store, ask)
      isUnicode = true
    }
    return ask(sql, values)
  }
}

function hasOtherLetters(value: Value): boolean {
  return typeof value === 'string' && /[\u0080-\uffff]/.test(value)
}

/** U+0122, whose lower byte is a quotation mark, and a letter of four bytes; in UTF-8. */
const LETTERS = '\u0122\u{1f600}'
const BYTES = 'C4A2F09F9880'

/**
 * Over connections of another character set drivers send the lower bytes of letters: U+0122 becomes
 * a quotation mark, so that who writes it into a session writes JSON.
 */
async function checkUnicode(store: string, ask: Send): Promise<void> {
  const sql = `SELECT HEX(CONVERT(? USING utf8mb4)), CONVERT(X'${BYTES}' USING utf8mb4)`
  const [row] = (await ask(sql, [LETTERS])).rows
  if (String(row?.[0]) === BYTES && String(row?.[1]) === LETTERS) return
  throw new CoatcheckError(
    'ERR_UNSUPPORTED',
    `${store}: the connections of the pool have a character set that changes texts. ` +
      "Make the pool without its option 'charset', or with utf8mb4.",
    { store, outcome: 'failed' },
  )
}

function has(value: unknown, method: string): boolean {
  const held = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return held && typeof (value as Record<string, unknown>)[method] === 'function'
}
