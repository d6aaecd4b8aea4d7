import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dropIn, real } from '../implementations.js'
import { examples, regressions, unmatched } from './examples.js'
import { intended } from './intended.js'
import { Runner } from './running.js'
import { compare } from './search.js'

const runner = new Runner()
beforeAll(() => runner.open())
afterAll(() => runner.close())

describe('intended:', () => {
  it.each(intended)('$sentence', async ({ name, forOld, align }) => {
    const { sequence, see, old, fresh } = examples[name] ?? expect.fail('no example')
    expect(see(await runner.run(sequence, real))).toEqual(old)
    expect(see(await runner.run(sequence, dropIn))).toEqual(fresh)
    if (forOld === undefined && align === undefined) return
    expect(await compare(runner, real, dropIn, sequence, intended)).toEqual([])
  })

  it('has an example of each difference', () => {
    expect(unmatched()).toEqual([])
  })
})

describe('as in express-session:', () => {
  it.each(Object.entries(regressions))('%s', async (_name, sequence) => {
    expect(await compare(runner, real, dropIn, sequence, intended)).toEqual([])
  })
})
