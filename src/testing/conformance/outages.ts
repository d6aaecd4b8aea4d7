import assert from 'node:assert/strict'
import { clearTimeout, setTimeout } from 'node:timers'
import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from '../../core/clock.js'
import { can, type Stored } from '../../core/store.js'
import { waitAtMost } from '../../core/time-limit.js'
import { within } from './checked-store.js'
import { type ClauseTest, type ClauseTests, testWith } from './clause.js'
import type { Interruption, StoreUnderTest } from './harness.js'
import { keyOf, type Trial, ticks } from './trial.js'
import { unhandledDuring } from './unhandled.js'

const [KEPT, ENDED, NEW] = [keyOf('kept'), keyOf('ended'), keyOf('new')]
const [OLD, NEXT] = ['{"n":1}', '{"n":2}']
const NEVER_LOADED: Stored = { text: OLD, expiresAt: 0 }

/** How far operations have come when the backend goes: some turns, or some time. */
const STARTS = [
  ...[0, 1, 2, 3, 4, 6].map((count) => () => ticks(count)),
  ...[0, 2, 8].map((ms) => () => delay(ms)),
]

/**
 * Unlike those of the engine its timers hold the process: node:test takes a test as cancelled when
 * nothing else does, and an operation in a black hole need not.
 */
const patientClock: Clock = {
  now: Date.now,
  setTimeout,
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
}

type Silence = NonNullable<StoreUnderTest['blackHole']>

/** S9 and S10: a backend that cannot be reached, or does not answer. */
export const outages: readonly ClauseTests[] = [
  {
    clause: 'S9',
    title: 'an outage fails operations, and leaves nothing behind in the process',
    tests: [
      duringOutage('a first use fails, and works after it', async (t, outage) => {
        await outage.begin()
        await expectFailures(t, NEVER_LOADED)
        await outage.end()
        await expectRecovery(t)
      }),
      duringOutage('a store in use fails, and works after it, three times', async (t, outage) => {
        const seen = await fill(t)
        for (let time = 0; time < 3; time++) {
          await outage.begin()
          await expectFailures(t, seen)
          await outage.end()
          await expectRecovery(t)
          await t.expectText(KEPT, OLD)
        }
      }),
      duringOutage('what is under way when it begins is done or not done', async (t, outage) => {
        for (const [round, start] of STARTS.entries()) {
          const keys = Array.from({ length: 5 }, (_, i) => keyOf(`under way ${round} ${i}`))
          for (const key of keys) await t.store.create(key, t.entry(OLD))
          const seen = await Promise.all(keys.map((key) => t.expectText(key, OLD)))
          const writes = keys.map((key, i) => t.store.replace(key, t.entry(NEXT), seen[i]!))
          for (const write of writes) write.catch(() => {})
          await start()
          await outage.begin()
          const results = await Promise.all(writes.map((write) => outcomeOf(write, t.patience)))
          await outage.end()
          await expectRecovery(t)
          await Promise.allSettled(writes)
          for (const [i, key] of keys.entries()) {
            const text = (await t.store.load(key))?.text
            // A failure may have come after the deed; an answer has not come before it.
            if (results[i] === 'done') assert.equal(text, NEXT)
            else
              assert(text === OLD || text === NEXT, 'a record is neither the old nor the new one')
          }
        }
      }),
    ],
  },
  {
    clause: 'S10',
    title: 'a backend that does not answer holds nothing up for ever',
    tests: [
      inBlackHole('no operation is said to be done', async (t, hole) => {
        const seen = await fill(t)
        await hole.begin()
        await expectFailures(t, seen, hole.limit)
        await hole.end()
        await expectRecovery(t)
      }),
      inBlackHole('its late answers are ignored, and records are whole', async (t, hole) => {
        const seen = await fill(t)
        await hole.begin()
        const { store } = t.subject
        const late = [
          async () => store.load(KEPT),
          async () => store.replace(KEPT, t.entry(NEXT), seen),
          async () => store.create(NEW, t.entry(OLD)),
          async () => store.destroy(ENDED),
        ].map((run) => run())
        // Nobody waits for them any more, as after the time limit of the engine.
        for (const work of late) work.catch(() => {})
        await Promise.all(late.map((work) => outcomeOf(work, t.patience)))
        await hole.end()
        await expectRecovery(t)
        await within(t.limit, 'a late answer', () => Promise.allSettled(late))
        const texts: unknown[] = [OLD, NEXT]
        const found = await t.store.load(KEPT)
        assert(texts.includes(found?.text), 'a record is neither the old nor the new one')
        assert.equal(await t.store.replace(KEPT, t.entry('{"n":3}'), found!), 'replaced')
        assert([undefined, OLD].includes((await t.store.load(NEW))?.text))
        await t.store.destroy(NEW)
        await t.expectMiss(NEW)
        await t.expectText(KEPT, '{"n":3}')
      }),
    ],
  },
]

