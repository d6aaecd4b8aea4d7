import type { Outcome } from './target.js'
import { targets } from './targets.js'

/** What the long run asks its workers for. */
export interface Job {
  readonly target: string
  readonly cases: number
  readonly seed: number
}

process.on('message', async (job: Job) => {
  const found = targets.find(({ name }) => name === job.target)
  const outcome: Outcome = await found!.run({ cases: job.cases, seed: job.seed })
  process.send?.(outcome)
})
