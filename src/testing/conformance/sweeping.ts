import assert from 'node:assert/strict'
import { can } from '../../core/store.js'
import { type ClauseTests, testWith } from './clause.js'
import { keyOf, parallel, type Trial } from './trial.js'

/** S19: deleting what has expired, and listing what has not. */
export const sweeping: readonly ClauseTests[] = [
  {
    clause: 'S19',
    title: 'sweep removes expired records only; entries lists live ones',
    tests: [
      testWith(['sweep'], 'an empty place has nothing to sweep', async (t) => {
        assert.equal(await t.store.sweep(), 0)
      }),
      testWith(['sweep'], 'a sweep deletes what has expired, once, and counts it', async (t) => {
        await fill(t, 10, 5)
        assert.equal(await t.store.sweep(), 10)
        await expectLasting(t, 5)
        assert.equal(await t.store.sweep(), 0)
      }),
      testWith(['sweep'], 'a record is not swept before its expiry', async (t) => {
        const entry = t.entry('{}', undefined, t.shortLife)
        await t.store.create(keyOf('almost over'), entry)
        await t.passTo(entry.expiresAt - t.margin)
        assert.equal(await t.store.sweep(), 0)
        await t.expectText(keyOf('almost over'), '{}')
      }),
      testWith(['sweep'], 'a record whose life was prolonged is not swept', async (t) => {
        const [touched, replaced] = [keyOf('touched'), keyOf('replaced')]
        const entry = t.entry('{}', undefined, t.shortLife)
        await t.store.create(touched, entry)
        await t.store.create(replaced, entry)
        await t.store.touch(touched, t.later(100 * t.shortLife))
        const seen = await t.expectText(replaced, '{}')
        await t.store.replace(replaced, t.entry('{"n":1}'), seen)
        await t.outlive(entry.expiresAt)
        assert.equal(await t.store.sweep(), 0)
        await t.expectText(touched, '{}')
        await t.expectText(replaced, '{"n":1}')
      }),
      testWith(['sweep'], 'a limit is kept, and small steps get through', async (t) => {
        await fill(t, 10, 3)
        let swept = 0
        for (let step = 0; step < 20; step++) {
          const count = await t.store.sweep({ limit: 3 })
          assert(count <= 3, `a sweep with a limit of 3 deleted ${count}`)
          if (count === 0) break
          swept += count
        }
        assert.equal(swept, 10)
        await expectLasting(t, 3)
      }),
      testWith(['sweep'], 'two sweepers at once count each record once', async (t) => {
        await fill(t, 30, 5)
        const counts = await Promise.all([t.store.sweep(), t.store.sweep()])
        assert.equal(counts[0] + counts[1], 30)
        await expectLasting(t, 5)
      }),
      testWith(['sweep', 'another'], 'two instances that sweep do no harm', async (t) => {
        await fill(t, 30, 5)
        const other = await t.another()
        const counts = await Promise.all([t.store.sweep(), other.sweep()])
        assert.equal(counts[0] + counts[1], 30)
        await expectLasting(t, 5)
      }),
      testWith(['sweep'], 'a key that is used again meanwhile is not swept', async (t) => {
        await fill(t, 30, 0)
        const [, created] = await Promise.all([
          t.store.sweep(),
          parallel(30, (i) => t.store.create(keyOf(`short ${i}`), t.entry('{"again":1}'))),
        ])
        assert(created.every(Boolean))
        for (let i = 0; i < 30; i++) await t.expectText(keyOf(`short ${i}`), '{"again":1}')
      }),
      testWith(['sweep'], 'writers go on during a sweep', async (t) => {
        await fill(t, 50, 20)
        const write = parallel(20, async (i) => {
          const key = keyOf(`lasting ${i}`)
          const seen = await t.expectText(key, '{}')
          assert.equal(await t.store.touch(key, t.later(60 * 60 * 1000)), true)
          const result = await t.store.replace(key, t.entry('{"n":1}'), seen)
          assert.equal(result, 'replaced')
        })
        await Promise.all([write, t.store.sweep(), t.store.sweep({ limit: 10 })])
        for (let i = 0; i < 20; i++) await t.expectText(keyOf(`lasting ${i}`), '{"n":1}')
      }),
      testWith(['sweep', 'keysOfUser'], 'a sweep leaves the index right', async (t) => {
        const entry = t.entry('{}', 'ada', t.shortLife)
        await t.store.create(keyOf('over'), entry)
        await t.store.create(keyOf('on'), t.entry('{}', 'ada'))
        await t.outlive(entry.expiresAt)
        await t.store.sweep()
        assert.deepEqual(await t.store.keysOfUser('ada'), [keyOf('on')])
      }),
      testWith(['entries'], 'an empty place has no entries', async (t) => {
        assert.deepEqual(await t.store.entries(), [])
      }),
      testWith(['entries'], 'entries gives every live record once, and no other', async (t) => {
        await fill(t, 10, 250)
        await t.store.destroy(keyOf('lasting 0'))
        const listed = await t.store.entries()
        const expected = Array.from({ length: 249 }, (_, i) => keyOf(`lasting ${i + 1}`))
        assert.deepEqual(listed.map(({ key }) => key).sort(), expected.sort())
        for (const { key, text, expiresAt } of listed) {
          const stored = await t.expectText(key, text)
          t.expectExpiry(expiresAt, stored.expiresAt)
        }
      }),
      testWith(['entries'], 'a listing can be left half-way', async (t) => {
        await fill(t, 0, 100)
        const { store } = t.subject
        assert(can(store, 'entries'))
        let seen = 0
        for await (const entry of store.entries()) {
          assert.equal(entry.text, '{}')
          if (++seen === 3) break
        }
        assert.equal(seen, 3)
        await expectLasting(t, 100)
      }),
      testWith(['entries'], 'a listing survives what happens meanwhile', async (t) => {
        await fill(t, 0, 60)
        const { store } = t.subject
        assert(can(store, 'entries'))
        const seen = new Set<string>()
        for await (const { key } of store.entries()) {
          seen.add(key)
          if (seen.size > 30) continue
          await t.store.destroy(keyOf(`lasting ${seen.size - 1}`))
          await t.store.create(keyOf(`new ${seen.size}`), t.entry('{}'))
        }
        // What was there from the first to the last moment is in it.
        for (let i = 30; i < 60; i++) {
          assert(seen.has(keyOf(`lasting ${i}`)), 'a record that was live all along was left out')
        }
      }),
    ],
  },
]

/** Leaves `over` expired records that no load has met, and `live` lasting ones. */
async function fill(t: Trial, over: number, live: number): Promise<void> {
  const entry = t.entry('{}', undefined, t.shortLife)
  await parallel(over, (i) => t.store.create(keyOf(`short ${i}`), entry))
  await parallel(live, (i) => t.store.create(keyOf(`lasting ${i}`), t.entry('{}')))
  await t.outlive(entry.expiresAt)
}

async function expectLasting(t: Trial, live: number): Promise<void> {
  for (let i = 0; i < live; i++) await t.expectText(keyOf(`lasting ${i}`), '{}')
}
