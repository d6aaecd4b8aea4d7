import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dropIn, real } from '../implementations.js'
import type { Account } from './account.js'
import { intended } from './intended.js'
import { plantedIn } from './planted.js'
import { Runner } from './running.js'
import { findings, search } from './search.js'

const SEED = Number(process.env.DIFFERENTIAL_SEED ?? 20_301)
const RUNS = Number(process.env.DIFFERENTIAL_RUNS ?? 300)

const runner = new Runner()
beforeAll(() => runner.open())
afterAll(() => runner.close())

describe('generated requests', () => {
  // A second or two for a hundred; a finding is made short, which takes as long again.
  const timeout = 30_000 + 200 * RUNS

  it('are answered by the drop-in as by express-session, but for what is intended', {
    timeout,
  }, async () => {
    const seen = new Seen()
    const onAccount = (account: Account) => seen.add(account)
    const found = await search(runner, real, dropIn, {
      runs: RUNS,
      seed: SEED,
      intended,
      onAccount,
    })
    expect(findings(found)).toBe('')
    expect(seen.missing(RUNS)).toEqual([])
  })

  it('are answered by express-session in the same way each time', async () => {
    const found = await search(runner, real, real, { runs: 30, seed: SEED })
    expect(findings(found)).toBe('')
  })
})

describe('the search finds', () => {
  it.each(plantedIn(real))('$defect', async ({ implementation }) => {
    const found = await search(runner, real, implementation, {
      runs: 300,
      seed: SEED,
      intended,
      shrinks: false,
    })
    expect(findings(found)).not.toBe('')
  })
})

/** What the sequences came by, so that they cannot become empty unnoticed. */
class Seen {
  readonly #counts = new Map<string, number>()

  add({ exchanges }: Account): void {
    for (const { response, calls, nexts, output, started, saw } of exchanges) {
      for (const { name } of calls) this.#count(name)
      if (
        'cookies' in response &&
        response.cookies.some((line) => line.includes(' signed with '))
      ) {
        this.#count('cookie')
      }
      if (nexts.some((line) => line.startsWith('next(Error'))) this.#count('error')
      if ([...started, ...output].some((line) => line.includes('deprecated'))) {
        this.#count('deprecation')
      }
      for (const seen of saw) if (Array.isArray(seen)) this.#count(String(seen[0]))
    }
  }

  /** What fewer than one in twenty sequences came by. */
  missing(runs: number): string[] {
    const all = ['get', 'set', 'touch', 'destroy', 'cookie', 'error', 'deprecation']
    const steps = ['save', 'reload', 'regenerate', 'destroy']
    return [...all, ...steps].filter((name) => (this.#counts.get(name) ?? 0) < runs / 20)
  }

  #count(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }
}
