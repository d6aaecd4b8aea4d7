import assert from 'node:assert/strict'
import { type ClauseTests, test, testWith } from './clause.js'
import { keyOf, leaveExpired, parallel, type Trial, ticks } from './trial.js'

const KEY = keyOf('a contested record')
const DAY = 24 * 60 * 60 * 1000

/** S4 and S5: who wins when several write. */
export const contention: readonly ClauseTests[] = [
  {
    clause: 'S4',
    title: 'replace compares with what was loaded',
    tests: [
      test('a replace of what was loaded sets text and expiry', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}'))
        const seen = await t.expectText(KEY, '{"n":1}')
        const entry = t.entry('{"n":2}', undefined, DAY)
        assert.equal(await t.store.replace(KEY, entry, seen), 'replaced')
        t.expectExpiry((await t.expectText(KEY, '{"n":2}')).expiresAt, entry.expiresAt)
      }),
      // MySQL counts rows that an UPDATE changed, not those it found, unless asked otherwise.
      test('a replace by the same text and expiry gives "replaced"', async (t) => {
        const entry = t.entry('{"n":1}')
        await t.store.create(KEY, entry)
        const seen = await t.expectText(KEY, '{"n":1}')
        assert.equal(await t.store.replace(KEY, entry, seen), 'replaced')
        await t.expectText(KEY, '{"n":1}')
      }),
      test('a copy of what was loaded compares the same', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}'))
        const seen = await t.expectText(KEY, '{"n":1}')
        assert.equal(await t.store.replace(KEY, t.entry('{"n":2}'), { ...seen }), 'replaced')
      }),
      test('a stale replace gives "changed" and changes neither text nor expiry', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}'))
        const stale = await t.expectText(KEY, '{"n":1}')
        const entry = t.entry('{"n":2}')
        assert.equal(await t.store.replace(KEY, entry, stale), 'replaced')
        const late = t.entry('{"n":3}', undefined, DAY)
        assert.equal(await t.store.replace(KEY, late, stale), 'changed')
        t.expectExpiry((await t.expectText(KEY, '{"n":2}')).expiresAt, entry.expiresAt)
      }),
      test('a text that differs only at its end is another text', async (t) => {
        const long = `{"pad":"${'x'.repeat(5000)}","n":`
        await t.store.create(KEY, t.entry(`${long}1}`))
        const stale = await t.expectText(KEY, `${long}1}`)
        await t.store.replace(KEY, t.entry(`${long}2}`), stale)
        assert.equal(await t.store.replace(KEY, t.entry(`${long}3}`), stale), 'changed')
        await t.expectText(KEY, `${long}2}`)
      }),
      test('a text that differs only in case or accents is another text', async (t) => {
        await t.store.create(KEY, t.entry('{"name":"José"}'))
        const stale = await t.expectText(KEY, '{"name":"José"}')
        await t.store.replace(KEY, t.entry('{"name":"jose"}'), stale)
        assert.equal(await t.store.replace(KEY, t.entry('{"name":"x"}'), stale), 'changed')
        await t.expectText(KEY, '{"name":"jose"}')
      }),
      test('a record destroyed and created anew with another text has changed', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}'))
        const stale = await t.expectText(KEY, '{"n":1}')
        await t.store.destroy(KEY)
        await t.store.create(KEY, t.entry('{"n":2}'))
        assert.equal(await t.store.replace(KEY, t.entry('{"n":3}'), stale), 'changed')
        await t.expectText(KEY, '{"n":2}')
      }),
      testWith(['keysOfUser'], 'a stale replace does not change whose session it is', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}', 'ada'))
        const stale = await t.expectText(KEY, '{"n":1}')
        await t.store.replace(KEY, t.entry('{"n":2}', 'ada'), stale)
        await t.store.replace(KEY, t.entry('{"n":3}', 'eve'), stale)
        assert.deepEqual(await t.store.keysOfUser('ada'), [KEY])
        assert.deepEqual(await t.store.keysOfUser('eve'), [])
      }),
      ...[2, 10, 50].map((count) =>
        test(`of ${count} replaces that race on one load, one succeeds`, async (t) => {
          await t.store.create(KEY, t.entry('{}'))
          const seen = await t.expectText(KEY, '{}')
          const results = await parallel(count, (i) =>
            t.store.replace(KEY, t.entry(`{"by":${i}}`), seen),
          )
          assert.equal(results.filter((result) => result === 'replaced').length, 1)
          assert.equal(results.filter((result) => result === 'changed').length, count - 1)
          await t.expectText(KEY, `{"by":${results.indexOf('replaced')}}`)
        }),
      ),
      testWith(['another'], 'replaces of two instances on one load have one winner', async (t) => {
        const stores = [t.store, await t.another()]
        await t.store.create(KEY, t.entry('{}'))
        const seen = await t.expectText(KEY, '{}', stores[1])
        const results = await parallel(20, (i) =>
          stores[i % 2]!.replace(KEY, t.entry(`{"by":${i}}`), seen),
        )
        assert.equal(results.filter((result) => result === 'replaced').length, 1)
        await t.expectText(KEY, `{"by":${results.indexOf('replaced')}}`)
      }),
    ],
  },
  {
    clause: 'S5',
    title: 'destroy wins',
    tests: [
      test('a destroyed record is gone, and destroying tells whether it was live', async (t) => {
        await t.store.create(KEY, t.entry('{}'))
        assert.equal(await t.store.destroy(KEY), true)
        await t.expectMiss(KEY)
        assert.equal(await t.store.destroy(KEY), false)
      }),
      test('an unknown key is no error', async (t) => {
        assert.equal(await t.store.destroy(keyOf('never seen')), false)
      }),
      test('an expired record was not live', async (t) => {
        await leaveExpired(t, KEY)
        assert.equal(await t.store.destroy(KEY), false)
      }),
      test('destroying leaves other records alone', async (t) => {
        const other = keyOf('another record')
        await t.store.create(KEY, t.entry('{"n":1}'))
        await t.store.create(other, t.entry('{"n":2}'))
        await t.store.destroy(KEY)
        await t.expectText(other, '{"n":2}')
      }),
      test('many destroys at once all settle', async (t) => {
        await t.store.create(KEY, t.entry('{}'))
        const results = await parallel(20, () => t.store.destroy(KEY))
        assert(results.includes(true))
        await t.expectMiss(KEY)
      }),
      test('a key can be used again', async (t) => {
        await t.store.create(KEY, t.entry('{"n":1}'))
        await t.store.destroy(KEY)
        assert.equal(await t.store.create(KEY, t.entry('{"n":2}')), true)
        await t.expectText(KEY, '{"n":2}')
      }),
      test('no replace or touch in flight outlives it, whatever the order', async (t) => {
        await everyInterleaving(t, t.store)
      }),
      testWith(['another'], 'no replace or touch of another instance outlives it', async (t) => {
        await everyInterleaving(t, await t.another())
      }),
      test('no tombstone in flight outlives it', async (t) => {
        for (let delay = 0; delay < 6; delay++) {
          await t.store.create(KEY, t.entry('{"user":"ada"}', 'ada'))
          const seen = await t.expectText(KEY, '{"user":"ada"}')
          const renewal = t.store.replace(KEY, t.entry('{"moved":true}', undefined, 10_000), seen)
          if (delay > 0) await ticks(delay)
          await Promise.all([renewal, t.store.destroy(KEY)])
          await t.expectMiss(KEY)
        }
      }),
    ],
  },
]

/** Runs destroy against a replace and a touch in all orders, with growing gaps between them. */
async function everyInterleaving(t: Trial, other: typeof t.store): Promise<void> {
  const orders = ['drt', 'dtr', 'rdt', 'rtd', 'tdr', 'trd']
  for (let round = 0; round < orders.length * 6; round++) {
    const gap = Math.floor(round / orders.length)
    await t.store.create(KEY, t.entry('{"n":1}'))
    const seen = await t.expectText(KEY, '{"n":1}', other)
    const running: Promise<unknown>[] = []
    for (const step of orders[round % orders.length]!) {
      if (step === 'd') running.push(t.store.destroy(KEY))
      else if (step === 'r') running.push(other.replace(KEY, t.entry('{"n":2}'), seen))
      else running.push(other.touch(KEY, t.later(DAY)))
      if (gap > 0) await ticks(gap)
    }
    await Promise.all(running)
    await t.expectMiss(KEY)
    await t.expectMiss(KEY, other)
  }
}
