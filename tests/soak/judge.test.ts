import { describe, expect, it } from 'vitest'
import { Device } from './device.js'
import { growth, LONG } from './judge.js'
import type { Sample } from './server.js'

const MB = 1024 * 1024

function samples(make: (index: number) => Partial<Sample>): Sample[] {
  const still = {
    heap: 30 * MB,
    external: 2 * MB,
    timers: 10,
    sockets: 0,
    resources: 3,
    records: 1,
  }
  return Array.from({ length: 120 }, (_, index) => ({ ...still, ...make(index) }))
}

describe('what a soak calls growth', () => {
  it('is not a heap that fills its caches first and swings afterwards', () => {
    const swinging = samples((index) => ({
      heap: Math.min(30, 10 + index) * MB + (index % 7) * 0.1 * MB,
      timers: 2 + (index % 3),
    }))
    expect(growth(swinging, LONG)).toEqual([])
  })

  it('is a heap that goes on growing, however slowly', () => {
    const leak = samples((index) => ({ heap: (30 + index * 0.1) * MB }))
    expect(growth(leak, LONG)).toEqual(['The heap has grown from 34.5 MB to 40.5 MB.'])
  })

  it.each(['sockets', 'resources', 'timers'] as const)('is a number of %s that goes up', (what) => {
    const leak = samples((index) => ({ [what]: index * 2 }))
    expect(growth(leak, LONG)).toEqual([`There are more ${what}: 90, then 210.`])
  })

  it('cannot be told from three samples', () => {
    expect(growth(samples(() => ({})).slice(0, 3), LONG)).toHaveLength(1)
  })
})

describe('what a soak expects of a session', () => {
  it('is each acknowledged key until it is overwritten, and either value after an error', () => {
    const device = new Device('a')
    device.user = 'ada'
    device.wrote('k0', '1', 'done')
    device.wrote('k1', '1', 'done')
    device.wrote('k1', '2', 'maybe')
    device.wrote('k2', '1', 'not-done')
    expect(device.contradictions({ userId: 'ada', k0: 1, k1: 1 })).toEqual([])
    expect(device.contradictions({ userId: 'ada', k0: 1, k1: 2 })).toEqual([])
    expect(device.contradictions({ k1: 3, k2: 1 })).toEqual([
      'lost key: k0 is absent, and was 1',
      'lost key: k1 is 3, and was 1 or 2',
      'a key from nowhere: k2',
      'the user is undefined, and was ada',
    ])
  })

  it('is that a deleted key stays away, and that one with an open end is left alone', () => {
    const device = new Device('a')
    device.wrote('k0', '1', 'done')
    device.wrote('k0', undefined, 'done')
    expect(device.contradictions({})).toEqual([])
    expect(device.contradictions({ k0: 1 })).toHaveLength(1)
    device.wrote('k1', '1', 'maybe')
    expect(device.freeKeys(3)).toEqual(['k0', 'k2', 'k3'])
  })

  it('is every acknowledged count, and no number given twice', () => {
    const device = new Device('a')
    expect(device.added('n', 1, 'done')).toBeUndefined()
    expect(device.added('n', 2, 'done')).toBeUndefined()
    expect(device.added('n', undefined, 'maybe')).toBeUndefined()
    expect(device.contradictions({ n: 1 })).toHaveLength(1)
    expect(device.contradictions({ n: 2 })).toEqual([])
    expect(device.contradictions({ n: 3 })).toEqual([])
    expect(device.contradictions({ n: 4 })).toHaveLength(1)
    expect(device.added('n', 2, 'done')).toBe('the counter n gave 2 twice')
  })
})
