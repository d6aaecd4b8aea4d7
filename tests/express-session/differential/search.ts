import fc from 'fast-check'
import type { Implementation } from '../implementations.js'
import { type Account, differences } from './account.js'
import { sequences } from './arbitraries.js'
import { aligned, type Intended } from './intended.js'
import type { Runner } from './running.js'
import { printSequence, type Sequence } from './sequence.js'

export interface Search {
  readonly runs: number
  readonly seed: number
  /** The differences that are meant; without them every one counts. */
  readonly intended?: readonly Intended[]
  /** Whether a finding is made as short as it can be. @default true */
  readonly shrinks?: boolean
  /** Sees every account of the old package. */
  readonly onAccount?: (account: Account, sequence: Sequence) => void
}

export interface Found {
  readonly sequence: Sequence
  readonly differences: readonly string[]
}

/** Looks for a sequence that the two answer differently, and makes it as short as it can. */
export async function search(
  runner: Runner,
  old: Implementation,
  fresh: Implementation,
  { runs, seed, intended = [], shrinks = true, onAccount }: Search,
): Promise<Found | undefined> {
  const property = fc.asyncProperty(sequences, async (sequence) => {
    const found = await compare(runner, old, fresh, sequence, intended, onAccount)
    return found.length === 0
  })
  const details = await fc.check(property, { numRuns: runs, seed, endOnFailure: !shrinks })
  if (!details.failed) return undefined
  const [sequence] = details.counterexample as [Sequence]
  return { sequence, differences: await compare(runner, old, fresh, sequence, intended) }
}

/** The differences that are not meant. */
export async function compare(
  runner: Runner,
  old: Implementation,
  fresh: Implementation,
  sequence: Sequence,
  intended: readonly Intended[],
  onAccount?: Search['onAccount'],
): Promise<string[]> {
  const forOld = intended.reduce((now, { forOld }) => forOld?.(now) ?? now, sequence)
  const before = await runner.run(forOld, old)
  onAccount?.(before, sequence)
  const after = await runner.run(sequence, fresh)
  return differences(...aligned(intended, before, after, sequence))
}

/** The finding for a person; nothing if there is none. */
export function findings(found: Found | undefined): string {
  if (found === undefined) return ''
  const shown = found.differences.slice(0, 12)
  return `${printSequence(found.sequence)}\n\n${shown.join('\n')}`
}
