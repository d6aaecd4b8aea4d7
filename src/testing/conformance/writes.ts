import assert from 'node:assert/strict'
import type { Stored } from '../../core/store.js'
import { type ClauseTests, test, testWith } from './clause.js'
import { keyOf, leaveExpired, parallel, type Trial, ticks } from './trial.js'

const KEY = keyOf('the record')
const DAY = 24 * 60 * 60 * 1000

/** S1 to S3: what create, replace and touch may write. */
export const writes: readonly ClauseTests[] = [
  {
    clause: 'S1',
    title: 'create inserts, never overwrites',
    tests: [
      test('a create on a free key gives true and is there at once', async (t) => {
        const entry = t.entry('{"n":1}')
        assert.equal(await t.store.create(KEY, entry), true)
        const stored = await t.expectText(KEY, '{"n":1}')
        t.expectExpiry(stored.expiresAt, entry.expiresAt)
      }),
      test('a create on a live key gives false and changes neither text nor expiry', async (t) => {
        const first = t.entry('{"n":1}')
        await t.store.create(KEY, first)
        assert.equal(await t.store.create(KEY, t.entry('{"n":2}', undefined, DAY)), false)
        const stored = await t.expectText(KEY, '{"n":1}')
        t.expectExpiry(stored.expiresAt, first.expiresAt)
      }),
      test('a create with the same text on a live key gives false too', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}'))
        assert.equal(await t.store.create(KEY, t.entry('{"n":1}')), false)
      }),
      testWith(
        ['keysOfUser'],
        'a refused create does not change whose session it is',
        async (t) => {
          await t.store.create(KEY, t.entry('{}', 'ada'))
          await t.store.create(KEY, t.entry('{}', 'eve'))
          assert.deepEqual(await t.store.keysOfUser('ada'), [KEY])
          assert.deepEqual(await t.store.keysOfUser('eve'), [])
        },
      ),
      ...[2, 10, 50].map((count) =>
        test(`of ${count} creates that race, one gives true and is what is stored`, (t) =>
          oneCreateWins(t, count)),
      ),
      test('an expired leftover does not keep a key taken', async (t) => {
        await leaveExpired(t, KEY)
        assert.equal(await t.store.create(KEY, t.entry('{"n":2}')), true)
        await t.expectText(KEY, '{"n":2}')
      }),
      test('of 10 creates with a user that race, one gives true and is what is stored', async (t) => {
        const results = await parallel(10, (i) =>
          t.store.create(KEY, t.entry(`{"by":${i}}`, `user${i}`)),
        )
        const winners = results.flatMap((created, i) => (created ? [i] : []))
        assert.equal(winners.length, 1)
        await t.expectText(KEY, `{"by":${winners[0]}}`)
      }),
      test('of 10 creates that race for an expired leftover, one gives true', async (t) => {
        await leaveExpired(t, KEY)
        await oneCreateWins(t, 10)
      }),
      testWith(['another'], 'creates of two instances that race have one winner', async (t) => {
        const stores = [t.store, await t.another()]
        const results = await parallel(20, (i) =>
          stores[i % 2]!.create(KEY, t.entry(`{"by":${i}}`)),
        )
        assert.equal(results.filter(Boolean).length, 1)
        await t.expectText(KEY, `{"by":${results.indexOf(true)}}`, stores[1])
      }),
      testWith(['processes'], 'creates of four processes that race have one winner', async (t) => {
        const keys = Array.from({ length: 20 }, (_, i) => keyOf(`raced ${i}`))
        const expiresAt = t.later(DAY)
        const programs = ['a', 'b', 'c', 'd'].map((by) => {
          return { type: 'create' as const, keys, text: JSON.stringify({ by }), expiresAt }
        })
        const results = (await t.subject.processes!(programs)) as boolean[][]
        for (const [i, key] of keys.entries()) {
          const winners = programs.filter((_, process) => results[process]?.[i] === true)
          assert.equal(winners.length, 1)
          await t.expectText(key, winners[0]!.text)
        }
      }),
    ],
  },
  {
    clause: 'S2',
    title: 'replace and touch never bring a record back',
    tests: [
      test('on a key that was never there', async (t) => {
        await expectNoRevival(t, { text: '{}', expiresAt: t.later(DAY) })
      }),
      test('on a destroyed key', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}'))
        const seen = await t.expectText(KEY, '{"n":1}')
        await t.store.destroy(KEY)
        await expectNoRevival(t, seen)
      }),
      test('on an expired key', async (t) => {
        await expectNoRevival(t, await leaveExpired(t, KEY))
      }),
      test('on an expired key, touched first', async (t) => {
        const seen = await leaveExpired(t, KEY)
        assert.equal(await t.store.touch(KEY, t.later(DAY)), false)
        await expectNoRevival(t, seen)
      }),
      testWith(['keysOfUser'], 'a refused replace leaves nothing with the user', async (t) => {
        await t.store.create(KEY, t.entry('{}', 'ada'))
        const seen = await t.expectText(KEY, '{}')
        await t.store.destroy(KEY)
        assert.equal(await t.store.replace(KEY, t.entry('{}', 'ada'), seen), 'gone')
        assert.deepEqual(await t.store.keysOfUser('ada'), [])
      }),
      testWith(['entries'], 'a refused replace and a refused touch list nothing', async (t) => {
        const seen = await leaveExpired(t, KEY)
        await t.store.replace(KEY, t.entry('{}'), seen)
        await t.store.touch(KEY, t.later(DAY))
        assert.deepEqual(await t.store.entries(), [])
      }),
    ],
  },
  {
    clause: 'S3',
    title: 'touch moves the expiry and nothing else',
    tests: [
      ...[
        ['later', DAY],
        ['earlier', 30 * 60 * 1000],
      ].map(([direction, life]) =>
        test(`a touch sets exactly the given expiry, ${direction}`, async (t) => {
          await t.store.create(KEY, t.entry('{"n":1}'))
          const expiresAt = t.later(Number(life))
          assert.equal(await t.store.touch(KEY, expiresAt), true)
          t.expectExpiry((await t.expectText(KEY, '{"n":1}')).expiresAt, expiresAt)
        }),
      ),
      test('a touched record lives longer than it was created for', async (t) => {
        const entry = t.entry('{}', undefined, t.shortLife)
        await t.store.create(KEY, entry)
        await t.store.touch(KEY, t.later(DAY))
        await t.outlive(entry.expiresAt)
        await t.expectText(KEY, '{}')
      }),
      test('a record touched to end earlier ends earlier', async (t) => {
        await t.store.create(KEY, t.entry('{}'))
        const expiresAt = t.later(t.shortLife)
        await t.store.touch(KEY, expiresAt)
        await t.outlive(expiresAt)
        await t.expectMiss(KEY)
      }),
      test('a touch to the same expiry gives true', async (t) => {
        const entry = t.entry('{}')
        await t.store.create(KEY, entry)
        assert.equal(await t.store.touch(KEY, entry.expiresAt), true)
      }),
      test('a touch between load and replace is no change', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}'))
        const seen = await t.expectText(KEY, '{"n":1}')
        await t.store.touch(KEY, t.later(DAY))
        assert.equal(await t.store.replace(KEY, t.entry('{"n":2}'), seen), 'replaced')
        await t.expectText(KEY, '{"n":2}')
      }),
      test('touches in flight never undo a replace', async (t) => {
        await t.store.create(KEY, t.entry('{"n":0}'))
        for (let n = 1; n <= 8; n++) {
          const seen = await t.expectText(KEY, `{"n":${n - 1}}`)
          const touches = parallel(10, async (i) => {
            await ticks(i)
            assert.equal(await t.store.touch(KEY, t.later(DAY + i)), true)
          })
          await ticks(2 * n)
          const replaced = t.store.replace(KEY, t.entry(`{"n":${n}}`), seen)
          const [result] = await Promise.all([replaced, touches])
          assert.equal(result, 'replaced')
          await t.expectText(KEY, `{"n":${n}}`)
        }
      }),
      testWith(['keysOfUser'], 'a touch leaves the record with its user', async (t) => {
        const entry = t.entry('{}', 'ada', t.shortLife)
        await t.store.create(KEY, entry)
        await t.store.touch(KEY, t.later(DAY))
        assert.deepEqual(await t.store.keysOfUser('ada'), [KEY])
        await t.outlive(entry.expiresAt)
        assert.deepEqual(await t.store.keysOfUser('ada'), [KEY])
      }),
    ],
  },
]

async function oneCreateWins(t: Trial, count: number): Promise<void> {
  const results = await parallel(count, (i) => t.store.create(KEY, t.entry(`{"by":${i}}`)))
  assert.equal(results.filter(Boolean).length, 1)
  await t.expectText(KEY, `{"by":${results.indexOf(true)}}`)
}

async function expectNoRevival(t: Trial, seen: Stored): Promise<void> {
  assert.equal(await t.store.replace(KEY, t.entry('{"n":2}'), seen), 'gone')
  await t.expectMiss(KEY)
  assert.equal(await t.store.touch(KEY, t.later(DAY)), false)
  await t.expectMiss(KEY)
  const results = await parallel<unknown>(10, (i) =>
    i % 2 === 0 ? t.store.replace(KEY, t.entry('{"n":2}'), seen) : t.store.touch(KEY, t.later(DAY)),
  )
  assert(results.every((result) => result === 'gone' || result === false))
  await t.expectMiss(KEY)
  assert.equal(await t.store.create(KEY, t.entry('{"n":3}')), true)
}
