import assert from 'node:assert/strict'
import { can } from '../../core/store.js'
import { type ClauseTests, testWith } from './clause.js'
import { keyOf, type Trial } from './trial.js'

const KEY = keyOf('a spoiled record')
const NEIGHBOUR = keyOf('a sound record')

const GARBAGE: readonly (readonly [name: string, garbage: string])[] = [
  ['nothing', ''],
  ['a space', ' '],
  ['a word', 'garbage'],
  ['half a JSON text', '{"cookie":{"expires":"2030-01-'],
  ['JSON null', 'null'],
  ['a JSON number', '42'],
  ['a JSON string', '"text"'],
  ['a JSON array', '[]'],
  ['an empty JSON object', '{}'],
  ['JSON with fields of wrong types', '{"text":1,"expiresAt":"soon","user":{},"version":[]}'],
  ['JSON with an endless expiry', '{"text":"{}","expiresAt":1e999}'],
  ['JSON with a prototype', '{"__proto__":{"text":"{}"}}'],
  ['binary', '\x00\x01\x02\xff\xfe\x80'],
  ['line breaks', '\r\n\r\n'],
  ['a replacement character', '\ufffd\ufffd'],
  ['a long line', 'x'.repeat(200_000)],
]

/** S21: what nobody of ours wrote. */
export const garbage: readonly ClauseTests[] = [
  {
    clause: 'S21',
    title: 'planted garbage is a miss or comes back as it is',
    tests: [
      ...GARBAGE.map(([name, text]) =>
        testWith(['plant'], `${name} breaks no operation and no neighbour`, (t) =>
          surviveGarbage(t, text),
        ),
      ),
      testWith(['plant', 'entries'], 'entries goes on past garbage', async (t) => {
        for (const [, text] of GARBAGE) {
          if (await planted(t, text)) {
            const keys = (await t.store.entries()).map(({ key }) => key)
            assert(keys.includes(NEIGHBOUR))
          }
        }
      }),
      testWith(['plant', 'keysOfUser'], 'keysOfUser goes on past garbage', async (t) => {
        for (const [, text] of GARBAGE) {
          if (await planted(t, text)) {
            assert((await t.store.keysOfUser('ada')).includes(NEIGHBOUR))
          }
        }
      }),
      testWith(['plant', 'sweep'], 'sweep goes on past garbage', async (t) => {
        const over = keyOf('over')
        for (const [, text] of GARBAGE) {
          if (await planted(t, text)) {
            const entry = t.entry('{}', undefined, t.shortLife)
            await t.store.create(over, entry)
            await t.outlive(entry.expiresAt)
            assert((await t.store.sweep()) >= 1)
            await t.expectText(NEIGHBOUR, '{"sound":true}')
          }
        }
      }),
    ],
  },
]

async function surviveGarbage(t: Trial, text: string): Promise<void> {
  if (!(await planted(t, text))) return
  const seen = await t.store.load(KEY)
  const sound = { text: '{"n":1}', expiresAt: t.later(60_000) }
  await t.store.touch(KEY, t.later(60_000))
  await t.store.create(KEY, t.entry('{"n":2}'))
  await t.store.replace(KEY, t.entry('{"n":3}'), seen ?? sound)
  await t.store.destroy(KEY)

  // Whatever it was, it is out of the way now.
  await t.expectMiss(KEY)
  assert.equal(await t.store.create(KEY, t.entry('{"n":4}', 'ada')), true)
  await t.expectText(KEY, '{"n":4}')
  await t.expectText(NEIGHBOUR, '{"sound":true}')
  if (can(t.subject.store, 'keysOfUser')) {
    assert.deepEqual(await t.store.keysOfUser('ada'), [KEY, NEIGHBOUR].sort())
  }
}

/** Spoils the record of `KEY`, beside a neighbour of the same user. */
async function planted(t: Trial, text: string): Promise<boolean> {
  await t.store.destroy(KEY)
  await t.store.create(KEY, t.entry('{"n":0}', 'ada'))
  await t.store.destroy(NEIGHBOUR)
  // Longer than all the short lives that the sweep's test waits out.
  const entry = t.entry('{"sound":true}', 'ada', 24 * 60 * 60 * 1000)
  assert.equal(await t.store.create(NEIGHBOUR, entry), true)
  return (await t.subject.plant!(KEY, text)) !== false
}
