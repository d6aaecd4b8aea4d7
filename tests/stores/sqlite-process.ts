import { SqliteStore } from '../../src/stores/sqlite.js'
import { runProgram, type StoreProgram } from '../../src/testing/index.js'
import { driverOf, openFast } from './sqlite-drivers.js'

/** A process of its own on a file. `now` is when it is. */
export interface SqliteJob {
  readonly driver: string
  readonly filename: string
  readonly now: number
  readonly program: StoreProgram
}

/** Runs a program of `coatcheck/testing`, says what it gives, and closes the database. */
export async function runJob({ driver, filename, now, program }: SqliteJob): Promise<void> {
  const db = openFast(driverOf(driver), filename)
  const clock = { now: () => now, setTimeout, clearTimeout }
  const store = new SqliteStore({ db, clock: clock as never })
  const answer = await runProgram(store, program)
  process.stdout.write(`${JSON.stringify(answer ?? null)}\n`)
  db.close()
}
