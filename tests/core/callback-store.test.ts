import expressSession from 'express-session'
import memorystore from 'memorystore'
import { describe, expect, it, vi } from 'vitest'
import { CallbackStore } from '../../src/core/callback-store.js'
import type { Entry, StoreReport } from '../../src/core/store.js'
import type { ExpressSessionStore } from '../../src/index.js'
import {
  FAKE_CLOCK_START,
  FakeClock,
  type StoreHarness,
  testStore,
} from '../../src/testing/index.js'
import { ExpiringOldStore, PlainOldStore, pass } from '../support/old-stores.js'
import { gate, turns } from '../support/turns.js'

const LIMIT = 2000
const HOUR = 3_600_000

function harness(
  open: (clock: FakeClock) => { old: ExpressSessionStore; plant?(key: string, text: string): void },
  parses?: 'parses',
): StoreHarness {
  return {
    open() {
      const clock = new FakeClock()
      vi.useFakeTimers({ toFake: ['Date'], now: clock.now() })
      const { old, plant } = open(clock)
      const another = () => new CallbackStore(old, { clock, patience: LIMIT })
      return {
        store: another(),
        clock,
        advance: (ms) => pass(clock, ms),
        another,
        ...(plant === undefined ? {} : { plant }),
        dispose: () => void vi.useRealTimers(),
      }
    },
    // A life below a second is made one.
    unit: 1000,
    lacks: {
      ...(parses ? { plant: 'a write fails where the old store cannot parse what is there' } : {}),
      sweep: 'old stores expire by themselves',
      entries: 'the old API lists only in some stores, and never by pages',
      keysOfUser: 'old stores know nothing of users',
      elsewhere: 'where its records lie is the affair of the old store',
      trips: 'a write costs one read more than the contract asks for',
      processes: 'between processes the old API has no compare-and-set',
      outage: 'nothing is connected',
      blackHole: 'nothing is connected',
      exits: 'nothing is opened',
      skewed: 'two clocks mean two processes',
      predecessor: 'the text is no session of express-session',
    },
  }
}

testStore(
  { describe, it },
  'CallbackStore on memorystore',
  harness(() => {
    return { old: new (memorystore(expressSession))({ checkPeriod: 0 }) }
  }, 'parses'),
)

testStore(
  { describe, it },
  'CallbackStore on a store that keeps an expiry of its own',
  harness((clock) => {
    return { old: new ExpiringOldStore(clock) }
  }, 'parses'),
)

testStore(
  { describe, it },
  'CallbackStore on a store that keeps objects and knows no touch',
  harness(() => {
    const old = new PlainOldStore()
    return { old, plant: (key, garbage) => void old.kept.set(key, garbage) }
  }),
)

const KEY = 'a-key'
const LATER = FAKE_CLOCK_START + 2 * HOUR

function fixture() {
  const clock = new FakeClock()
  const old = new ExpiringOldStore(clock)
  const another = () => new CallbackStore(old, { clock, patience: LIMIT })
  const entry = (text: string, life = HOUR): Entry => ({ text, expiresAt: clock.now() + life })
  return { clock, old, store: another(), another, entry }
}

/** Reads and rewrites whole records at a touch, as stores in files do, and waits where it is told. */
class WaitingOldStore extends ExpiringOldStore {
  readonly #gates = new Map<string, { reached: () => void; opened: Promise<void> }[]>()

  /** The next call of `method`, or the answer to a set, waits; gives what lets it go on. */
  hold(method: 'get' | 'set' | 'answer' | 'destroy' | 'touch') {
    const [reached, released] = [gate(), gate()]
    const waiting = this.#gates.get(method) ?? []
    waiting.push({ reached: reached.open, opened: released.opened })
    this.#gates.set(method, waiting)
    return { reached: reached.opened, release: released.open }
  }

