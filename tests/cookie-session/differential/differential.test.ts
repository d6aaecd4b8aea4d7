import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dropIn, real } from '../implementations.js'
import { INTENDED } from './intended.js'
import { Runner } from './running.js'
import { compared, search } from './search.js'
import type { Exchange, OptionShape, Sequence } from './sequence.js'

const SEED = Number(process.env.DIFFERENTIAL_SEED ?? 20_301)
const RUNS = Number(process.env.DIFFERENTIAL_RUNS ?? 150)

const runner = new Runner()
beforeAll(() => runner.open())
afterAll(() => runner.close())

describe('generated requests', () => {
  it('are answered in the same way by cookie-session and itself', async () => {
    expect(await search(runner, real, real, { runs: 20, seed: SEED })).toBeUndefined()
  })

  it('are answered as by cookie-session, but for what is meant', async () => {
    const found = await search(runner, real, dropIn, { runs: RUNS, seed: SEED, intended: INTENDED })
    expect(found).toBeUndefined()
  })

  it.each([
    ['the old one first', (exchange: number) => (exchange % 2 === 0 ? real : dropIn)],
    ['the new one first', (exchange: number) => (exchange % 2 === 0 ? dropIn : real)],
  ])('are answered so if both take turns, %s', async (_, turn) => {
    const options = { runs: RUNS / 2, seed: SEED + 1, intended: INTENDED, turn }
    expect(await search(runner, real, dropIn, options)).toBeUndefined()
  })
})

const plain: Exchange = {
  advance: 0,
  cookie: 'kept',
  method: 'GET',
  tls: false,
  forwarded: false,
  steps: [],
  response: 'end',
  late: [],
}

function sequence(exchanges: Partial<Exchange>[], options: Partial<OptionShape> = {}): Sequence {
  return {
    host: { kind: 'express', trustProxy: false },
    phases: [
      {
        options: { keys: ['new', 'old'], given: 'keys', ...options },
        exchanges: exchanges.map((one) => ({ ...plain, ...one })),
      },
    ],
  }
}

/** For each difference that is meant, requests that show it. */
const WITNESSES: Readonly<Record<string, Sequence>> = {
  'fails instead of sending nothing': sequence([
    { steps: [{ do: 'set', key: 'a', value: 'bigint' }] },
  ]),
  warns: sequence([{ steps: [{ do: 'set', key: 'a', value: 'one' }] }], { secure: true }),
  'only objects are sessions': sequence([
    { planted: { text: '"abc"', by: 'new', urlSafe: false }, steps: [{ do: 'read' }] },
  ]),
  'reads after the headers': sequence([
    {
      planted: { text: '{"a":1}', by: 'old', urlSafe: false },
      response: 'stream',
      late: [{ do: 'read' }],
    },
  ]),
  'keeps the spelling of a header': sequence([
    { steps: [{ do: 'header in lower case' }, { do: 'set', key: 'a', value: 'one' }] },
  ]),
}

describe('a difference that is meant', () => {
  it.each(INTENDED.map((one) => [one.name, one] as const))('is there: %s', async (name, one) => {
    const witness = WITNESSES[name]!
    const others = INTENDED.filter((other) => other !== one)
    expect(await compared(runner, real, () => dropIn, witness, INTENDED)).toEqual([])
    expect(await compared(runner, real, () => dropIn, witness, others)).not.toEqual([])
  })
})
