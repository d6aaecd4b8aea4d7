import { it } from 'vitest'
import { holdAgreesWithNode } from '../http/response-calls.js'

// A number of cases for the long run of `npm run test:fuzz`, else a time.
const cases = process.env.FUZZ_HOLD_CASES
const seconds = Number(process.env.FUZZ_SECONDS ?? 10)

it('held responses give the bytes and the errors of plain Node for random calls', {
  timeout: cases === undefined ? 60_000 + seconds * 2000 : 60 * 60_000,
}, async () => {
  await holdAgreesWithNode(
    cases === undefined
      ? {
          numRuns: 2 ** 31 - 1,
          interruptAfterTimeLimit: seconds * 1000,
          markInterruptAsFailure: false,
        }
      : { numRuns: Number(cases) },
  )
})
