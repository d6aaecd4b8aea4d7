import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import LibSql from 'libsql'
import type { SqliteLike } from '../../src/stores/sqlite.js'

const require = createRequire(import.meta.url)

/** A database of any of the drivers, as far as these tests use it. */
export interface Database extends SqliteLike {
  close(): void
}

type Opener = new (filename: string, options?: object) => Database

export interface SqliteDriver {
  readonly name: string
  open(filename: string): Database
}

/**
 * What this Node has: `node:sqlite`, or the better-sqlite3 that is built for the oldest Node.
 * BETTER_SQLITE3 names the folder of another one.
 */
function ofThisNode(): SqliteDriver {
  const folder = process.env.BETTER_SQLITE3
  if (folder !== undefined) return { name: 'better-sqlite3', open: opener(folder) }
  const own = process.getBuiltinModule('node:sqlite') as { DatabaseSync: Opener } | undefined
  if (own === undefined) return { name: 'better-sqlite3', open: opener('better-sqlite3') }
  return { name: 'node:sqlite', open: (filename) => new own.DatabaseSync(filename) }
}

function opener(path: string): SqliteDriver['open'] {
  return (filename) => {
    const Database: Opener = require(path)
    return new Database(filename)
  }
}

export const drivers: readonly SqliteDriver[] = [
  ofThisNode(),
  // Its types have to fit too.
  { name: 'libsql', open: (filename) => new LibSql(filename) },
]

export function driverOf(name: string): SqliteDriver {
  const found = drivers.find((driver) => driver.name === name)
  if (found === undefined) throw new Error(`There is no ${name} here.`)
  return found
}

/** A folder of its own for the file of a database. */
export function freshFile(): { readonly filename: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'coatcheck-sqlite-'))
  return {
    filename: join(folder, 'sessions.db'),
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }),
  }
}

/** Opens a file; whether its last writes survive a power cut is no matter here. */
export function openFast({ open }: SqliteDriver, filename: string): Database {
  const db = open(filename)
  db.exec('PRAGMA synchronous = OFF')
  return db
}
