import assert from 'node:assert/strict'
import { can } from '../../core/store.js'
import type { CheckedStore } from './checked-store.js'
import { type ClauseTest, type ClauseTests, testWith } from './clause.js'
import { keyOf, type Trial } from './trial.js'

const KEY = keyOf('a record of two nodes')
const DIFFERENCE = 5000

/** S20: machines whose clocks do not agree. */
export const skew: readonly ClauseTests[] = [
  {
    clause: 'S20',
    title: 'two nodes with clocks 5 s apart lose no live session, and keep no dead one',
    tests: [DIFFERENCE, -DIFFERENCE].flatMap((ms) => [
      onTwoNodes(ms, 'a record lives for both, to 5 s before its end', async (t, other) => {
        for (const [writer, ahead] of nodes(t, other, ms)) {
          const expiresAt = await written(t, writer, ahead)
          await t.passTo(expiresAt - DIFFERENCE - t.margin - t.unit)
          await expectLive(t, other)
          await t.store.destroy(KEY)
        }
      }),
      onTwoNodes(
        ms,
        'a record ends for both, 5 s after its end at the latest',
        async (t, other) => {
          for (const [writer, ahead] of nodes(t, other, ms)) {
            const expiresAt = await written(t, writer, ahead)
            await t.outlive(expiresAt + DIFFERENCE)
            for (const store of [t.store, other]) {
              await t.expectMiss(KEY, store)
              assert.equal(await store.touch(KEY, t.later(60_000)), false)
            }
          }
        },
      ),
      onTwoNodes(ms, 'a session in use on both goes on', async (t, other) => {
        await written(t, t.store, 0)
        let text = '{"n":0}'
        for (let n = 1; n <= 6; n++) {
          await t.passTo(t.later(t.realTime ? 100 : 30_000))
          const [store, ahead] = n % 2 === 0 ? [t.store, 0] : [other, ms]
          const expiresAt = t.later(ahead + lifeOf(t))
          if (n % 3 === 0) {
            const seen = await t.expectText(KEY, text, store)
            text = `{"n":${n}}`
            assert.equal(await store.replace(KEY, { text, expiresAt }, seen), 'replaced')
          } else assert.equal(await store.touch(KEY, expiresAt), true)
          for (const node of [t.store, other]) {
            if (can(t.subject.store, 'sweep')) await node.sweep()
            await t.expectText(KEY, text, node)
          }
        }
      }),
    ]),
  },
]

function onTwoNodes(
  ms: number,
  name: string,
  run: (t: Trial, other: CheckedStore) => Promise<void>,
): ClauseTest {
  const where = ms > 0 ? 'ahead of' : 'behind'
  return testWith(['skewed'], `${name}: the other clock is ${where} ours`, async (t) =>
    run(t, await t.skewed(ms)),
  )
}

/** Each node as the writer, with how far its clock is ahead. */
function nodes(t: Trial, other: CheckedStore, ms: number): [CheckedStore, number][] {
  return [
    [t.store, 0],
    [other, ms],
  ]
}

function lifeOf(t: Trial): number {
  return t.realTime ? DIFFERENCE + 3000 : 60_000
}

/** Writes a record as a node does, by its own clock, and gives the end that it names. */
async function written(
  t: Trial,
  writer: CheckedStore,
  ahead: number,
  life = lifeOf(t),
): Promise<number> {
  const expiresAt = t.later(ahead + life)
  assert.equal(await writer.create(KEY, { text: '{"n":0}', expiresAt }), true)
  return expiresAt
}

async function expectLive(t: Trial, other: CheckedStore): Promise<void> {
  for (const store of [t.store, other]) {
    if (can(t.subject.store, 'sweep')) await store.sweep()
    await t.expectText(KEY, '{"n":0}', store)
  }
}
