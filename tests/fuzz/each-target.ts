import { expect, it } from 'vitest'
import { targets } from './targets.js'

/** Tried in any case, on a busy machine too. */
const LEAST = 1000

/** A test for each target, which tries random cases for so many seconds. */
export function fuzzEachTarget(seconds: number): void {
  it.each(targets.map((target) => [target.name, target] as const))(
    '%s holds for random cases',
    {
      timeout: 20_000 + seconds * 2000,
    },
    async (_name, target) => {
      const { failure } = await target.run({ cases: LEAST })
      expect(failure).toBeUndefined()
      const longer = await target.run({ seconds })
      expect(longer.failure).toBeUndefined()
    },
  )
}