  async #pass(method: string): Promise<void> {
    const next = this.#gates.get(method)?.shift()
    next?.reached()
    await next?.opened
  }

  override get(...[key, callback]: Parameters<ExpressSessionStore['get']>): void {
    this.#pass('get').then(() => super.get(key, callback))
  }

  override set(...[key, session, callback]: Parameters<ExpressSessionStore['set']>): void {
    const answer = () => void this.#pass('answer').then(() => callback())
    this.#pass('set').then(() => super.set(key, session, answer))
  }

  override destroy(...[key, callback]: Parameters<ExpressSessionStore['destroy']>): void {
    this.#pass('destroy').then(() => super.destroy(key, callback))
  }

  override touch(...[key, session, callback]: Parameters<ExpressSessionStore['set']>): void {
    super.get(key, (_error, found) => {
      this.#pass('touch').then(() => super.set(key, { ...(found as object), ...session }, callback))
    })
  }
}

describe('what an old store is asked', () => {
  it.each<[string, (store: CallbackStore, entry: Entry) => unknown, string[]]>([
    ['a load reads', (store) => store.load(KEY), ['get']],
    ['a create of a new key writes', (store, entry) => store.create('new', entry), ['set']],
    [
      'a replace reads and writes',
      (store, entry) => store.replace(KEY, { ...entry, text: '2' }, entry),
      ['get', 'set'],
    ],
    [
      'a replace of something else only reads',
      (store, entry) => store.replace(KEY, entry, { ...entry, text: '2' }),
      ['get'],
    ],
    ['a touch reads and touches', (store) => store.touch(KEY, LATER), ['get', 'touch']],
    ['a destroy reads and destroys', (store) => store.destroy(KEY), ['get', 'destroy']],
    ['a touch of nothing only reads', (store) => store.touch('none', LATER), ['get']],
  ])('%s', async (_, run, calls) => {
    const { old, store, entry } = fixture()
    await store.create(KEY, entry('1'))
    old.calls.length = 0
    await run(store, entry('1'))
    expect(old.calls).toEqual(calls)
  })

  it('a touch writes again where the old store has none', async () => {
    const clock = new FakeClock()
    const old = new PlainOldStore()
    const store = new CallbackStore(old, { clock, patience: LIMIT })
    await store.create(KEY, { text: '1', expiresAt: clock.now() + HOUR })
    old.calls.length = 0
    expect(await store.touch(KEY, clock.now() + 2 * HOUR)).toBe(true)
    expect(old.calls).toEqual(['get', 'set'])
  })

  it('a life of nothing is no write: some stores take it for one without end', async () => {
    const { old, store, entry } = fixture()
    await store.create(KEY, entry('1', 0))
    expect(old.calls).toEqual(['destroy'])
  })
})

describe('the operations of one key', () => {
  it('wait for each other: a touch that writes all again undoes no write', async () => {
    const { old, store, entry } = waiting()
    await store.create(KEY, entry('1'))
    const touch = old.hold('touch')
    const touched = store.touch(KEY, entry('1').expiresAt)
    await touch.reached
    const replaced = store.replace(KEY, entry('2'), entry('1'))
    await turns()
    touch.release()
    expect(await touched).toBe(true)
    expect(await replaced).toBe('replaced')
    expect((await store.load(KEY))?.text).toBe('2')
  })

  it('wait for each other across all that use the store in this process', async () => {
    const { old, store, another, entry } = waiting()
    await store.create(KEY, entry('1'))
    const set = old.hold('set')
    const first = store.replace(KEY, entry('2'), entry('1'))
    await set.reached
    const second = another().replace(KEY, entry('3'), entry('1'))
    await turns()
    set.release()
    expect(await first).toBe('replaced')
    expect(await second).toBe('changed')
  })

  it('end with the end: what was slower than a destroy does not bring the record back', async () => {
    const { old, store, entry } = waiting()
    await store.create(KEY, entry('1'))
    const set = old.hold('set')
    const slow = store.replace(KEY, entry('2'), entry('1'))
    await set.reached
    const destroyed = store.destroy(KEY)
    const later = [store.replace(KEY, entry('3'), entry('2')), store.touch(KEY, LATER)]
    await turns()
    set.release()
    expect(await slow).toBe('replaced')
    expect(await destroyed).toBe(true)
    expect(await Promise.all(later)).toEqual(['gone', false])
    expect(old.kept.size).toBe(0)
  })

  it('do not wait for those of other keys', async () => {
    const { old, store, entry } = waiting()
    const set = old.hold('set')
    const slow = store.create(KEY, entry('1'))
    await set.reached
    expect(await store.create('another', entry('1'))).toBe(true)
    set.release()
    expect(await slow).toBe(true)
  })
})

