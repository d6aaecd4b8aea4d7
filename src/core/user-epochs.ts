import { keyOf } from '../crypto/session-id.js'
import { CoatcheckError } from '../errors.js'
import type { Clock } from './clock.js'
import { pauseAfter } from './lost-race.js'
import { crowded } from './refusals.js'
import type { Store, Stored } from './store.js'
import type { StillWanted } from './time-limit.js'

/** Whoever loses this many races in a row gives up: `ERR_CONFLICT`. */
const MAX_TRIES = 40

/**
 * What is kept of a user whose sessions have been ended. A session of an older epoch has ended, but
 * for those that were spared: these count as of the epoch beside them.
 */
export interface UserEpoch {
  readonly epoch: number
  readonly spared: ReadonlyMap<string, number>
}

/** Which epoch a session of this handle must be of, at least. */
export function epochAsked(kept: UserEpoch | undefined, handle: string): number {
  return kept?.spared.get(handle) ?? kept?.epoch ?? 0
}

/** Whether a session of this handle stays although the epoch it has noted is over. */
export function spares({ spared }: UserEpoch, handle: string, noted: number): boolean {
  return noted >= (spared.get(handle) ?? Number.POSITIVE_INFINITY)
}

/** Where the epoch of a user is kept. */
export function epochKey(user: string): string {
  return keyOf(`coatcheck epoch ${user}`)
}

/**
 * What was found there.
 * @throws `ERR_STORE` for what is no epoch: nobody may pass because a record was damaged
 */
export function epochIn(stored: Stored | undefined, name: string): UserEpoch | undefined {
  // Stores by others may say null.
  if (!stored) return undefined
  const found = parsed(stored.text)
  if (found !== undefined) return found
  throw new CoatcheckError('ERR_STORE', `${name} gave something that is no epoch of a user.`, {
    op: 'load',
    store: name,
    outcome: 'failed',
  })
}

export interface Raise {
  readonly store: Store
  /** The class of the store, for errors. */
  readonly name: string
  readonly user: string
  /** Handles of sessions that stay. */
  readonly spared: readonly string[]
  readonly clock: Clock
  /** How long it has to be kept, at least. */
  readonly until: number
}

/**
 * Makes the epoch of a user a higher one than it was, and gives it. It is kept as
 *
 *     {"v":1,"epoch":…,"spared":[["handle",…],…]}
 *
 * Clocks of nodes need not agree: an epoch is only ever compared with the one that a session noted
 * when it became its user's.
 */
export async function raiseEpoch(raise: Raise, still: StillWanted): Promise<UserEpoch> {
  const { store, name, user, spared, clock, until } = raise
  const key = epochKey(user)
  let first: number | undefined
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const stored = await store.load(key)
    still()
    // Of damage nobody can be spared, and nothing needs to be kept.
    const before = stored ? parsed(stored.text) : undefined
    const found = before?.epoch ?? 0
    first ??= found
    // Somebody has raised it since this began, and spared nobody else: that was all there is to do.
    if (before !== undefined && found > first && sparesOnly(before, spared)) return before
    const next: UserEpoch = {
      // A clock that was set back, or another node's, must not lower it.
      epoch: Math.max(clock.now(), found + 1),
      spared: new Map(spared.map((handle) => [handle, epochAsked(before, handle)])),
    }
    const entry = { text: epochText(next), expiresAt: Math.max(until, stored?.expiresAt ?? 0) }
    const isRaised = stored
      ? (await store.replace(key, entry, stored)) === 'replaced'
      : await store.create(key, entry)
    still()
    if (isRaised) return next
    await pauseAfter(attempt, clock)
    still()
  }
  throw crowded(name, 'raise an epoch', MAX_TRIES)
}

function sparesOnly(kept: UserEpoch, handles: readonly string[]): boolean {
  return [...kept.spared.keys()].every((handle) => handles.includes(handle))
}

/** The text of an epoch. */
export function epochText({ epoch, spared }: UserEpoch): string {
  return JSON.stringify({ v: 1, epoch, spared: [...spared] })
}

function parsed(text: string): UserEpoch | undefined {
  try {
    const { v, epoch, spared } = JSON.parse(text) as Record<string, unknown>
    if (v !== 1 || typeof epoch !== 'number' || !Array.isArray(spared)) return undefined
    if (!spared.every(isSpared)) return undefined
    return { epoch, spared: new Map(spared) }
  } catch {
    return undefined
  }
}

function isSpared(pair: unknown): pair is [string, number] {
  return Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'number'
}