function duringOutage(
  name: string,
  run: (t: Trial, outage: Interruption) => Promise<void>,
): ClauseTest {
  return testWith(['outage'], name, (t) => quietly(t, t.subject.outage!, run))
}

function inBlackHole(name: string, run: (t: Trial, hole: Silence) => Promise<void>): ClauseTest {
  return testWith(['blackHole'], name, (t) => quietly(t, t.subject.blackHole!, run))
}

/** Whatever happens, the backend is there again afterwards, and no rejection went unhandled. */
async function quietly(
  t: Trial,
  interruption: Silence,
  run: (t: Trial, interruption: Silence) => Promise<void>,
): Promise<void> {
  const { limit } = interruption
  let over = true
  const watched: Silence = {
    ...(limit === undefined ? {} : { limit }),
    async begin() {
      over = false
      await interruption.begin()
    },
    async end() {
      await interruption.end()
      over = true
    },
  }
  const unhandled = await unhandledDuring(async () => {
    try {
      await run(t, watched)
    } finally {
      if (!over) await interruption.end()
    }
  })
  assert.deepEqual(unhandled, [], 'a rejection was not handled')
}

async function fill(t: Trial): Promise<Stored> {
  await t.store.create(KEPT, t.entry(OLD, 'ada'))
  await t.store.create(ENDED, t.entry(OLD))
  return await t.expectText(KEPT, OLD)
}

/**
 * Every operation fails, or does not answer: "not found" would sign everybody out, and "done" would
 * be a lie. With `limit` each has to fail by itself.
 */
async function expectFailures(t: Trial, seen: Stored, limit?: number): Promise<void> {
  const { store } = t.subject
  // Bare, since the wrapper of the tests has a time limit of its own.
  const operations: [string, () => Promise<unknown>][] = [
    ['load', async () => store.load(KEPT)],
    ['create', async () => store.create(keyOf('during it'), t.entry(OLD))],
    ['replace', async () => store.replace(KEPT, t.entry(OLD), seen)],
    ['touch', async () => store.touch(KEPT, t.later(60_000))],
    ['destroy', async () => store.destroy(keyOf('during it'))],
  ]
  if (can(store, 'keysOfUser')) {
    operations.push(['keysOfUser', async () => store.keysOfUser('ada')])
  }
  await Promise.all(
    operations.map(async ([op, run]) => {
      const outcome = await outcomeOf(run(), (limit ?? 0) + t.patience)
      assert.notEqual(outcome, 'done', `${op} was said to be done while the backend was away`)
      if (limit !== undefined) {
        assert.equal(outcome, 'failed', `${op} did not end at the store's own limit of ${limit} ms`)
      }
    }),
  )
}

/** How `work` has ended after `patience` ms of the machine. */
export async function outcomeOf(
  work: Promise<unknown>,
  patience: number,
): Promise<'done' | 'failed' | 'unanswered'> {
  let outcome: 'done' | 'failed' | 'unanswered' = 'unanswered'
  const heard = work.then(
    () => {
      outcome = 'done'
    },
    () => {
      outcome = 'failed'
    },
  )
  await waitAtMost(patientClock, patience, heard)
  return outcome
}

/** A client takes a moment to connect again, but it does by itself. */
export async function expectRecovery(t: Trial): Promise<void> {
  const until = Date.now() + t.limit
  const { store } = t.subject
  // A new key for each, since what was not answered may come late.
  const freshKey = () => keyOf(`after it ${recoveries++}`)
  const work = async () => {
    await store.load(KEPT)
    await store.create(freshKey(), t.entry(OLD))
  }
  while ((await outcomeOf(work(), t.patience)) !== 'done') {
    assert(Date.now() < until, `the store did not work again within ${t.limit} ms after the outage`)
    await delay(20)
  }
  const key = freshKey()
  assert.equal(await t.store.create(key, t.entry(OLD)), true)
  await t.expectText(key, OLD)
}

let recoveries = 0