describe('a store that does not answer', () => {
  it('holds up the others of the key for as long as the limit, not for ever', async () => {
    const { old, store, clock, entry } = waiting()
    await store.create(KEY, entry('1'))
    const set = old.hold('set')
    void store.replace(KEY, entry('2'), entry('1'))
    await set.reached
    await clock.advance(LIMIT - 1)
    const next = store.destroy(KEY)
    await turns()
    expect(old.kept.size).toBe(1)
    await clock.advance(1)
    expect(await next).toBe(true)
  })

  it('gets no write any more from an operation that it has kept for so long', async () => {
    const { old, store, clock, entry } = waiting()
    await store.create(KEY, entry('1'))
    const get = old.hold('get')
    const slow = store.replace(KEY, entry('2'), entry('1'))
    await get.reached
    await clock.advance(LIMIT)
    get.release()
    await expect(slow).rejects.toThrow('nobody waits')
    expect((await store.load(KEY))?.text).toBe('1')
  })

  it.each(['replace', 'touch'] as const)(
    'does not bring a session back that was ended before its late %s',
    async (operation) => {
      const { old, store, clock, entry } = waiting()
      await store.create(KEY, entry('1'))
      const held = old.hold(operation === 'touch' ? 'touch' : 'set')
      const late =
        operation === 'touch'
          ? store.touch(KEY, clock.now() + 2 * HOUR)
          : store.replace(KEY, entry('2'), entry('1'))
      await held.reached
      await clock.advance(LIMIT)
      await store.destroy(KEY)
      held.release()
      await late
      await turns()
      expect(old.kept.size).toBe(0)
    },
  )

  it('does not undo what was written before its late answer', async () => {
    const { old, store, clock, entry } = waiting()
    await store.create(KEY, entry('1'))
    const set = old.hold('set')
    const late = store.replace(KEY, entry('late'), entry('1'))
    await set.reached
    await clock.advance(LIMIT)
    expect(await store.replace(KEY, entry('2'), entry('1'))).toBe('replaced')
    set.release()
    await late
    await turns()
    expect((await store.load(KEY))?.text).toBe('2')
  })

  it('does not undo what another process has written since', async () => {
    const { old, store, clock, entry } = waiting()
    const elsewhere = new CallbackStore(copyOf(old), { clock, patience: LIMIT })
    await store.create(KEY, entry('1'))
    const answer = old.hold('answer')
    const late = store.replace(KEY, entry('late'), entry('1'))
    await answer.reached
    await clock.advance(LIMIT)
    expect(await store.replace(KEY, entry('2'), entry('late'))).toBe('replaced')
    expect(await elsewhere.replace(KEY, entry('3'), entry('2'))).toBe('replaced')
    answer.release()
    expect(await late).toBe('replaced')
    await turns()
    expect((await store.load(KEY))?.text).toBe('3')
  })

  it('has its late write, where nothing came after', async () => {
    const { old, store, clock, entry } = waiting()
    await store.create(KEY, entry('1'))
    const set = old.hold('set')
    const late = store.replace(KEY, entry('2'), entry('1'))
    await set.reached
    await clock.advance(LIMIT)
    set.release()
    expect(await late).toBe('replaced')
    await turns()
    expect((await store.load(KEY))?.text).toBe('2')
  })

  it('gets a key only once that it may have taken already', async () => {
    const { old, store, clock, entry } = waiting()
    const set = old.hold('set')
    const late = store.create(KEY, entry('1'))
    await set.reached
    await clock.advance(LIMIT)
    expect(await store.create(KEY, entry('2'))).toBe(false)
    set.release()
    expect(await late).toBe(true)
    await turns()
    expect(await store.create(KEY, entry('3'))).toBe(false)
    expect((await store.load(KEY))?.text).toBe('1')
  })

  it('tells if it fails to take back what came too late', async () => {
    const { old, store, clock, entry } = waiting()
    const reports: StoreReport[] = []
    const stop = store.onReport((report) => reports.push(report))
    await store.create(KEY, entry('1'))
    const set = old.hold('set')
    const late = store.replace(KEY, entry('2'), entry('1'))
    await set.reached
    await clock.advance(LIMIT)
    await store.destroy(KEY)
    old.destroy = (_key, callback) => callback(new Error('connection lost'))
    set.release()
    await late
    await turns()
    const [report, ...others] = reports
    expect(report).toMatchObject({ type: 'error', error: { message: 'connection lost' } })
    expect(others).toEqual([])
    stop()
  })

  it('costs no more memory than for a thousand keys, however long that goes on', async () => {
    const { old, store, clock, entry } = waiting()
    old.set = () => {}
    const keys = Array.from({ length: 1001 }, (_, index) => `key ${index}`)
    for (const key of keys) void store.create(key, entry('1'))
    await clock.advance(LIMIT)
    old.set = WaitingOldStore.prototype.set
    // A key with a late write to come is taken; that of the first one is forgotten.
    expect(await store.create(keys[1]!, entry('2'))).toBe(false)
    expect(await store.create(keys[0]!, entry('2'))).toBe(true)
  })

  it('is forgotten once all has been answered', async () => {
    const { old, store, clock, entry } = waiting()
    await store.create(KEY, entry('1'))
    const set = old.hold('set')
    const late = store.replace(KEY, entry('2'), entry('1'))
    await set.reached
    await clock.advance(LIMIT)
    set.release()
    await late
    await turns()
    expect(clock.pending).toBe(0)
    await store.destroy(KEY)
    // A key with a late write to come would be refused.
    expect(await store.create(KEY, entry('3'))).toBe(true)
  })
})

