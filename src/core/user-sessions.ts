import type { Held, Opened } from './keeper.js'

/** More passes than this find something new each time only if the index is broken. */
const MAX_PASSES = 50

export interface RevokeUser {
  readonly now: number
  /** Handles of sessions that stay, also under the ids that they are renewed to meanwhile. */
  readonly except: readonly string[]
  /** The handles that sessions are being renewed to right now, with the present ones. */
  readonly renewing: ReadonlyMap<string, string>
  look(handle: string): Promise<Opened>
  list(): Promise<Held[]>
  destroy(held: Held): Promise<Held | undefined>
}

/**
 * Ends every session of a user that exists at the call, and gives them. A renewal in
 * between gives a session a new key but not a new start, so the list is read again until a pass
 * finds nothing that started before the call. The first pass asks no date: clocks of nodes differ.
 */
export async function revokeAll(options: RevokeUser): Promise<Held[]> {
  const { now, except, renewing, list, look, destroy } = options
  const staying = new Set(except)
  const ended: Held[] = []
  let latestStart = now
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const all = await list()
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
        !staying.has(identity.handle) && (pass === 0 || facts.started <= latestStart),
    )
    if (found.length === 0) break
    latestStart = Math.max(latestStart, ...found.map(({ facts }) => facts.started))
    for (const held of found) {
      const gone = await destroy(held)
      if (gone !== undefined) ended.push(gone)
    }
  }
  return ended
}
