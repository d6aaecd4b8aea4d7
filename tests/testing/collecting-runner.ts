import type { TestRunner } from '../../src/testing/index.js'

export interface Outcome {
  /** The `describe` titles around the test, outermost first. */
  readonly path: readonly string[]
  readonly name: string
  readonly error?: unknown
  readonly skipped?: string
}

/** A runner that keeps the tests and gives what became of them. */
export function collectingRunner(): { runner: TestRunner; run(): Promise<Outcome[]> } {
  const path: string[] = []
  const tests: (Outcome & { body?: () => Promise<void> })[] = []
  const runner: TestRunner = {
    describe(name, body) {
      path.push(name)
      body()
      path.pop()
    },
    it(name, body) {
      tests.push({ path: [...path], name, body })
    },
    skip(name, reason) {
      tests.push({ path: [...path], name, skipped: reason })
    },
  }
  async function run(): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    for (const { body, ...test } of tests) {
      try {
        await body?.()
        outcomes.push(test)
      } catch (error) {
        outcomes.push({ ...test, error })
      }
    }
    return outcomes
  }
  return { runner, run }
}

/** The clauses, or other groups, in which a test failed. */
export function failedGroups(outcomes: readonly Outcome[]): string[] {
  const failed = outcomes.filter(({ error }) => error !== undefined)
  return [...new Set(failed.map(({ path }) => path[1]?.split(' ')[0] ?? ''))]
}