describe('a record that the store cannot parse', () => {
  async function unreadable() {
    const made = fixture()
    const reports: StoreReport[] = []
    made.store.onReport((report) => reports.push(report))
    await made.store.create(KEY, made.entry('1'))
    made.old.kept.set(KEY, { session: '<html>502', ends: Number.POSITIVE_INFINITY })
    return { ...made, reports }
  }

  it('is a miss, which is told', async () => {
    const { store, reports } = await unreadable()
    expect(await store.load(KEY)).toBe(undefined)
    expect(reports).toEqual([{ type: 'unreadable', key: KEY }])
  })

  it.each<[string, (store: CallbackStore, entry: Entry) => Promise<unknown>]>([
    ['replaced', (store, entry) => store.replace(KEY, entry, entry)],
    ['touched', (store, entry) => store.touch(KEY, entry.expiresAt)],
  ])('is a failure when it is to be %s: its server may be down', async (_, run) => {
    const { old, store, entry, reports } = await unreadable()
    await expect(run(store, entry('1'))).rejects.toBeInstanceOf(SyntaxError)
    expect(old.kept.get(KEY)?.session).toBe('<html>502')
    expect(reports).toEqual([])
  })

  it('can be removed', async () => {
    const { old, store } = await unreadable()
    expect(await store.destroy(KEY)).toBe(true)
    expect(old.kept.has(KEY)).toBe(false)
    expect(await store.destroy(KEY)).toBe(false)
  })
})

