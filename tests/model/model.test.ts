import { describe, expect, it } from 'vitest'
import type { Program } from './actions.js'
import { planted } from './planted.js'
import { combinations, exploreAll, searchPrograms } from './programs.js'

const everywhere = ['one', 'each'] as const

const PAIRS = combinations(2)
const firsts = [...new Set(PAIRS.map(([first]) => String(first)))]

describe('two requests at the same time, in every order of what they ask the store', () => {
  it.each(everywhere.flatMap((processes) => firsts.map((first) => [first, processes] as const)))(
    'leave what the reference says, if one of them does: %s, processes: %s',
    async (first, processes) => {
      const pairs = PAIRS.filter(([one]) => String(one) === first)
      const { programs, schedules, complete } = await exploreAll(pairs, { processes })
      expect({ programs, complete }).toEqual({ programs: pairs.length, complete: true })
      expect(schedules).toBeGreaterThanOrEqual(2 * programs)
    },
  )

  it('are all pairs of the things that can be done', () => {
    expect([firsts.length, PAIRS.length]).toEqual([16, 136])
  })
})

describe('three requests that do several things each, in orders drawn from a seed', () => {
  it.each(everywhere)('leave what the reference says: processes: %s', async (processes) => {
    expect(await searchPrograms(20_301, 60, 4, { processes })).toBe(240)
  })
})

describe('the model finds', () => {
  it.each(planted)('$defect', async ({ broken, seen, among }) => {
    const isMeant = ([action]: Program) => among === undefined || action === among
    const programs = PAIRS.filter((pair) => pair.some(isMeant))
    const pairs = exploreAll(programs, { processes: 'each', broken })
    await expect(pairs).rejects.toThrow(seen)
  })
})
