import { describe, expect, it } from 'vitest'
import { FAKE_CLOCK_START, FakeClock } from '../../src/testing/index.js'

describe('FakeClock', () => {
  it('starts at 2030-01-01 and stands still', async () => {
    const clock = new FakeClock()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(new Date(clock.now()).toISOString()).toBe('2030-01-01T00:00:00.000Z')
    expect(clock.now()).toBe(FAKE_CLOCK_START)
  })

  it('moves by exactly what it is told', async () => {
    const clock = new FakeClock(1000)
    await clock.advance(0.5)
    await clock.advance(400)
    expect(clock.now()).toBe(1400.5)
  })

  it('refuses to move backwards', () => {
    expect(() => new FakeClock().advance(-1)).toThrow(RangeError)
    expect(() => new FakeClock().advance(Number.NaN)).toThrow(RangeError)
  })

  it('runs timers in the order they fall due, each at its own moment', async () => {
    const clock = new FakeClock(0)
    const seen: [string, number][] = []
    const note = (name: string) => () => seen.push([name, clock.now()])
    clock.setTimeout(note('late'), 30)
    clock.setTimeout(note('early'), 10)
    clock.setTimeout(note('early too'), 10)
    clock.setTimeout(note('not yet'), 31)
    await clock.advance(30)
    expect(seen).toEqual([
      ['early', 10],
      ['early too', 10],
      ['late', 30],
    ])
    expect(clock.pending).toBe(1)
  })

  it('runs a timer that a timer set on the way', async () => {
    const clock = new FakeClock(0)
    const seen: number[] = []
    const again = () => {
      seen.push(clock.now())
      if (seen.length < 3) clock.setTimeout(again, 10)
    }
    clock.setTimeout(again, 10)
    await clock.advance(100)
    expect(seen).toEqual([10, 20, 30])
    expect(clock.now()).toBe(100)
  })

  it('lets promises and immediates settle before the next timer', async () => {
    const clock = new FakeClock(0)
    const seen: string[] = []
    clock.setTimeout(async () => {
      await Promise.resolve()
      await new Promise((resolve) => setImmediate(resolve))
      seen.push(`work of the first at ${clock.now()}`)
    }, 1)
    clock.setTimeout(() => seen.push('second'), 2)
    await clock.advance(2)
    expect(seen).toEqual(['work of the first at 1', 'second'])
  })

  it('runs no timer that was cleared', async () => {
    const clock = new FakeClock()
    let ran = false
    const timer = clock.setTimeout(() => {
      ran = true
    }, 5)
    expect(clock.pending).toBe(1)
    clock.clearTimeout(timer)
    expect(clock.pending).toBe(0)
    await clock.advance(10)
    expect(ran).toBe(false)
  })

  it('never runs a timer before the clock moves, not even one of 0 ms', async () => {
    const clock = new FakeClock()
    let ran = 0
    clock.setTimeout(() => ran++, 0)
    clock.setTimeout(() => ran++, Number.NaN)
    await new Promise((resolve) => setImmediate(resolve))
    expect(ran).toBe(0)
    await clock.advance(0)
    expect(ran).toBe(2)
  })

  it('adds up two advances at once', async () => {
    const clock = new FakeClock(0)
    await Promise.all([clock.advance(10), clock.advance(5)])
    expect(clock.now()).toBe(15)
  })

  it('rejects with what a timer throws, and goes on afterwards', async () => {
    const clock = new FakeClock(0)
    clock.setTimeout(() => {
      throw new Error('thrown by a timer')
    }, 1)
    await expect(clock.advance(5)).rejects.toThrow('thrown by a timer')
    await clock.advance(5)
    expect(clock.now()).toBe(6)
  })

  it('corrects the time without firing or delaying a timer', async () => {
    const clock = new FakeClock()
    const seen: number[] = []
    clock.setTimeout(() => seen.push(clock.now()), 100)
    clock.set(5000)
    await clock.advance(99)
    expect(seen).toEqual([])
    await clock.advance(1)
    expect(seen).toEqual([5100])
    clock.set(0)
    expect(clock.now()).toBe(0)
  })
})
