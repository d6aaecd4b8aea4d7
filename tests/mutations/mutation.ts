/**
 * One protection, taken out of the source: the named test has to fail then. A test that stays green
 * without what it guards proves nothing.
 */
export interface Mutation {
  /** The promise of `docs/behaviour.md` (B1, …) or the clause of the store contract (S1, …). */
  readonly rule: string
  /** What is lost, as the end of "without …". */
  readonly without: string
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly put: string
  readonly test: string
  /** Part of the name of the test that has to fail; absent: any of the file. */
  readonly named?: string
}
