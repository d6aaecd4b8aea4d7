import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import type { Stored } from '../../core/store.js'
import { within } from './checked-store.js'
import { type ClauseTests, test, testWith } from './clause.js'
import { keyOf, parallel, type Trial } from './trial.js'

const KEY = keyOf('a settled record')

/** S12 and S13: how operations answer. */
export const settling: readonly ClauseTests[] = [
  {
    clause: 'S12',
    title: 'every operation settles exactly once; a load gives a copy',
    tests: [
      test('every operation settles exactly once on a live record', async (t) => {
        await t.store.create(KEY, t.entry('{}'))
        const seen = await t.expectText(KEY, '{}')
        await expectOneAnswerEach(t, KEY, seen)
      }),
      test('every operation settles exactly once on a miss', async (t) => {
        await expectOneAnswerEach(t, keyOf('not there'), { text: '{}', expiresAt: t.later(1000) })
      }),
      test('500 operations at once all settle', async (t) => {
        const keys = Array.from({ length: 100 }, (_, i) => keyOf(`crowded ${i}`))
        await parallel(500, async (i) => {
          const key = keys[i % keys.length]!
          if (i < 100) return t.store.create(key, t.entry('{}'))
          if (i < 200) return t.store.touch(key, t.later(60_000))
          return i < 400 ? t.store.load(key) : t.store.destroy(key)
        })
      }),
      test('changing what a load gave changes nothing stored', async (t) => {
        const entry = t.entry('{"n":1}')
        await t.store.create(KEY, entry)
        const first = (await t.store.load(KEY)) as { text: string; expiresAt: number }
        spoil(first)
        const stored = await t.expectText(KEY, '{"n":1}')
        t.expectExpiry(stored.expiresAt, entry.expiresAt)
      }),
      test('changing an entry after the create changes nothing stored', async (t) => {
        const entry = { ...t.entry('{"n":1}') }
        const { expiresAt } = entry
        await t.store.create(KEY, entry)
        spoil(entry)
        t.expectExpiry((await t.expectText(KEY, '{"n":1}')).expiresAt, expiresAt)
      }),
      test('changing an entry after the replace changes nothing stored', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}'))
        const entry = { ...t.entry('{"n":2}') }
        const { expiresAt } = entry
        await t.store.replace(KEY, entry, await t.expectText(KEY, '{"n":1}'))
        spoil(entry)
        t.expectExpiry((await t.expectText(KEY, '{"n":2}')).expiresAt, expiresAt)
      }),
      test('what was loaded stays as it was when the record is written', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}'))
        const seen = await t.expectText(KEY, '{"n":1}')
        const { expiresAt } = seen
        await t.store.touch(KEY, t.later(5000))
        await t.store.replace(KEY, t.entry('{"n":2}'), seen)
        assert.equal(seen.text, '{"n":1}')
        assert.equal(seen.expiresAt, expiresAt)
      }),
      test('frozen arguments are no trouble', async (t) => {
        assert.equal(await t.store.create(KEY, Object.freeze(t.entry('{"n":1}', 'ada'))), true)
        const seen = Object.freeze({ ...(await t.expectText(KEY, '{"n":1}')) })
        const entry = Object.freeze(t.entry('{"n":2}', 'ada'))
        assert.equal(await t.store.replace(KEY, entry, seen), 'replaced')
      }),
    ],
  },
  {
    clause: 'S13',
    title: 'an unknown key costs one call and no retry',
    tests: [
      // A retry would wait by the clock, which stands still while the operation runs.
      test('a miss is answered without waiting for the clock', async (t) => {
        const before = t.subject.clock.now()
        const key = keyOf('unknown')
        const seen = { text: '{}', expiresAt: t.later(60_000) }
        await t.expectMiss(key)
        assert.equal(await t.store.touch(key, t.later(60_000)), false)
        assert.equal(await t.store.replace(key, t.entry('{}'), seen), 'gone')
        assert.equal(await t.store.destroy(key), false)
        if (!t.realTime) assert.equal(t.subject.clock.now(), before)
      }),
      testWith(['trips'], 'a miss is one wait for the backend', async (t) => {
        const [first, unknown] = [keyOf('unknown at first'), keyOf('unknown')]
        const seen = { text: '{}', expiresAt: t.later(60_000) }
        const operations: [string, number, (key: string) => Promise<unknown>][] = [
          ['load', 1, (key) => t.store.load(key)],
          ['touch', 1, (key) => t.store.touch(key, t.later(60_000))],
          ['replace', 1, (key) => t.store.replace(key, t.entry('{}'), seen)],
          ['destroy', 2, (key) => t.store.destroy(key)],
        ]
        for (const [op, most, run] of operations) {
          await run(first)
          const before = t.subject.trips!()
          await run(unknown)
          const trips = t.subject.trips!() - before
          assert(trips <= most, `${op} of an unknown key took ${trips} round trips, not ${most}`)
        }
      }),
    ],
  },
]

/** Calls the bare store, since a promise around an operation would hide a second answer. */
async function expectOneAnswerEach(t: Trial, key: string, seen: Stored): Promise<void> {
  const { store } = t.subject
  const entry = t.entry('{"n":1}')
  const operations: [string, () => unknown][] = [
    ['load', () => store.load(key)],
    ['replace', () => store.replace(key, entry, seen)],
    ['touch', () => store.touch(key, entry.expiresAt)],
    ['destroy', () => store.destroy(key)],
    ['create', () => store.create(key, entry)],
  ]
  for (const [op, run] of operations) {
    let answers = 0
    await within(
      t.limit,
      op,
      () =>
        new Promise<void>((resolve, reject) => {
          const answer = run()
          const count = (settle: () => void) => {
            answers++
            settle()
          }
          if (!isThenable(answer)) return count(resolve)
          answer.then(
            () => count(resolve),
            (error) => count(() => reject(error)),
          )
        }),
    )
    await setImmediate()
    assert.equal(answers, 1, `${op} settled ${answers} times`)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function'
}

/** Overwrites what can be overwritten; a frozen object is a copy good enough. */
function spoil(object: { text: string; expiresAt: number }): void {
  Reflect.set(object, 'text', '{"spoiled":true}')
  Reflect.set(object, 'expiresAt', 1)
}
