import { it } from 'vitest'
import { holdAgreesWithNode } from './response-calls.js'

it('any sequence of calls gives the bytes and the errors of plain Node, held or not', {
  timeout: 50_000,
}, async () => {
  await holdAgreesWithNode({ numRuns: 300 })
})