describe('the end of a record', () => {
  it('is what the store says, where a touch elsewhere has moved only its own expiry', async () => {
    const { old, store, clock, entry } = fixture()
    const elsewhere = new CallbackStore(copyOf(old), { clock, patience: LIMIT })
    await store.create(KEY, entry('1'))
    await clock.advance(HOUR / 2)
    await elsewhere.touch(KEY, clock.now() + HOUR)
    await clock.advance(HOUR / 2 + 1)
    // So long ago that it is touched again now, and this process knows from then on.
    expect(await store.load(KEY)).toEqual({ text: '1', expiresAt: clock.now() + HOUR - 60_001 })
    await store.touch(KEY, clock.now() + HOUR)
    expect(await store.load(KEY)).toEqual({ text: '1', expiresAt: clock.now() + HOUR })
    await clock.advance(HOUR)
    expect(await store.load(KEY)).toBe(undefined)
  })

  it('is what the store says, where only others have touched it since this process did', async () => {
    const { old, store, clock, entry } = fixture()
    const elsewhere = new CallbackStore(copyOf(old), { clock, patience: LIMIT })
    await store.create(KEY, entry('1'))
    await clock.advance(HOUR / 6)
    await store.touch(KEY, clock.now() + HOUR)
    for (let hours = 0; hours < 2; hours += 0.5) {
      await clock.advance(HOUR / 2)
      await elsewhere.touch(KEY, clock.now() + HOUR)
    }
    expect(await store.load(KEY)).toMatchObject({ text: '1' })
    expect(await store.replace(KEY, entry('2'), entry('1'))).toBe('replaced')
  })

  it('is not taken for moved in a store without a touch', async () => {
    const clock = new FakeClock()
    const store = new CallbackStore(new PlainOldStore(), { clock, patience: LIMIT })
    await store.create(KEY, { text: '1', expiresAt: clock.now() + HOUR })
    await clock.advance(HOUR)
    expect(await store.load(KEY)).toBe(undefined)
  })

  it('is the new one when another process has written since the touch', async () => {
    const { old, store, clock, entry } = fixture()
    const elsewhere = new CallbackStore(copyOf(old), { clock, patience: LIMIT })
    await store.create(KEY, entry('1'))
    await clock.advance(1000)
    await store.touch(KEY, clock.now() + HOUR)
    const short = entry('2', HOUR / 2)
    await elsewhere.replace(KEY, short, entry('1'))
    expect(await store.load(KEY)).toEqual(short)
  })

  it('is the new one when this process has written since the touch, to the same moment', async () => {
    const { store, clock, entry } = fixture()
    await store.create(KEY, entry('1'))
    await store.touch(KEY, clock.now() + 2 * HOUR)
    await store.replace(KEY, entry('2'), entry('1'))
    expect(await store.load(KEY)).toEqual(entry('2'))
  })

  it('has come for a record that the store ended between read and touch', async () => {
    const { old, store, clock, entry } = fixture()
    await store.create(KEY, entry('1'))
    old.touch = (key, _session, callback) => {
      old.kept.delete(key)
      callback(new Error('Unable to find the session to touch'))
    }
    expect(await store.touch(KEY, clock.now() + HOUR)).toBe(false)
  })

  it('has not come because a touch failed', async () => {
    const { old, store, clock, entry } = fixture()
    await store.create(KEY, entry('1'))
    old.touch = (_key, _session, callback) => callback(new Error('connection lost'))
    await expect(store.touch(KEY, clock.now() + HOUR)).rejects.toThrow('connection lost')
  })
})

function waiting() {
  const clock = new FakeClock()
  const old = new WaitingOldStore(clock)
  const another = () => new CallbackStore(old, { clock, patience: LIMIT })
  const entry = (text: string, life = HOUR): Entry => ({ text, expiresAt: clock.now() + life })
  return { clock, old, store: another(), another, entry }
}

/** The same records through a connection of its own, as another process has it. */
function copyOf(old: ExpiringOldStore): ExpressSessionStore {
  return {
    get: (key, callback) => old.get(key, callback),
    set: (key, session, callback) => old.set(key, session, callback),
    touch: (key, session, callback) =>
      ExpiringOldStore.prototype.touch.call(old, key, session, callback),
    destroy: (key, callback) => old.destroy(key, callback),
  }
}
