import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import {
  explore,
  replay,
  type Scenario,
  ScheduleFailure,
  search,
  type Turnstile,
} from '../../src/testing/index.js'

const KEY = 'the record'
const FAR = Date.UTC(2100, 0, 1)

/** Two or three writers that each add one; `compare` makes them try again when they were late. */
const counting =
  (writers: number, compare: boolean): Scenario =>
  (turnstile: Turnstile) => {
    const inner = new MemoryStore()
    const store = turnstile.store(inner)
    const entry = (text: string) => ({ text, expiresAt: FAR })
    inner.create(KEY, entry('0'))
    turnstile.name(KEY, 'it')
    const addOne = async () => {
      for (;;) {
        const seen = (await store.load(KEY))!
        const next = entry(`${Number(seen.text) + 1}`)
        if (compare) {
          if ((await store.replace(KEY, next, seen)) === 'replaced') return
        } else {
          return turnstile.step('write it', () => {
            inner.destroy(KEY)
            inner.create(KEY, next)
          })
        }
      }
    }
    const tasks = Object.fromEntries(['A', 'B', 'C'].slice(0, writers).map((who) => [who, addOne]))
    return {
      tasks,
      check() {
        const { text } = inner.load(KEY)!
        if (text !== `${writers}`) throw new Error(`${writers} writers came to ${text}`)
      },
      state: () => inner.load(KEY)!.text,
    }
  }

/** Without leaving out what leads to a known state. */
const plainly =
  (scenario: Scenario): Scenario =>
  async (turnstile) => {
    const { tasks, check } = await scenario(turnstile)
    return { tasks, check }
  }

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: ScheduleFailure) => error,
  )

describe('explore', () => {
  it('runs every order of the steps of two tasks', async () => {
    const seen: string[] = []
    const steps: Scenario = (turnstile) => {
      const order: string[] = []
      const twice = (who: string) => async () => {
        await turnstile.step('first', () => void order.push(`${who}1`))
        await turnstile.step('second', () => void order.push(`${who}2`))
      }
      return {
        tasks: { A: twice('A'), B: twice('B') },
        check: () => void seen.push(order.join(' ')),
      }
    }
    expect(await explore(steps)).toEqual({ schedules: 6, runs: 6, complete: true })
    expect(seen.sort()).toEqual([
      'A1 A2 B1 B2',
      'A1 B1 A2 B2',
      'A1 B1 B2 A2',
      'B1 A1 A2 B2',
      'B1 A1 B2 A2',
      'B1 B2 A1 A2',
    ])
  })

  it('finds the order that loses an update, and shows the shortest as a list', async () => {
    const failure = await failureOf(explore(plainly(counting(2, false))))
    expect(failure).toBeInstanceOf(ScheduleFailure)
    expect(failure?.message).toBe(
      [
        '2 writers came to 1',
        '   1. A: load it → found',
        '   2. B: load it → found',
        '   3. B: write it → nothing',
        '   4. A: write it → nothing',
        '  replay with the choices ["A: load it","B: load it"]',
      ].join('\n'),
    )
    expect((await failureOf(replay(counting(2, false), failure!.choices)))?.steps).toEqual(
      failure?.steps,
    )
    await replay(counting(2, false), [])
  })

  it('counts an order that leads to a known state, and runs it no further', async () => {
    const plain = await explore(plainly(counting(3, true)))
    const pruned = await explore(counting(3, true))
    expect(pruned.schedules).toBe(plain.schedules)
    expect(pruned.runs).toBeLessThan(plain.runs / 2)
    expect([plain.complete, pruned.complete]).toEqual([true, true])
  })

  it('finds with known states left out what it finds without', async () => {
    const failure = await failureOf(explore(counting(3, false)))
    expect(failure?.message).toContain('3 writers came to')
  })

  it('stops where it is told to, and says that it has not seen all', async () => {
    const explored = await explore(plainly(counting(3, true)), { atMost: 5 })
    expect(explored).toEqual({ schedules: 5, runs: 5, complete: false })
  })

  it('finds tasks that wait for each other for ever', async () => {
    const stuck: Scenario = (turnstile) => ({
      tasks: {
        A: async () => {
          await turnstile.step('asks', () => {})
          await new Promise(() => {})
        },
      },
      check() {},
    })
    await expect(explore(stuck)).rejects.toThrow('A waited for ever\n   1. A: asks')
  })

  it('refuses a scenario that is another one each time', async () => {
    let runs = 0
    const random: Scenario = (turnstile) => {
      const what = `step ${runs++}`
      const step = async () => void (await turnstile.step(what, () => {}))
      return { tasks: { A: step, B: step }, check() {} }
    }
    await expect(explore(random)).rejects.toThrow('The scenario is not deterministic')
  })

  it('fails with what a task throws', async () => {
    const failing: Scenario = () => ({
      tasks: {
        A: () => {
          throw new Error('mine')
        },
      },
      check() {},
    })
    await expect(explore(failing)).rejects.toThrow('mine')
  })
})

describe('search', () => {
  it('draws the same orders from the same seed', async () => {
    const drawn = async (seed: number) => {
      const all: string[] = []
      const watched: Scenario = async (turnstile) => {
        const { tasks } = await counting(3, true)(turnstile)
        return { tasks, check: () => void all.push(turnstile.answers) }
      }
      await search(watched, { seed, schedules: 10 })
      return all
    }
    expect(await drawn(1)).toEqual(await drawn(1))
    expect(await drawn(1)).not.toEqual(await drawn(2))
  })

  it('finds a lost update among drawn orders', async () => {
    const searching = search(counting(3, false), { seed: 1, schedules: 50 })
    await expect(searching).rejects.toThrow('3 writers came to')
  })
})
