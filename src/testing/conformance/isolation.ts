import assert from 'node:assert/strict'
import { type ClauseTests, testWith } from './clause.js'
import { keyOf } from './trial.js'

const KEY = keyOf('a key of both')

/** S16: two stores on one backend. */
export const isolation: readonly ClauseTests[] = [
  {
    clause: 'S16',
    title: 'two prefixes, tables or folders are isolated',
    tests: [
      testWith(['elsewhere'], 'one key holds two records', async (t) => {
        const other = await t.elsewhere()
        assert.equal(await t.store.create(KEY, t.entry('{"here":1}')), true)
        await t.expectMiss(KEY, other)
        assert.equal(await other.create(KEY, t.entry('{"there":1}')), true)
        await t.expectText(KEY, '{"here":1}')
        await t.expectText(KEY, '{"there":1}', other)
      }),
      testWith(['elsewhere'], 'writes stay on their side', async (t) => {
        const other = await t.elsewhere()
        await t.store.create(KEY, t.entry('{}'))
        await other.create(KEY, t.entry('{}'))
        const before = await t.expectText(KEY, '{}', other)
        const seen = await t.expectText(KEY, '{}')
        assert.equal(await t.store.replace(KEY, t.entry('{"n":1}'), seen), 'replaced')
        assert.equal(await t.store.touch(KEY, t.later(t.shortLife)), true)
        const after = await t.expectText(KEY, '{}', other)
        t.expectExpiry(after.expiresAt, before.expiresAt)
        assert.equal(await t.store.destroy(KEY), true)
        await t.expectText(KEY, '{}', other)
      }),
      testWith(['elsewhere', 'entries'], 'entries lists one side', async (t) => {
        const other = await t.elsewhere()
        await t.store.create(KEY, t.entry('{"here":1}'))
        await other.create(KEY, t.entry('{"there":1}'))
        await other.create(keyOf('only there'), t.entry('{"there":2}'))
        const texts = async (store: typeof other) =>
          (await store.entries()).map(({ key, text }) => `${key} ${text}`).sort()
        assert.deepEqual(await texts(t.store), [`${KEY} {"here":1}`])
        const there = [`${KEY} {"there":1}`, `${keyOf('only there')} {"there":2}`]
        assert.deepEqual(await texts(other), there.sort())
      }),
      testWith(['elsewhere', 'keysOfUser'], 'a user has separate sessions', async (t) => {
        const other = await t.elsewhere()
        const there = keyOf('only there')
        await t.store.create(KEY, t.entry('{}', 'ada'))
        await other.create(there, t.entry('{}', 'ada'))
        assert.deepEqual(await t.store.keysOfUser('ada'), [KEY])
        assert.deepEqual(await other.keysOfUser('ada'), [there])
        await t.store.destroy(KEY)
        assert.deepEqual(await other.keysOfUser('ada'), [there])
      }),
      ...['first', 'second'].map((sweeper) =>
        testWith(
          ['elsewhere', 'sweep'],
          `a sweep of the ${sweeper} stays on its side`,
          async (t) => {
            const other = await t.elsewhere()
            const [own, far] = sweeper === 'first' ? [t.store, other] : [other, t.store]
            const entry = t.entry('{}', undefined, t.shortLife)
            await own.create(KEY, entry)
            await far.create(KEY, entry)
            await far.create(keyOf('only there'), entry)
            await t.outlive(entry.expiresAt)
            assert.equal(await own.sweep(), 1)
            assert.equal(await far.sweep(), 2)
          },
        ),
      ),
    ],
  },
]
