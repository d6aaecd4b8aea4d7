import fc from 'fast-check'
import { differences } from '../../express-session/differential/account.js'
import type { Implementation } from '../implementations.js'
import { sequences } from './arbitraries.js'
import { aligned, type Intended } from './intended.js'
import type { Runner } from './running.js'
import { printSequence, type Sequence } from './sequence.js'

export interface Search {
  readonly runs: number
  readonly seed: number
  /** The differences that are meant; without them every one counts. */
  readonly intended?: readonly Intended[]
  /** Which of the two answers an exchange of the second run. @default the new one, always */
  readonly turn?: (exchange: number) => Implementation
}

/** Looks for a sequence that the two answer differently; gives it for a person, as short as it can. */
export async function search(
  runner: Runner,
  old: Implementation,
  fresh: Implementation,
  { runs, seed, intended = [], turn = () => fresh }: Search,
): Promise<string | undefined> {
  const compare = (sequence: Sequence) => compared(runner, old, turn, sequence, intended)
  const property = fc.asyncProperty(
    sequences,
    async (sequence) => (await compare(sequence)).length === 0,
  )
  const details = await fc.check(property, { numRuns: runs, seed, endOnFailure: false })
  if (!details.failed) return undefined
  const [sequence] = details.counterexample as [Sequence]
  const shown = (await compare(sequence)).slice(0, 12)
  return `${printSequence(sequence)}\n\n${shown.join('\n')}`
}

/** The differences that are not meant. */
export async function compared(
  runner: Runner,
  old: Implementation,
  turn: (exchange: number) => Implementation,
  sequence: Sequence,
  intended: readonly Intended[],
): Promise<string[]> {
  const forOld = intended.reduce((now, { forOld }) => forOld?.(now) ?? now, sequence)
  const before = await runner.run(forOld, () => old)
  const after = await runner.run(sequence, turn)
  return differences(...aligned(intended, before, after, sequence))
}
