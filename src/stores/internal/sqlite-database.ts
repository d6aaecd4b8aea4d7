import { closeSync, existsSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { CoatcheckError } from '../../errors.js'
import { wrongOption } from './store-options.js'

/** What `SqliteStore` asks of a database: of better-sqlite3, `node:sqlite` or libsql. */
export interface SqliteLike {
  prepare(sql: string): SqliteStatement
  exec(sql: string): unknown
}

/** A prepared statement of any of these drivers. */
export interface SqliteStatement {
  run(...values: SqliteValue[]): { readonly changes: number | bigint }
  get(...values: SqliteValue[]): unknown
  all(...values: SqliteValue[]): unknown[]
}

export type SqliteValue = string | number | Uint8Array

/** Where the database comes from. */
export interface SqliteSource {
  open(): SqliteLike
  /** Whether it is opened here, and so closed here. */
  readonly isOwn: boolean
}

/** @throws OptionError */
export function sqliteSource(
  store: string,
  { db, filename }: { db?: unknown; filename?: unknown },
): SqliteSource {
  if ((db === undefined) === (filename === undefined)) {
    throw wrongOption(store, "db' or 'filename", db, 'given, one of the two')
  }
  if (filename !== undefined) {
    if (isPath(filename)) {
      return { open: () => openFile(store, filename), isOwn: true }
    }
    throw wrongOption(store, 'filename', filename, 'the path of a file, and no URL')
  }
  // The package sqlite3 has methods of the same names, which answer by callback.
  if (has(db, 'prepare') && has(db, 'exec') && !has(db, 'each')) {
    return { open: () => db as SqliteLike, isOwn: false }
  }
  const hint = has(db, 'each') ? '; the package sqlite3 answers later, and does not fit' : ''
  throw wrongOption(store, 'db', db, `a database of better-sqlite3, node:sqlite or libsql${hint}`)
}

/** Of a `file:` URL one driver makes another file than the other. */
function isPath(filename: unknown): filename is string {
  if (typeof filename !== 'string' || filename === '') return false
  return !filename.includes('\0') && !filename.startsWith('file:')
}

function has(value: unknown, method: string): boolean {
  const held = typeof value === 'object' && value !== null
  return held && typeof (value as Record<string, unknown>)[method] === 'function'
}

/** What is opened here, and so closed here. */
interface OwnDatabase extends SqliteLike {
  close(): void
}

type Opener = new (filename: string) => OwnDatabase

function openFile(store: string, filename: string): OwnDatabase {
  const Database = driver()
  if (Database === undefined) {
    throw new CoatcheckError(
      'ERR_UNSUPPORTED',
      `${store}: option 'filename' needs Node 22.13 or later, or the package better-sqlite3 ` +
        "installed beside the program. Or open a database yourself, for option 'db'.",
      { op: 'open', store, outcome: 'failed' },
    )
  }
  // SQLite makes a file for everybody to read, and gives those beside it the rights of the first.
  if (filename !== ':memory:') makeFile(filename)
  const db = new Database(filename)
  try {
    // The last writes are not worth a wait of the whole process for the disk, each time.
    db.exec('PRAGMA synchronous = NORMAL')
    return db
  } catch (error) {
    // It is tried again with the next request, and each would leave a file open.
    db.close()
    throw error
  }
}

function makeFile(filename: string): void {
  try {
    closeSync(openSync(filename, 'a', 0o600))
  } catch (error) {
    // One that may be read only is there already: SQLite opens it so.
    if (!existsSync(filename)) throw error
  }
}

function driver(): Opener | undefined {
  // No import: Node 20 has no such module, and bundlers would look for it.
  const own = process.getBuiltinModule('node:sqlite') as { DatabaseSync?: Opener } | undefined
  if (own?.DatabaseSync !== undefined) return own.DatabaseSync
  // From where the program is, not from here: it is the program's dependency.
  for (const from of [process.argv[1], join(process.cwd(), 'index.js')]) {
    if (from === undefined) continue
    try {
      return createRequire(from)('better-sqlite3') as Opener
    } catch {
      // Not there, or not built for this Node.
    }
  }
  return undefined
}

/** How long in ms a statement waits for the writer of another process, if nobody has said. */
const BUSY_TIMEOUT = 5000

/** An open database, with its statements. Everything here answers at once. */
export class SqliteConnection {
  readonly #db: SqliteLike
  /**
   * Of libsql. What it has prepared and found the file locked for is not reset before it runs again:
   * until then each read of the connection sees the file as the first one did, an ended session as
   * live, and nothing can be written. So what may meet a lock as a writer is not prepared.
   */
  readonly #staysBusy: boolean
  /** By their text: preparing takes longer than running them. */
  readonly #prepared = new Map<string, SqliteStatement>()

  /** @param wal whether readers are to be spared the wait for a writer */
  constructor(db: SqliteLike, wal: boolean) {
    this.#db = db
    this.#staysBusy = has(db, 'syncUntil')
    // Of node:sqlite and libsql it is 0: any two processes that write would fail.
    const { timeout } = this.get('PRAGMA busy_timeout') ?? {}
    if (Number(timeout) === 0) db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`)
    if (wal) this.#spareReaders()
  }

  /** Gives the number of rows changed. */
  run(sql: string, ...values: SqliteValue[]): number {
    const run = () => Number(this.#statement(sql).run(...values).changes)
    return this.#staysBusy && !this.#isWithin() ? this.atomically(run) : run()
  }

  get(sql: string, ...values: SqliteValue[]): Readonly<Record<string, unknown>> | undefined {
    const row = this.#statement(sql).get(...values)
    return row as Readonly<Record<string, unknown>> | undefined
  }

  all(sql: string, ...values: SqliteValue[]): Readonly<Record<string, unknown>>[] {
    return this.#statement(sql).all(...values) as Readonly<Record<string, unknown>>[]
  }

  /** Statements without parameters, not kept. */
  exec(sql: string): void {
    this.#db.exec(sql)
  }

  /**
   * Runs `work` as one step to everybody else. Only one process writes at a time, so whoever is
   * about to write says so first: one that has read before would not get to write any more.
   */
  atomically<T>(work: () => T): T {
    const [begin, commit, undo] = this.#isWithin() ? NESTED : WHOLE
    this.#bound(begin)
    try {
      const result = work()
      this.#bound(commit)
      return result
    } catch (error) {
      try {
        for (const sql of undo) this.#bound(sql)
      } catch {
        // Of a full disk, say, SQLite has undone it already.
      }
      throw error
    }
  }

  #bound(sql: string): void {
    if (this.#staysBusy) this.#db.exec(sql)
    else this.#statement(sql).run()
  }

  /** Closes the database, which the statements go with. */
  close(): void {
    this.#prepared.clear()
    ;(this.#db as unknown as { close(): void }).close()
  }

  /**
   * To libsql a closed database is a fatal mistake: asked whether it is in a transaction it ends the
   * process, and what has been prepared before goes on.
   */
  #checkOpen(): void {
    const { open, isOpen } = this.#db as { open?: unknown; isOpen?: unknown }
    if (open === false || isOpen === false) throw new Error('The database is not open')
  }

  /** In the middle of a transaction of the program. */
  #isWithin(): boolean {
    this.#checkOpen()
    const { inTransaction, isTransaction } = this.#db as {
      inTransaction?: unknown
      isTransaction?: unknown
    }
    return inTransaction === true || isTransaction === true
  }

  #statement(sql: string): SqliteStatement {
    this.#checkOpen()
    const known = this.#prepared.get(sql)
    if (known !== undefined) return known
    const prepared: SqliteStatement & { setReturnArrays?(on: boolean): void } =
      this.#db.prepare(sql)
    // A database of node:sqlite may have been opened for rows of another form.
    prepared.setReturnArrays?.(false)
    this.#prepared.set(sql, prepared)
    return prepared
  }

  /** The file remembers it. It is done only where nobody has chosen another mode. */
  #spareReaders(): void {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        if (this.get('PRAGMA journal_mode')?.journal_mode !== 'delete') return
        this.#db.exec('PRAGMA journal_mode = WAL')
        return
      } catch {
        // Others are in the middle of something, or the file is not to be written. Everything works
        // without it.
      }
    }
  }
}

type Boundaries = readonly [begin: string, commit: string, undo: readonly string[]]

const WHOLE: Boundaries = ['BEGIN IMMEDIATE', 'COMMIT', ['ROLLBACK']]
const NESTED: Boundaries = [
  'SAVEPOINT coatcheck',
  'RELEASE coatcheck',
  ['ROLLBACK TO coatcheck', 'RELEASE coatcheck'],
]
