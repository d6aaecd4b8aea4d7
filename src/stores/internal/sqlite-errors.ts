import { CoatcheckError, type ErrorCode } from '../../errors.js'
import { NO_SUCH_TABLE, OTHER_COLUMNS } from './sql-advice.js'

/** Primary result codes (sqlite.org/rescode.html), for `node:sqlite`, which tells numbers only. */
const NAMES: Readonly<Record<number, string>> = {
  1: 'SQLITE_ERROR',
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  7: 'SQLITE_NOMEM',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  17: 'SQLITE_SCHEMA',
  18: 'SQLITE_TOOBIG',
  19: 'SQLITE_CONSTRAINT',
  23: 'SQLITE_AUTH',
  26: 'SQLITE_NOTADB',
}

const NO_FILE = ': the file cannot be opened. Does its folder exist, and may it be written?'

const ADVICE: Readonly<Record<string, string>> = {
  SQLITE_BUSY: ': another process has kept the file locked for longer than busy_timeout.',
  SQLITE_READONLY: ': the file, or the connection to it, is read-only.',
  SQLITE_FULL: ': the disk is full, or max_page_count is reached.',
  SQLITE_CANTOPEN: NO_FILE,
  // The file is made before SQLite opens it.
  ENOENT: NO_FILE,
  ENOTDIR: NO_FILE,
  EISDIR: NO_FILE,
  EACCES: NO_FILE,
  EROFS: NO_FILE,
  SQLITE_CORRUPT: ': the file is damaged. Restore it, or remove it together with -wal and -shm.',
  SQLITE_NOTADB: ': the file is no database of SQLite, or is encrypted.',
}

/** What may work a moment later. */
const PASSING = new Set(['SQLITE_BUSY', 'SQLITE_LOCKED', 'SQLITE_NOMEM', 'SQLITE_SCHEMA'])
for (const name of ['SQLITE_IOERR', 'SQLITE_FULL', 'SQLITE_READONLY', 'SQLITE_CANTOPEN']) {
  PASSING.add(name)
}

/** The primary code, without what an extended one says besides. */
function stateOf(error: unknown): string | undefined {
  const { code, errcode, rawCode } = (error ?? {}) as Readonly<Record<string, unknown>>
  // Of libsql `rawCode`, which has names for some of the extended codes only.
  const told = errcode ?? rawCode
  if (typeof told === 'number') return NAMES[told & 0xff] ?? `SQLITE_${told & 0xff}`
  if (typeof code !== 'string') return undefined
  return /^SQLITE_[A-Z]+/.exec(code)?.[0] ?? code
}

export function lacksTable(error: unknown): boolean {
  return messageOf(error).includes('no such table')
}

/** The coded error of an operation, with what to do about it. */
export function sqliteError(op: string, thrown: unknown): CoatcheckError {
  if (thrown instanceof CoatcheckError) return thrown
  const state = stateOf(thrown)
  const code: ErrorCode = state === 'SQLITE_TOOBIG' ? 'ERR_RECORD_TOO_LARGE' : 'ERR_STORE'
  const told = `SqliteStore: ${op} failed (${state ?? 'no code'})${adviceFor(thrown, state)}`
  return new CoatcheckError(code, told, {
    op,
    store: 'SqliteStore',
    retryable: code === 'ERR_STORE' && PASSING.has(state ?? ''),
    // What fails is undone. Only of what the disk did at the end nobody knows.
    outcome: state === 'SQLITE_IOERR' ? 'unknown' : 'failed',
    // SQLite puts names of tables and columns into its messages, and no values.
    cause: thrown,
  })
}

function adviceFor(thrown: unknown, state = ''): string {
  const message = messageOf(thrown)
  if (message.includes('no such table')) return NO_SUCH_TABLE
  if (message.includes('no such column') || message.includes('has no column')) {
    return OTHER_COLUMNS
  }
  if (message.includes('not open')) return ': the program has closed the database.'
  return ADVICE[state] ?? ''
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : ''
}
