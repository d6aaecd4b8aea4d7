import { CoatcheckError, type ErrorCode } from '../../errors.js'
import { NO_SUCH_TABLE, OTHER_COLUMNS } from './sql-advice.js'

/** `ER_NO_SUCH_TABLE` */
const NO_TABLE = 1146

/** `ER_DUP_ENTRY` */
const DUPLICATE = 1062

/**
 * What a statement loses to another one: `ER_LOCK_DEADLOCK`, `ER_LOCK_WAIT_TIMEOUT`, and, where
 * `innodb_snapshot_isolation` of MariaDB is on, `ER_CHECKREAD`.
 */
const LOST = new Set([1213, 1205, 1020])

/** `ER_DUP_KEYNAME`, `ER_TABLE_EXISTS_ERROR` */
const MADE_BY_OTHERS = new Set([1061, 1050])

/**
 * `ER_TRUNCATED_WRONG_VALUE_FOR_FIELD`, `ER_INVALID_JSON_TEXT`, and the check that a column of JSON
 * has in MariaDB, `ER_CONSTRAINT_FAILED`.
 */
const NO_TEXT = new Set([1366, 3140, 3141, 4025])

/** `ER_DATA_TOO_LONG`, `ER_NET_PACKET_TOO_LARGE`, `ER_WARN_ALLOWED_PACKET_OVERFLOWED` */
const TOO_LARGE = new Set([1406, 1153, 1301])

/** `ER_DISK_FULL`, `ER_RECORD_FILE_FULL` */
const NO_ROOM = new Set([1021, 1114])

/** `ER_OPTION_PREVENTS_STATEMENT`, `ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION`, `ER_READ_ONLY_MODE` */
const READ_ONLY = new Set([1290, 1792, 1836])

const ADVICE: Readonly<Record<number, string>> = {
  [NO_TABLE]: NO_SUCH_TABLE,
  // ER_BAD_FIELD_ERROR
  1054: OTHER_COLUMNS,
  // ER_TABLEACCESS_DENIED_ERROR
  1142: ': this user may not do so. A user that may runs the SQL of schema().',
  // ER_DBACCESS_DENIED_ERROR, which is also said of a database that is not there
  1044: ': no such database, or none that this user may use.',
  // ER_BAD_DB_ERROR
  1049: ': no such database.',
  // ER_NO_DB_ERROR
  1046: ': the pool names no database.',
  // ER_ACCESS_DENIED_ERROR
  1045: ': the server refuses this user or password.',
}

/**
 * What may work a moment later: too many connections, out of resources, a server that is being shut
 * down, a connection or a statement that was killed.
 */
const PASSING = new Set([1040, 1041, 1053, 1077, 1203, 1226, 1317, 1927, 3024])

/** Numbers that servers give. Those of client libraries are 2000 to 2999, and 45000 and above. */
function fromServer(number: number | undefined): number is number {
  return (
    number !== undefined && number >= 1000 && number < 45_000 && Math.trunc(number / 1000) !== 2
  )
}

function numberOf(error: unknown): number | undefined {
  const number = (error as { errno?: unknown } | null | undefined)?.errno
  return typeof number === 'number' ? number : undefined
}

export function lacksTable(error: unknown): boolean {
  return numberOf(error) === NO_TABLE
}

export function isTaken(error: unknown): boolean {
  return numberOf(error) === DUPLICATE
}

export function hasLost(error: unknown): boolean {
  return LOST.has(numberOf(error) ?? 0)
}

export function wasFaster(error: unknown): boolean {
  return MADE_BY_OTHERS.has(numberOf(error) ?? 0)
}

/** The coded error of an operation, with what to do about it. */
export function mysqlError(op: string, thrown: unknown): CoatcheckError {
  if (thrown instanceof CoatcheckError) return thrown
  const number = numberOf(thrown)
  const told = (thrown as { code?: unknown } | null | undefined)?.code ?? number ?? 'no code'
  const [code, advice] = meaning(number ?? 0)
  const refused = fromServer(number)
  const passing = number === undefined || LOST.has(number) || PASSING.has(number)
  const retryable = !refused || passing || READ_ONLY.has(number) || NO_ROOM.has(number)
  return new CoatcheckError(code, `MySQLStore: ${op} failed (${String(told)})${advice}`, {
    op,
    store: 'MySQLStore',
    retryable: code === 'ERR_STORE' && retryable,
    // What the server refuses it has undone; of a lost connection nobody knows.
    outcome: refused || told === 'ECONNREFUSED' ? 'failed' : 'unknown',
    cause: withoutData(thrown),
  })
}

function meaning(number: number): [ErrorCode, string] {
  if (NO_TEXT.has(number)) {
    return [
      'ERR_NOT_SERIALIZABLE',
      ': the column takes no such text. It has to be of utf8mb4, or of JSON for JSON.',
    ]
  }
  if (TOO_LARGE.has(number)) return ['ERR_RECORD_TOO_LARGE', ': the key or the text is too long.']
  if (READ_ONLY.has(number)) return ['ERR_STORE', ': the server only reads. Is it a replica?']
  if (NO_ROOM.has(number)) return ['ERR_STORE', ": the server's disk is full."]
  return ['ERR_STORE', ADVICE[number] ?? '']
}

/** Errors in whose text the server quotes a key or a part of a value. */
const QUOTES_DATA = new Set([DUPLICATE, 1292, 1366, 1264])

const HARMLESS = ['code', 'errno', 'sqlState', 'syscall', 'fatal']

/**
 * The driver's error, for logs. `mariadb` puts the parameters into its message, the server quotes
 * what it did not take: these are sessions.
 */
function withoutData(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return undefined
  const told = thrown as unknown as Record<string, unknown>
  const number = numberOf(thrown)
  const own = typeof told.sqlMessage === 'string' ? told.sqlMessage : undefined
  const isSilent = QUOTES_DATA.has(number ?? 0) || (fromServer(number) && own === undefined)
  const said = own ?? thrown.message.split('\n', 1)[0] ?? ''
  const copy = new Error(isSilent ? String(told.code ?? number) : said)
  copy.name = thrown.name
  // The message is on top of it.
  const frames = thrown.stack?.match(/^ {4}at .*$/gm) ?? []
  copy.stack = [`${copy.name}: ${copy.message}`, ...frames].join('\n')
  for (const name of HARMLESS) {
    const value = told[name]
    if (value !== undefined && typeof value !== 'object') {
      Object.defineProperty(copy, name, { value, enumerable: true })
    }
  }
  return copy
}
