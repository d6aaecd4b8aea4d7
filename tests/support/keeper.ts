import type { Clock } from '../../src/core/clock.js'
import type { Draft, Held, Rewrite } from '../../src/core/keeper.js'
import type { Store } from '../../src/core/store.js'
import { StoreKeeper } from '../../src/core/store-keeper.js'
import { MemoryStore } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { SECRET } from './serve.js'
import { WatchedStore } from './watched-store.js'

export const LIMIT = 2000
export const IDLE = 3_600_000

export interface MadeKeeper {
  readonly keeper: StoreKeeper
  readonly errors: Error[]
  /** Waits for what the keeper does behind its caller's back. */
  settled(): Promise<void>
}

/** A keeper alone, as one process has it. */
export function keeperOf(store: Store, clock: Clock): MadeKeeper {
  const background: Promise<unknown>[] = []
  const errors: Error[] = []
  const keeper = new StoreKeeper({
    store,
    clock,
    secrets: [SECRET],
    lifetime: { idleTimeout: IDLE, absoluteTimeout: 100 * IDLE },
    storeTimeout: LIMIT,
    inBackground: (work) => void background.push(work),
    onError: (error) => void errors.push(error),
  })
  return { keeper, errors, settled: async () => void (await Promise.allSettled(background)) }
}

/** Two processes on one store; the calls of the first can be watched and held up. */
export async function keepers() {
  const clock = new FakeClock()
  const inner = new MemoryStore({ clock })
  const store = new WatchedStore(inner)
  const mine = keeperOf(store, clock)
  const other = keeperOf(inner, clock).keeper
  const held = await mine.keeper.create(mine.keeper.newIdentity(), draft(clock))
  store.calls.length = 0
  const keys = async () => {
    const all: string[] = []
    for await (const { key } of inner.entries()) all.push(key)
    return all
  }
  const data = async ({ identity }: Held) => {
    const opened = await other.reload(identity)
    return opened.state === 'live' ? opened.held.untouched : opened.state
  }
  return { clock, inner, store, ...mine, other, held, keys, data }
}

/** A new record without data. */
export function draft(clock: Clock): Draft {
  const now = clock.now()
  return { facts: { created: now, started: now, idle: IDLE }, entries: new Map() }
}

/** Puts one key onto the newest data. */
export function setting(key: string): Rewrite {
  return ({ facts, untouched }) => {
    const data = { ...untouched, [key]: true }
    return {
      facts,
      entries: new Map(Object.entries(data).map(([k, value]) => [k, JSON.stringify(value)])),
    }
  }
}
