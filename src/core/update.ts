import { AsyncLocalStorage } from 'node:async_hooks'
import { CoatcheckError } from '../errors.js'
import { applied, type Changes, parseEntries } from './changes.js'
import type { Commit } from './commit.js'
import { draftOf } from './draft.js'
import type { Declined, Held, Identity, Written } from './keeper.js'
import type { Place } from './key-queue.js'
import type { Data } from './record.js'
import { reservedKey, tooLate } from './refusals.js'
import { RESERVED } from './session.js'
import type { SessionState } from './session-state.js'
import { encodeStrict } from './strict-json.js'
import { waitAtMost } from './time-limit.js'
import { type UserChange, userChange, whoIs } from './user.js'
import type { VisitTools } from './visit-tools.js'

/** Gives up after this many lost races; each is one more run of the application's function. */
const MAX_RUNS = 60

/** Known by identity, so that the function of an update cannot call its own session again. */
const updating = new AsyncLocalStorage<object>()

/** Whether the caller is the function given to `update` of this very visit. */
export function insideUpdateOf(visit: object): boolean {
  return updating.getStore() === visit
}

export type Updated =
  | {
      readonly state: 'stored'
      readonly held: Held
      /** The changes of the request that the update was made on top of. */
      readonly seen: Changes
      readonly value: unknown
      /** The user has changed, and with it the id. */
      readonly renewed: UserChange | undefined
    }
  /** The edited data is in the session; an ordinary commit has to store it. */
  | { readonly state: 'commit'; readonly value: unknown }
  | { readonly state: 'gone' }

/** What the loop needs of the visit it works for. */
export interface Updating {
  readonly state: SessionState
  readonly commits: Pick<Commit, 'cookieClosed' | 'check'>
  newIdentity(): Identity
}

/**
 * The loop of `session.update`: run the function on the newest data with this request's changes on
 * top, compare-and-set, and run it again if somebody else was faster.
 */
export async function updateStored(
  visit: Updating,
  tools: VisitTools,
  change: (data: Data) => unknown,
): Promise<Updated> {
  const { state } = visit
  const run = (data: Data) => updating.run(visit, async () => change(data))
  const { changes: seen } = state.pending(false, { due: false, open: true })
  let latest = state.held
  if (latest === undefined) {
    const data = parseEntries(applied({}, seen))
    const value = await run(data)
    encodeAll(data, {})
    state.take(data, seen)
    return { state: 'commit', value }
  }
  // Optimistic first. Who has lost a race waits for the other losers of this process, else most of
  // fifty parallel updates would lose again and again.
  let place: Place<never> | undefined
  try {
    for (let runs = 0; runs < MAX_RUNS; runs++) {
      const from: Held = latest
      const data = parseEntries(applied(from.untouched, seen))
      const value = await run(data)
      const entries = encodeAll(data, from.untouched)
      const { written, renewed } = await write(visit, tools, from, entries)
      if (written.state === 'stored') return { ...written, seen, value, renewed }
      if (written.state !== 'declined') return { state: 'gone' }
      latest = written.latest
      if (place === undefined) {
        place = tools.contended.join(from.identity.handle)
        // Not for ever: the function of another update may never end.
        await waitAtMost(tools.clock, tools.storeTimeout, place.turn)
        // Those who were before in the line have written meanwhile.
        const opened = await tools.keeper.reload(from.identity)
        if (opened.state !== 'live') return { state: 'gone' }
        latest = opened.held
      }
    }
  } finally {
    place?.leave()
  }
  throw new CoatcheckError(
    'ERR_CONFLICT',
    `update() lost ${MAX_RUNS} races in a row; nothing was stored.`,
    { op: 'update', retryable: true, outcome: 'failed' },
  )
}

/** Writes what the function made of `from`, unless somebody has written since. */
async function write(
  { state, commits, newIdentity }: Updating,
  { keeper, lifetime, userOf, clock }: VisitTools,
  from: Held,
  entries: ReadonlyMap<string, string>,
): Promise<{ written: Written | Declined; renewed: UserChange | undefined }> {
  const changed = userChange(whoIs(from.untouched, userOf), whoIs(parseEntries(entries), userOf))
  const { cookieClosed } = commits
  const own = state.ownAfter(from)
  const options = {
    changes: { set: entries, deleted: new Set<string>() },
    kept: (key: string) => entries.has(key),
    own,
    restart: changed !== undefined,
    sent: cookieClosed === undefined && (changed !== undefined || own !== from.facts.own),
    lifetime,
    userOf,
    now: clock.now(),
  }
  const rewrite = (newest: Held) => (newest === from ? draftOf(from, options) : undefined)
  if (changed === undefined || state.hasFreshId(cookieClosed === undefined)) {
    return { written: await keeper.change(from, rewrite), renewed: undefined }
  }
  if (cookieClosed !== undefined) throw tooLate(cookieClosed)
  const next = state.nextIdentity(newIdentity)
  const how = { linked: false, check: commits.check }
  return { written: await keeper.renew(from, next, rewrite, how), renewed: changed }
}

function encodeAll(data: Data, before: Data): Map<string, string> {
  const entries = new Map<string, string>()
  for (const key of Object.keys(data)) {
    if (RESERVED.has(key) && !Object.hasOwn(before, key)) throw reservedKey(key)
    const json = encodeStrict(data[key], key)
    if (json !== undefined) entries.set(key, json)
  }
  return entries
}
