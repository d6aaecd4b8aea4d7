import assert from 'node:assert/strict'
import { can } from '../../core/store.js'
import { type ClauseTests, testWith } from './clause.js'
import { expectRecovery, outcomeOf } from './outages.js'
import { keyOf } from './trial.js'
import { unhandledDuring } from './unhandled.js'

/** S11: what a store does that no request waits for. */
export const background: readonly ClauseTests[] = [
  {
    clause: 'S11',
    title: 'a failing sweep or migration is reported; an open store holds no process',
    tests: [
      testWith(['outage', 'sweep'], 'a sweep during an outage tells that it failed', async (t) => {
        const { store, outage } = t.subject
        let reports = 0
        const stop = can(store, 'onReport') ? store.onReport(() => reports++) : () => {}
        const entry = t.entry('{}', undefined, t.shortLife)
        await t.store.create(keyOf('swept'), entry)
        await t.outlive(entry.expiresAt)
        let outcome: string | undefined
        const unhandled = await unhandledDuring(async () => {
          await outage!.begin()
          try {
            outcome = await outcomeOf(t.store.sweep(), t.patience)
            const told = outcome !== 'done' || reports > 0
            assert(told, 'a sweep found nothing wrong while the backend was away')
          } finally {
            await outage!.end()
          }
          await expectRecovery(t)
        })
        stop()
        assert.deepEqual(unhandled, [], 'a rejection was not handled')
        // A client that queues its commands may have done it meanwhile.
        if (outcome === 'failed') assert((await t.store.sweep()) > 0)
      }),
      testWith(['outage'], 'a migration that failed can be made again', async (t) => {
        const { store, outage } = t.subject
        if (!migrates(store)) return
        const unhandled = await unhandledDuring(async () => {
          await outage!.begin()
          try {
            await assert.rejects(async () => store.migrate(), 'migrate() told nothing of a failure')
          } finally {
            await outage!.end()
          }
          await expectRecovery(t)
          await store.migrate()
        })
        assert.deepEqual(unhandled, [], 'a rejection was not handled')
        assert.equal(await t.store.create(keyOf('migrated'), t.entry('{}')), true)
      }),
      testWith(['exits'], 'a process that has used a store ends by itself', async (t) => {
        const keys = [keyOf('of another process')]
        const program = { type: 'create', keys, text: '{}', expiresAt: t.later(60_000) } as const
        const code = await t.subject.exits!(program)
        assert.notEqual(code, null, 'the process had to be killed: the store holds it open')
        assert.equal(code, 0)
      }),
    ],
  },
]

/** Stores with tables of their own have it; the contract does not ask for it. */
function migrates(store: object): store is { migrate(): Promise<unknown> } {
  return typeof (store as { migrate?: unknown }).migrate === 'function'
}
