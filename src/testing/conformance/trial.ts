import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Entry, Store, Stored } from '../../core/store.js'
import { type CheckedStore, checked } from './checked-store.js'
import type { StoreHarness, StoreUnderTest } from './harness.js'

/** One test's view of the store under test. */
export interface Trial {
  readonly subject: StoreUnderTest
  readonly store: CheckedStore
  readonly unit: number
  readonly realTime: boolean
  readonly maxText: number
  readonly limit: number
  /** How long an operation is waited for during an outage, in ms of the machine. */
  readonly patience: number
  /** A life in ms that a test can wait out. */
  readonly shortLife: number
  /** How long before its expiry a record is looked at when it must be live still. */
  readonly margin: number
  /** The moment `ms` from now. */
  later(ms: number): number
  /** An entry that ends in an hour, or after `life` ms. */
  entry(text: string, user?: string, life?: number): Entry
  /** Lets time pass until `moment`. */
  passTo(moment: number): Promise<void>
  /** Lets time pass until a record with this expiry must be a miss. */
  outlive(expiresAt: number): Promise<void>
  another(): Promise<CheckedStore>
  /** Another one, on a machine whose clock is `ms` ahead. */
  skewed(ms: number): Promise<CheckedStore>
  elsewhere(): Promise<CheckedStore>
  /** The live record under `key`, whose text must be `text`. */
  expectText(key: string, text: string, store?: CheckedStore): Promise<Stored>
  expectMiss(key: string, store?: CheckedStore): Promise<void>
  /** Checks an expiry that was read, as exactly as the backend can keep it. */
  expectExpiry(actual: number, given: number): void
}

const HOUR = 60 * 60 * 1000

/** Starts a test on an opened store. */
export function startTrial(subject: StoreUnderTest, harness: StoreHarness): Trial {
  const { unit = 1, drift = 0, realTime = false, maxText = 100 * 1024 } = harness
  const { limit = 4000, patience = 250 } = harness
  const wrap = (store: Store) => checked(store, limit)
  const store = wrap(subject.store)
  const later = (ms: number) => subject.clock.now() + ms

  async function passTo(moment: number): Promise<void> {
    const ms = moment - subject.clock.now()
    if (ms > 0) await subject.advance(ms)
  }

  return {
    subject,
    store,
    unit,
    realTime,
    maxText,
    limit,
    patience,
    // Twice as long is clearly longer: the one has ended surely before the other may.
    shortLife: realTime ? Math.max(2 * unit + drift, 800) : 60_000,
    margin: realTime ? Math.max(unit, 400) : 1,
    later,
    entry(text, user, life = HOUR) {
      return { text, expiresAt: later(life), ...(user !== undefined && { user }) }
    },
    passTo,
    outlive(expiresAt) {
      // A real timer may fire a little early, and two clocks of one machine differ by a tick.
      return passTo(expiresAt + unit + drift + (realTime ? 30 : 0))
    },
    async another() {
      assert(subject.another)
      return wrap(await subject.another())
    },
    async skewed(ms) {
      assert(subject.skewed)
      return wrap(await subject.skewed(ms))
    },
    async elsewhere() {
      assert(subject.elsewhere)
      return wrap(await subject.elsewhere())
    },
    async expectText(key, text, where = store) {
      const stored = await where.load(key)
      assert(
        stored !== undefined,
        `expected a live record with the text ${brief(text)}, not a miss`,
      )
      if (stored.text !== text) {
        assert.fail(`expected the text ${brief(text)}, not ${brief(stored.text)}`)
      }
      return stored
    },
    async expectMiss(key, where = store) {
      const stored = await where.load(key)
      if (stored !== undefined) assert.fail(`expected a miss, not ${brief(stored.text)}`)
    },
    expectExpiry(actual, given) {
      assert(
        actual >= given - drift && actual < given + unit + drift,
        `expected an expiry of ${given} with a unit of ${unit} ms, not ${actual}`,
      )
    },
  }
}

/** A key as the engine makes them: 43 characters of base64url. */
export function keyOf(name: string): string {
  return createHash('sha256').update(name).digest('base64url')
}

/** Leaves an expired record that no load has met yet, and gives what it was. */
export async function leaveExpired(t: Trial, key: string): Promise<Stored> {
  const entry = t.entry('{"n":1}', undefined, t.shortLife)
  await t.store.create(key, entry)
  const seen = await t.expectText(key, '{"n":1}')
  await t.outlive(entry.expiresAt)
  return seen
}

/** `count` runs at once. */
export function parallel<T>(count: number, run: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => run(index)))
}

/** Waits some microtasks, so that what follows lands between the steps of something in flight. */
export async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await undefined
}

function brief(text: string): string {
  const shown = JSON.stringify(text)
  return shown.length <= 80 ? shown : `${shown.slice(0, 60)}… of ${text.length} characters`
}
