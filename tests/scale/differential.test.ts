import { afterAll, beforeAll, expect, it } from 'vitest'
import { intended } from '../express-session/differential/intended.js'
import { Runner } from '../express-session/differential/running.js'
import { findings, search } from '../express-session/differential/search.js'
import { dropIn, real } from '../express-session/implementations.js'

const RUNS = Number(process.env.DIFFERENTIAL_RUNS ?? 5000)
const SEED = Number(process.env.DIFFERENTIAL_SEED ?? Date.now() % 2 ** 31)

const runner = new Runner()
beforeAll(() => runner.open())
afterAll(() => runner.close())

it(`express-session and the drop-in answer ${RUNS} sequences alike, drawn from seed ${SEED}`, {
  timeout: 3_600_000,
}, async () => {
  const found = await search(runner, real, dropIn, { runs: RUNS, seed: SEED, intended })
  expect(findings(found)).toBe('')
})
