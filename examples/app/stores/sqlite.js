// STORE=sqlite:./sessions.db: the sessions in a file, for all processes of one machine.
import { SqliteStore } from 'coatcheck/stores/sqlite'

export const driver = 'better-sqlite3'
export const advice = 'Is there such a folder, and may it be written? STORE=sqlite:./file names it.'

/** A store in the file that `url` names. It closes what it has opened together with the sessions. */
export async function open(url) {
  const store = new SqliteStore({ filename: url.slice('sqlite:'.length) })
  // Now and not with the first visitor: a wrong name shows at the start.
  await store.migrate()
  return { store }
}
