import { hasCode } from '../errors.js'
import type { Held, Opened, Revoking } from './keeper.js'

/** More passes than this find something new each time only if the index is broken. */
const MAX_PASSES = 50

/** Records looked at together: a user may have thousands, and a process so many files or sockets. */
const BATCH = 32

/** A store that is silent so often in a row is down, and each further try would take its time limit. */
const MOST_SILENT = 3

/** The live sessions of a user, as far as their records could be read. */
export interface Listing {
  readonly found: Held[]
  /** Of the records that could not be read. */
  readonly failures: readonly unknown[]
}

/** Looks at the records that an index names for a user. */
export async function lookAtAll(
  keys: readonly string[],
  user: string,
  look: (handle: string) => Promise<Opened>,
): Promise<Listing> {
  // By handle: one that is being renewed is found under both of its keys.
  const theirs = new Map<string, Held>()
  const failures: unknown[] = []
  for (let at = 0, silent = 0; at < keys.length && silent < MOST_SILENT; at += BATCH) {
    for (const looked of await Promise.allSettled(keys.slice(at, at + BATCH).map(look))) {
      if (looked.status === 'rejected') {
        failures.push(looked.reason)
        if (isSilence(looked.reason)) silent++
        continue
      }
      silent = 0
      const opened = looked.value
      if (opened.state !== 'live' || opened.held.facts.user !== user) continue
      theirs.set(opened.held.identity.handle, opened.held)
    }
  }
  return { found: [...theirs.values()], failures }
}

function isSilence(error: unknown): boolean {
  return hasCode(error, 'ERR_STORE_TIMEOUT')
}

export interface RevokeUser extends Revoking {
  readonly now: number
  look(handle: string): Promise<Opened>
  list(): Promise<Listing>
  destroy(held: Held): Promise<Held | undefined>
}

/**
 * Ends every session of a user that exists at the call, and gives their number. A renewal in
 * between gives a session a new key but not a new start, so the list is read again until a pass
 * finds nothing that started before the call. The first pass asks no date: clocks of nodes differ.
 * A record that fails keeps no other one alive; the first failure is thrown once all were tried, or
 * once the store has fallen silent.
 */
export async function revokeAll(options: RevokeUser): Promise<number> {
  const { now, except, renewing, onEnded, list, look, destroy } = options
  const staying = new Set(except)
  const failed = new Map<string, unknown>()
  let unread: readonly unknown[] = []
  let ended = 0
  let silent = 0
  let latestStart = now
  for (let pass = 0; pass < MAX_PASSES && silent < MOST_SILENT; pass++) {
    const { found: all, failures } = await list()
    // What cannot be read now may be there for the next pass.
    unread = failures
    for (const { identity } of all) {
      const present = renewing.get(identity.handle)
      if (present !== undefined && staying.has(present)) staying.add(identity.handle)
    }
    // Also one that was listed: its renewal may have come to its end since.
    for (const handle of except) {
      const opened = await look(handle)
      if (opened.state === 'live') staying.add(opened.held.identity.handle)
    }
    const found = all.filter(
      ({ identity, facts }) =>
        !staying.has(identity.handle) &&
        !failed.has(identity.handle) &&
        (pass === 0 || facts.started <= latestStart),
    )
    if (found.length === 0) break
    // Not as arguments of one call: the stack holds about 120,000.
    for (const { facts } of found) latestStart = Math.max(latestStart, facts.started)
    for (const held of found) {
      if (silent === MOST_SILENT) break
      try {
        const gone = await destroy(held)
        silent = 0
        if (gone === undefined) continue
        ended++
        onEnded(gone)
      } catch (error) {
        failed.set(held.identity.handle, error)
        silent = isSilence(error) ? silent + 1 : 0
      }
    }
  }
  for (const failure of [...failed.values(), ...unread]) throw failure
  return ended
}
