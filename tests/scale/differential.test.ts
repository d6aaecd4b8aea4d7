import { afterAll, beforeAll, expect, it } from 'vitest'
import { intended } from '../express-session/differential/intended.js'
import { Runner } from '../express-session/differential/running.js'
import { findings, search } from '../express-session/differential/search.js'
import { dropIn, real } from '../express-session/implementations.js'

const RUNS = Number(process.env.DIFFERENTIAL_RUNS ?? 5000)
/** The same each time: who looks for what nobody has found yet gives another one. */
const SEED = Number(process.env.DIFFERENTIAL_SEED ?? 68_391_875)

const runner = new Runner()
beforeAll(() => runner.open())
afterAll(() => runner.close())

it(`express-session and the drop-in answer ${RUNS} sequences alike, drawn from seed ${SEED}`, {
  timeout: 3_600_000,
}, async () => {
  const found = await search(runner, real, dropIn, { runs: RUNS, seed: SEED, intended })
  expect(findings(found)).toBe('')
})
