import assert from 'node:assert/strict'
import { can } from '../core/store.js'
import { background } from './conformance/background.js'
import type { ClauseTest, ClauseTests } from './conformance/clause.js'
import { contention } from './conformance/contention.js'
import { garbage } from './conformance/garbage.js'
import type {
  OptionalCapability,
  OptionalHook,
  StoreHarness,
  StoreUnderTest,
  TestRunner,
} from './conformance/harness.js'
import { isolation } from './conformance/isolation.js'
import { keysAndTexts } from './conformance/keys-and-texts.js'
import { lifetimes } from './conformance/lifetimes.js'
import { merging } from './conformance/merging.js'
import { outages } from './conformance/outages.js'
import { roundTrips } from './conformance/round-trips.js'
import { schedules } from './conformance/schedules.js'
import { settling } from './conformance/settling.js'
import { skew } from './conformance/skew.js'
import { succession } from './conformance/succession.js'
import { sweeping } from './conformance/sweeping.js'
import { startTrial } from './conformance/trial.js'
import { users } from './conformance/users.js'
import { writes } from './conformance/writes.js'

const CLAUSES: readonly ClauseTests[] = [
  ...writes,
  ...contention,
  ...merging,
  ...lifetimes,
  ...outages,
  ...background,
  ...settling,
  ...keysAndTexts,
  ...isolation,
  ...users,
  ...sweeping,
  ...skew,
  ...garbage,
  ...succession,
  ...roundTrips,
  ...schedules,
]

const CAPABILITIES: readonly string[] = [
  'sweep',
  'entries',
  'keysOfUser',
] satisfies OptionalCapability[]

/**
 * Declares the conformance suite of the store contract as tests of `runner`. Each clause is a
 * `describe` of its own, each test opens the store afresh. What does not apply is a skip with its
 * reason in sight.
 *
 * ```ts
 * import { FakeClock, testStore } from 'coatcheck/testing'
 * import { describe, it } from 'vitest'
 *
 * testStore({ describe, it }, 'MyStore', {
 *   open() {
 *     const clock = new FakeClock()
 *     const store = new MyStore({ clock })
 *     return { store, clock, advance: (ms) => clock.advance(ms), another: () => store }
 *   },
 *   lacks: {
 *     elsewhere: 'one store has one place',
 *     plant: 'nobody else gets at the memory',
 *     trips: 'there is no backend to wait for',
 *     processes: 'the memory is of one process',
 *     outage: 'the memory is always there',
 *     blackHole: 'the memory answers at once',
 *     exits: 'it opens nothing',
 *     skewed: 'the memory is of one machine',
 *     predecessor: 'it replaces no other package',
 *   },
 * })
 * ```
 */
export function testStore(runner: TestRunner, name: string, harness: StoreHarness): void {
  runner.describe(`${name} keeps the store contract`, () => {
    runner.describe('the harness', () => {
      runner.it('names as lacking only what is lacking', () => checkLacks(harness))
    })
    for (const { clause, title, tests } of CLAUSES) {
      runner.describe(`${clause} ${title}`, () => {
        for (const test of tests) {
          const reason = harness.skips?.[clause] ?? lackOf(test, harness)
          if (reason === undefined) runner.it(test.name, () => runTest(test, harness))
          else skip(runner, test.name, reason)
        }
      })
    }
  })
}

async function runTest(test: ClauseTest, harness: StoreHarness): Promise<void> {
  const subject = await harness.open()
  try {
    for (const need of test.needs) {
      const where = CAPABILITIES.includes(need) ? 'the store has' : 'the harness offers'
      const hint = `say why in the harness: lacks: { ${need}: '…' }`
      assert(offers(subject, need), `${where} no ${need}; if that is meant, ${hint}`)
    }
    // No whole second, or rounding would go unseen.
    if (harness.realTime !== true) await subject.advance(337)
    await test.run(startTrial(subject, harness))
  } finally {
    await subject.dispose?.()
  }
}

async function checkLacks(harness: StoreHarness): Promise<void> {
  const subject = await harness.open()
  try {
    for (const lack of Object.keys(harness.lacks ?? {})) {
      const offered = offers(subject, lack as OptionalCapability | OptionalHook)
      assert(
        !offered,
        `lacks names ${lack}, which is there: its tests would be skipped for nothing`,
      )
    }
  } finally {
    await subject.dispose?.()
  }
}

function lackOf(test: ClauseTest, harness: StoreHarness): string | undefined {
  return test.needs.map((need) => harness.lacks?.[need]).find((reason) => reason !== undefined)
}

function offers(subject: StoreUnderTest, need: OptionalCapability | OptionalHook): boolean {
  if (need === 'sweep' || need === 'entries' || need === 'keysOfUser') {
    return can(subject.store, need)
  }
  return subject[need] !== undefined
}

function skip(runner: TestRunner, name: string, reason: string): void {
  if (runner.skip !== undefined) {
    runner.skip(name, reason)
    return
  }
  const declare = runner.it.skip ?? runner.it
  declare(`${name} (skipped: ${reason})`, async () => {})
}
