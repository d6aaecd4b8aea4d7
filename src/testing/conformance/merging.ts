import assert from 'node:assert/strict'
import { type ClauseTests, test, testWith } from './clause.js'
import { addName } from './programs.js'
import { keyOf, parallel, type Trial } from './trial.js'

const KEY = keyOf('a shared record')

/** S6: what parallel requests add to one record. */
export const merging: readonly ClauseTests[] = [
  {
    clause: 'S6',
    title: 'parallel commits of different keys are all kept',
    tests: [
      test('50 at once in one process', async (t) => {
        await t.store.create(KEY, t.entry('{}'))
        await parallel(50, (i) => addName(t.store, KEY, `key${i}`))
        await expectNames(t, 50)
      }),
      test('50 at once while touches and loads go on', async (t) => {
        await t.store.create(KEY, t.entry('{}'))
        const merges = parallel(50, (i) => addName(t.store, KEY, `key${i}`))
        const expiresAt = t.later(60 * 60 * 1000)
        const others = parallel(5, async () => {
          for (let i = 0; i < 20; i++) {
            assert.equal(await t.store.touch(KEY, expiresAt), true)
            assert(await t.store.load(KEY), 'a live record was a miss while it was written')
          }
        })
        await Promise.all([merges, others])
        await expectNames(t, 50)
      }),
      testWith(['another'], '50 at once by two instances', async (t) => {
        const stores = [t.store, await t.another()]
        await t.store.create(KEY, t.entry('{}'))
        await parallel(50, (i) => addName(stores[i % 2]!, KEY, `key${i}`))
        await expectNames(t, 50)
      }),
      testWith(['processes'], '12 at once in each of four processes', async (t) => {
        await t.store.create(KEY, t.entry('{}'))
        const programs = Array.from({ length: 4 }, (_, process) => {
          const names = Array.from({ length: 12 }, (_, i) => `key${process * 12 + i}`)
          return { type: 'merge' as const, key: KEY, names }
        })
        await t.subject.processes!(programs)
        await expectNames(t, 48)
      }),
    ],
  },
]

async function expectNames(t: Trial, count: number): Promise<void> {
  const stored = await t.store.load(KEY)
  assert(stored !== undefined)
  const kept = Object.keys(JSON.parse(stored.text) as object)
  const lost = Array.from({ length: count }, (_, i) => `key${i}`).filter((k) => !kept.includes(k))
  assert.deepEqual(lost, [], `${lost.length} of ${count} committed keys were lost`)
}
