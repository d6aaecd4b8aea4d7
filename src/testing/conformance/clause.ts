import type { Clause, OptionalCapability, OptionalHook } from './harness.js'
import type { Trial } from './trial.js'

/** One test of a clause. */
export interface ClauseTest {
  /** A sentence of behaviour. */
  readonly name: string
  /** What the store and its harness must offer for it. */
  readonly needs: readonly (OptionalCapability | OptionalHook)[]
  /** Fails by throwing. */
  run(trial: Trial): Promise<void>
}

/** A clause of the contract as tests. */
export interface ClauseTests {
  readonly clause: Clause
  readonly title: string
  readonly tests: readonly ClauseTest[]
}

/** A test that every store takes. */
export function test(name: string, run: ClauseTest['run']): ClauseTest {
  return { name, needs: [], run }
}

/** A test for stores and harnesses that offer `needs`. */
export function testWith(
  needs: ClauseTest['needs'],
  name: string,
  run: ClauseTest['run'],
): ClauseTest {
  return { name, needs, run }
}
