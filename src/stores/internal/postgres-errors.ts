import { CoatcheckError, type ErrorCode } from '../../errors.js'
import { NO_SUCH_TABLE, OTHER_COLUMNS } from './sql-advice.js'

/** A code of PostgreSQL has five characters; other codes are those of the system or the driver. */
const SQLSTATE = /^[0-9A-Z]{5}$/

/** `relation does not exist` */
const NO_TABLE = '42P01'

/** What a statement loses to another one: `serialization_failure`, `deadlock_detected`. */
const LOST = new Set(['40001', '40P01'])

/** What somebody else has just made: `unique_violation` in the catalogue, `duplicate_table`. */
const MADE_BY_OTHERS = new Set(['23505', '42P07', 'XX000'])

/** `\u0000` for jsonb, bytes that are no UTF-8 or NUL, a text that is no JSON. */
const NO_TEXT = new Set(['22P05', '22021', '22P02', '22032'])

/** Wider than its column, larger than a page of an index, or than the server can keep at all. */
const TOO_LARGE = new Set(['22001', '54000'])

const READ_ONLY = '25006'

const REFUSED = ': the server refuses this user or password.'

const ADVICE: Readonly<Record<string, string>> = {
  [NO_TABLE]: NO_SUCH_TABLE,
  [READ_ONLY]: ': the server only reads. Is it a standby?',
  42501: ': this role may not do so. A role that may runs the SQL of schema().',
  42703: OTHER_COLUMNS,
  53100: ": the server's disk is full.",
  28000: REFUSED,
  '28P01': REFUSED,
  '3D000': ': no such database.',
  '3F000': ': no such schema.',
}

/** What may work a moment later, besides all of class 08 (connection) and 53 (resources). */
const PASSING = new Set([...LOST, READ_ONLY, '55P03', '57P01', '57P02', '57P03', '57014', '25P03'])

export function stateOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

export function lacksTable(error: unknown): boolean {
  return stateOf(error) === NO_TABLE
}

export function hasLost(error: unknown): boolean {
  return LOST.has(stateOf(error) ?? '')
}

export function wasFaster(error: unknown): boolean {
  return MADE_BY_OTHERS.has(stateOf(error) ?? '')
}

/** The coded error of an operation, with what to do about it. */
export function postgresError(op: string, thrown: unknown): CoatcheckError {
  if (thrown instanceof CoatcheckError) return thrown
  const state = stateOf(thrown)
  const fromServer = state !== undefined && SQLSTATE.test(state) && !state.startsWith('08')
  const [code, advice] = meaning(state)
  const retryable = !fromServer || PASSING.has(state) || state.startsWith('53')
  return new CoatcheckError(code, `PostgresStore: ${op} failed (${state ?? 'no code'})${advice}`, {
    op,
    store: 'PostgresStore',
    retryable: code === 'ERR_STORE' && retryable,
    // What the server refuses it has undone; of a lost connection nobody knows.
    outcome: fromServer || state === 'ECONNREFUSED' ? 'failed' : 'unknown',
    cause: withoutData(thrown),
  })
}

function meaning(state = ''): [ErrorCode, string] {
  if (NO_TEXT.has(state)) {
    return [
      'ERR_NOT_SERIALIZABLE',
      ': the column takes no such text. \\u0000 needs a column of type json or text, not jsonb.',
    ]
  }
  if (TOO_LARGE.has(state)) return ['ERR_RECORD_TOO_LARGE', ': the key or the text is too long.']
  return ['ERR_STORE', ADVICE[state] ?? '']
}

/** What in an error of a driver tells about the statement and the server, and not about the data. */
const HARMLESS = ['code', 'errno', 'syscall', 'severity', 'routine', 'schema', 'table', 'column']

/**
 * The driver's error, for logs. Drivers leave the parameters in it, the server quotes the text it
 * could not read in `where` and the key in `detail`: these are sessions.
 */
function withoutData(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return undefined
  const copy = new Error(thrown.message)
  copy.name = thrown.name
  if (thrown.stack !== undefined) copy.stack = thrown.stack
  for (const name of HARMLESS) {
    const value: unknown = (thrown as unknown as Record<string, unknown>)[name]
    if (typeof value === 'string' || typeof value === 'number') {
      Object.defineProperty(copy, name, { value, enumerable: true })
    }
  }
  return copy
}
