import { hasCode } from '../errors.js'
import { NO_CHANGES } from './changes.js'
import type { Clock } from './clock.js'
import { draftOf } from './draft.js'
import { type Draft, Held, type Identity, type Keeper } from './keeper.js'
import type { LifetimeSettings } from './lifetime.js'
import type { OldSession } from './old-records.js'
import { decodeRecord, encodeRecord } from './record.js'
import type { UserOf } from './user.js'

/** What a session needs to go on here. */
export interface TakenSettings {
  readonly clock: Clock
  readonly lifetime: LifetimeSettings
  readonly userOf: UserOf | undefined
}

/** The first record of a session from elsewhere; undefined: no record of ours can hold it. */
export function takenDraft(
  { data, life }: Pick<OldSession, 'data' | 'life'>,
  { clock, lifetime, userOf }: TakenSettings,
): Draft | undefined {
  const longest = lifetime.absoluteTimeout ?? Number.POSITIVE_INFINITY
  const entries = Object.entries(data).map(([key, value]) => [key, JSON.stringify(value)] as const)
  const { facts, ...draft } = draftOf(undefined, {
    changes: { ...NO_CHANGES, set: new Map(entries) },
    kept: undefined,
    own: life === undefined ? undefined : Math.min(life, longest),
    restart: false,
    sent: false,
    lifetime,
    userOf,
    now: clock.now(),
  })
  // When its user has signed in, nobody knows.
  const { authenticated, ...known } = facts
  const text = encodeRecord(known, draft.entries)
  return decodeRecord(text).kind === 'record' ? { ...draft, facts: known } : undefined
}

/** What `keeper.adopt` gives; or its tokens have another meaning for one of the keys. */
export async function adopted(
  keeper: Keeper,
  identity: Identity,
  draft: Draft,
): Promise<Held | 'unreadable' | undefined> {
  try {
    return await keeper.adopt(identity, draft)
  } catch (error) {
    // It would fail each request of that visitor.
    if (hasCode(error, 'ERR_RESERVED_KEY')) return 'unreadable'
    throw error
  }
}

/** The client has the old cookie, and is to get the new one. */
export function toBeSent({ identity, facts, stored }: Held): Held {
  return new Held(identity, facts, stored, true)
}
