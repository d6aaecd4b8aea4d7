import assert from 'node:assert/strict'
import { can } from '../../core/store.js'
import { sameJson } from '../../core/strict-json.js'
import { type ClauseTests, testWith } from './clause.js'
import type { Trial } from './trial.js'

/** An id as other packages make it, which they take as the key. */
const KEY = 'mN3x_5oq9Y2JTlKvqyBt0sUuF1cGWd8E'
const OLD = '{"cookie":{"originalMaxAge":null,"path":"/"},"views":3,"name":"Zoë \\ud83e\\udde5"}'
const NEXT = '{"cookie":{"originalMaxAge":null,"path":"/"},"views":4,"cart":[{"n":"\'\\\\"}]}'

/** S22: the package that a store replaces, on the same data. */
export const succession: readonly ClauseTests[] = [
  {
    clause: 'S22',
    title: 'records of the package it replaces are loaded, and that package reads ours',
    tests: [
      testWith(['predecessor'], 'a record is loaded as it was, in every form', async (t) => {
        await eachForm(t, async (write) => {
          const expiresAt = t.later(60 * 60 * 1000)
          await write(KEY, OLD, expiresAt)
          await expectJson(t, OLD)
          if (can(t.subject.store, 'entries')) {
            assert.deepEqual(
              (await t.store.entries()).map(({ key }) => key),
              [KEY],
            )
          }
          const { expiresAt: found } = (await t.store.load(KEY))!
          // Other packages may keep whole seconds.
          assert(
            Math.abs(found - expiresAt) <= Math.max(1000, t.unit),
            `its expiry became ${found}`,
          )
        })
      }),
      testWith(['predecessor'], 'a record can be touched, replaced and destroyed', async (t) => {
        await eachForm(t, async (write) => {
          await write(KEY, OLD, t.later(60 * 60 * 1000))
          assert.equal(await t.store.create(KEY, t.entry(NEXT)), false)
          assert.equal(await t.store.touch(KEY, t.later(2 * 60 * 60 * 1000)), true)
          const seen = await t.store.load(KEY)
          assert(seen !== undefined)
          assert.equal(await t.store.replace(KEY, t.entry(NEXT), seen), 'replaced')
          assert.equal(await t.store.replace(KEY, t.entry(OLD), seen), 'changed')
          await expectJson(t, NEXT)
          assert.equal(await t.store.destroy(KEY), true)
          await t.expectMiss(KEY)
        })
      }),
      testWith(['predecessor'], 'a record that it changes is changed for us', async (t) => {
        await eachForm(t, async (write) => {
          await write(KEY, OLD, t.later(60 * 60 * 1000))
          const seen = (await t.store.load(KEY))!
          await write(KEY, NEXT, t.later(60 * 60 * 1000))
          assert.equal(await t.store.replace(KEY, t.entry(OLD), seen), 'changed')
          await expectJson(t, NEXT)
        })
      }),
      testWith(['predecessor'], 'a record past its end is a miss', async (t) => {
        await eachForm(t, async (write) => {
          const expiresAt = t.later(Math.max(t.shortLife, 2000))
          await write(KEY, OLD, expiresAt)
          await t.outlive(expiresAt + 1000)
          await t.expectMiss(KEY)
        })
      }),
      testWith(
        ['predecessor'],
        'what we write is read by it, where that is promised',
        async (t) => {
          const { read } = t.subject.predecessor!
          if (read === undefined) return
          await t.store.create(KEY, t.entry(OLD))
          expectSame(await read(KEY), OLD)
          await t.store.touch(KEY, t.later(60_000))
          expectSame(await read(KEY), OLD)
          await t.store.replace(KEY, t.entry(NEXT), (await t.store.load(KEY))!)
          expectSame(await read(KEY), NEXT)
          await t.store.destroy(KEY)
          assert.equal(await read(KEY), undefined)
        },
      ),
    ],
  },
]

type Write = (key: string, text: string, expiresAt: number) => Promise<void>

async function eachForm(t: Trial, run: (write: Write) => Promise<void>): Promise<void> {
  const predecessor = t.subject.predecessor!
  for (const form of predecessor.forms) {
    try {
      await run(async (...record) => predecessor.write(form, ...record))
    } catch (error) {
      throw new Error(`the form ${form}: ${(error as Error).message}`, { cause: error })
    }
    await t.store.destroy(KEY)
  }
}

async function expectJson(t: Trial, text: string): Promise<void> {
  expectSame((await t.store.load(KEY))?.text, text)
}

/** The same data: a column of JSON keeps neither white space nor the order of keys. */
function expectSame(found: string | undefined, text: string): void {
  assert(found !== undefined, 'the record was a miss')
  assert(sameJson(JSON.parse(found), JSON.parse(text)), `the record became ${found.slice(0, 80)}`)
}
