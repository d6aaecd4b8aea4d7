import assert from 'node:assert/strict'
import type { Stored } from '../../core/store.js'
import { type ClauseTest, type ClauseTests, testWith } from './clause.js'
import { keyOf, type Trial } from './trial.js'

const LATER = 60 * 60 * 1000

/** S23: how often an operation waits for the backend when nobody else writes. */
export const roundTrips: readonly ClauseTests[] = [
  {
    clause: 'S23',
    title: 'round trips without contention',
    tests: [
      costs('a load', 1, (t, key) => t.store.load(key)),
      costs('a load of a user’s record', 1, (t, key) => t.store.load(key), 'ada'),
      costs('a create', 1, (t, _, fresh) => t.store.create(fresh, t.entry('{}'))),
      costs('a create with a user', 2, (t, _, fresh) =>
        t.store.create(fresh, t.entry('{}', 'eve')),
      ),
      costs('a replace', 1, (t, key, _, seen) => t.store.replace(key, t.entry('{"n":1}'), seen)),
      costs(
        'a replace that keeps the user',
        1,
        (t, key, _, seen) => t.store.replace(key, t.entry('{"n":1}', 'ada'), seen),
        'ada',
      ),
      costs(
        'a replace that changes the user',
        2,
        (t, key, _, seen) => t.store.replace(key, t.entry('{"n":1}', 'eve'), seen),
        'ada',
      ),
      costs('a touch', 1, (t, key) => t.store.touch(key, t.later(LATER))),
      costs('a touch of a user’s record', 1, (t, key) => t.store.touch(key, t.later(LATER)), 'ada'),
      costs('a destroy', 2, (t, key) => t.store.destroy(key)),
      costs('a destroy of a user’s record', 2, (t, key) => t.store.destroy(key), 'ada'),
    ],
  },
]

/** Measures the second run of an operation: the first may connect or prepare a statement. */
function costs(
  name: string,
  most: number,
  run: (t: Trial, key: string, fresh: string, seen: Stored) => Promise<unknown>,
  user?: string,
): ClauseTest {
  return testWith(
    ['trips'],
    `${name} waits ${most === 1 ? 'once' : 'twice at most'}`,
    async (t) => {
      let trips = 0
      for (const round of ['first', 'second']) {
        const key = keyOf(`${round} record`)
        await t.store.create(key, t.entry('{}', user))
        const seen = await t.expectText(key, '{}')
        const before = t.subject.trips!()
        await run(t, key, keyOf(`${round} fresh`), seen)
        trips = t.subject.trips!() - before
      }
      assert(trips <= most, `${name} took ${trips} round trips, not ${most}`)
    },
  )
}
