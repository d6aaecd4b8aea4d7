import { AsyncLocalStorage } from 'node:async_hooks'
import { CoatcheckError } from '../errors.js'
import { applied, parseEntries } from './changes.js'
import { draftOf } from './draft.js'
import type { Held } from './keeper.js'
import type { Data } from './record.js'
import { reservedKey } from './refusals.js'
import { RESERVED } from './session.js'
import type { SessionState } from './session-state.js'
import { encodeStrict } from './strict-json.js'
import { withinLimit } from './time-limit.js'
import { userChange, whoIs } from './user.js'
import type { VisitTools } from './visit-tools.js'

/** Gives up after this many lost races; each is one more run of the application's function. */
const MAX_RUNS = 60

/** Who runs an update: known by identity, so that its own function cannot call it again. */
interface Updater {
  readonly state: SessionState
}

const updating = new AsyncLocalStorage<Updater>()

/** Whether the caller is the function given to `update` of this very visit. */
export function insideUpdateOf(visit: Updater): boolean {
  return updating.getStore() === visit
}

export type Updated =
  | { readonly state: 'stored'; readonly held: Held; readonly value: unknown }
  /** The edited data is in the session; an ordinary commit has to store it. */
  | { readonly state: 'commit'; readonly value: unknown }
  | { readonly state: 'gone' }

/**
 * The loop of `session.update`: run the function on the newest data with this request's changes on
 * top, compare-and-set, and run it again if somebody else was faster.
 */
export async function updateStored(
  visit: Updater,
  tools: VisitTools,
  change: (data: Data) => unknown,
): Promise<Updated> {
  const { state } = visit
  const run = (data: Data) => updating.run(visit, async () => change(data))
  const { changes } = state.pending(false, { due: false, open: true })
  let latest = state.held
  if (latest === undefined) {
    const data = parseEntries(applied({}, changes))
    const value = await run(data)
    state.replaceData(data)
    return { state: 'commit', value }
  }
  const { identity } = latest
  // Optimistic first. Who has lost a race waits for the other losers of this process, else most of
  // fifty parallel updates would lose again and again.
  let place: ReturnType<typeof tools.contended.join> | undefined
  try {
    for (let runs = 0; runs < MAX_RUNS; runs++) {
      const seen: Held = latest
      const data = parseEntries(applied(seen.untouched, changes))
      const value = await run(data)
      const who = (of: Data) => whoIs(of, tools.userOf)
      const entries = encodeAll(data, seen.untouched)
      if (userChange(who(seen.untouched), who(parseEntries(entries))) !== undefined) {
        state.show(seen)
        state.replaceData(data)
        return { state: 'commit', value }
      }
      const written = await tools.keeper.change(seen, (newest) =>
        newest === seen
          ? draftOf(seen, {
              changes: { set: entries, deleted: new Set() },
              kept: (key) => entries.has(key),
              own: state.ownAfter(seen),
              restart: false,
              issued: false,
              lifetime: tools.lifetime,
              userOf: tools.userOf,
              now: tools.clock.now(),
            })
          : undefined,
      )
      if (written.state === 'stored') return { ...written, value }
      if (written.state !== 'declined') return { state: 'gone' }
      latest = written.latest
      if (place === undefined) {
        place = tools.contended.join(identity.handle)
        await patiently(place.turn, tools)
        // Those who were before in the line have written meanwhile.
        const opened = await tools.keeper.reload(identity)
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

/** Waits for its turn, but not for ever: the function of another update may never end. */
async function patiently(turn: Promise<void>, { clock, storeTimeout }: VisitTools): Promise<void> {
  const late = new Error('late')
  try {
    await withinLimit(
      clock,
      storeTimeout,
      () => late,
      () => turn,
    )
  } catch (error) {
    if (error !== late) throw error
  }
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
