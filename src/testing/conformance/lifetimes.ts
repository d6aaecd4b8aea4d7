import assert from 'node:assert/strict'
import { type ClauseTests, test, testWith } from './clause.js'
import { keyOf, parallel, type Trial } from './trial.js'

const KEY = keyOf('a mortal record')
const DAY = 24 * 60 * 60 * 1000

/** S7 and S8: when a record ends. */
export const lifetimes: readonly ClauseTests[] = [
  {
    clause: 'S7',
    title: 'a record ends at its expiry, without any sweep',
    tests: [
      // Lives that are no whole seconds catch a store that rounds down.
      ...[0, 1, 499, 500, 999].map((odd) =>
        test(`a record with a life of so many seconds and ${odd} ms`, async (t) => {
          const entry = t.entry('{}', undefined, t.shortLife + odd)
          await t.store.create(KEY, entry)
          await expectEnd(t, entry.expiresAt)
        }),
      ),
      test('at its very expiry, every operation agrees whether it is live', async (t) => {
        const entry = t.entry('{"n":1}', undefined, t.shortLife)
        await t.store.create(KEY, entry)
        const seen = await t.expectText(KEY, '{"n":1}')
        await t.passTo(entry.expiresAt)
        if ((await t.store.load(KEY)) !== undefined) return
        assert.equal(await t.store.touch(KEY, t.later(DAY)), false)
        assert.equal(await t.store.replace(KEY, t.entry('{"n":2}'), seen), 'gone')
        assert.equal(await t.store.create(KEY, t.entry('{"n":3}')), true)
      }),
      test('a replaced record ends at its new expiry', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}', undefined, DAY))
        const seen = await t.expectText(KEY, '{"n":1}')
        const entry = t.entry('{"n":2}', undefined, t.shortLife)
        await t.store.replace(KEY, entry, seen)
        await expectEnd(t, entry.expiresAt)
      }),
      test('a replaced record outlives its old expiry', async (t) => {
        const entry = t.entry('{"n":1}', undefined, t.shortLife)
        await t.store.create(KEY, entry)
        const seen = await t.expectText(KEY, '{"n":1}')
        await t.store.replace(KEY, t.entry('{"n":2}', undefined, DAY), seen)
        await t.outlive(entry.expiresAt)
        await t.expectText(KEY, '{"n":2}')
      }),
      test('a record created over an expired one lives its own life', async (t) => {
        const first = t.entry('{"n":1}', undefined, t.shortLife)
        await t.store.create(KEY, first)
        await t.outlive(first.expiresAt)
        const second = t.entry('{"n":2}', undefined, t.shortLife)
        await t.store.create(KEY, second)
        await expectEnd(t, second.expiresAt)
      }),
      testWith(['another'], 'a record ends for another instance too', async (t) => {
        const other = await t.another()
        const entry = t.entry('{}', undefined, t.shortLife)
        await t.store.create(KEY, entry)
        await t.expectText(KEY, '{}', other)
        await t.outlive(entry.expiresAt)
        await t.expectMiss(KEY, other)
      }),
      test('each of many records ends at its own time', async (t) => {
        const lives = [1, 2, 3, 4].map((n) => n * t.shortLife)
        await parallel(lives.length, (i) =>
          t.store.create(keyOf(`mortal ${i}`), t.entry('{}', undefined, lives[i])),
        )
        await t.outlive(t.later(lives[0]!))
        await t.expectMiss(keyOf('mortal 0'))
        for (const i of [1, 2, 3]) await t.expectText(keyOf(`mortal ${i}`), '{}')
      }),
    ],
  },
  {
    clause: 'S8',
    title: 'lifetimes, from none to 400 days',
    tests: [
      ...[0, -1, -1000, -DAY, -400 * DAY].map((life) =>
        test(`a life of ${life} ms never lives`, async (t) => {
          await t.store.create(KEY, t.entry('{"n":1}', undefined, life))
          await t.expectMiss(KEY)

          // An expiry of zero or in the past must not turn into "no expiry" later on either.
          const [replaced, touched] = [keyOf('replaced away'), keyOf('touched away')]
          await t.store.create(replaced, t.entry('{"n":1}'))
          const seen = await t.expectText(replaced, '{"n":1}')
          await t.store.replace(replaced, t.entry('{"n":2}', undefined, life), seen)
          await t.expectMiss(replaced)
          await t.store.create(touched, t.entry('{"n":1}'))
          await t.store.touch(touched, t.later(life))
          await t.expectMiss(touched)
        }),
      ),
      test('an expiry at the epoch itself never lives', async (t) => {
        await t.store.create(KEY, { text: '{}', expiresAt: 0 })
        await t.expectMiss(KEY)
        await t.store.create(KEY, t.entry('{}'))
        await t.store.touch(KEY, 0)
        await t.expectMiss(KEY)
      }),
      test('a key is free after a life of nothing', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}', undefined, 0))
        assert.equal(await t.store.create(KEY, t.entry('{"n":2}')), true)
        await t.expectText(KEY, '{"n":2}')
      }),
      ...[1, 999].map((life) =>
        test(`a life of ${life} ms is neither nothing nor for ever`, async (t) => {
          const entry = t.entry('{}', undefined, life)
          await t.store.create(KEY, entry)
          // By a server's clock a single millisecond is over before the load.
          if (!t.realTime || life > 500) await t.expectText(KEY, '{}')
          await t.outlive(entry.expiresAt)
          await t.expectMiss(KEY)
        }),
      ),
      ...[1, 999].map((life) =>
        test(`a touch to ${life} ms from now is neither nothing nor for ever`, async (t) => {
          await t.store.create(KEY, t.entry('{}'))
          const expiresAt = t.later(life)
          assert.equal(await t.store.touch(KEY, expiresAt), true)
          if (!t.realTime || life > 500) await t.expectText(KEY, '{}')
          await t.outlive(expiresAt)
          await t.expectMiss(KEY)
        }),
      ),
      // Timers overflow at 2^31 ms, Memcached takes more than 30 days for a date.
      ...[
        ['2^31 ms', 2 ** 31],
        ['30 days', 30 * DAY],
        ['30 days and a second', 30 * DAY + 1000],
        ['31 days', 31 * DAY],
        ['400 days', 400 * DAY],
      ].map(([name, life]) =>
        test(`a life of ${name} arrives as it is`, async (t) => {
          const expiresAt = t.later(Number(life))
          const touched = keyOf('touched to last')
          await t.store.create(KEY, { text: '{}', expiresAt })
          await t.store.create(touched, t.entry('{}'))
          await t.store.touch(touched, expiresAt)
          for (const key of [KEY, touched]) {
            t.expectExpiry((await t.expectText(key, '{}')).expiresAt, expiresAt)
          }
          if (t.realTime) return
          await expectEnd(t, expiresAt)
          await t.expectMiss(touched)
        }),
      ),
    ],
  },
]

/** Expects a live record just before the expiry and a miss one unit after it. */
async function expectEnd(t: Trial, expiresAt: number): Promise<void> {
  await t.passTo(expiresAt - t.margin)
  assert(await t.store.load(KEY), `a record was a miss ${t.margin} ms before its expiry`)
  await t.outlive(expiresAt)
  await t.expectMiss(KEY)
}
