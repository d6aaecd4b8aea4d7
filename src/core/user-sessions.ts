import type { Held } from './keeper.js'

/** More passes than this find something new each time only if the index is broken. */
const MAX_PASSES = 50

export interface RevokeUser {
  readonly now: number
  /** The handle of the session that stays. */
  readonly except: string | undefined
  list(): Promise<Held[]>
  destroy(held: Held): Promise<boolean>
}

/**
 * Ends every session of a user that exists at the call, and gives their handles. A renewal in
 * between gives a session a new key but not a new start, so the list is read again until a pass
 * finds nothing that started before the call. The first pass asks no date: clocks of nodes differ.
 */
export async function keysToRevoke({ now, except, list, destroy }: RevokeUser): Promise<string[]> {
  const ended = new Set<string>()
  let latestStart = now
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const found = (await list()).filter(
      ({ identity, facts }) =>
        identity.handle !== except && (pass === 0 || facts.started <= latestStart),
    )
    if (found.length === 0) break
    latestStart = Math.max(latestStart, ...found.map(({ facts }) => facts.started))
    for (const held of found) {
      if (await destroy(held)) ended.add(held.identity.handle)
    }
  }
  return [...ended]
}
