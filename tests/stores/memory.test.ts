import { describe, expect, it } from 'vitest'
import type { StoreReport } from '../../src/core/store.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { FakeClock, testStore } from '../../src/testing/index.js'
import { exitOf, startProcess } from './file-folder.js'

testStore({ describe, it }, 'MemoryStore', {
  open() {
    const clock = new FakeClock()
    const store = new MemoryStore({ clock })
    return {
      store,
      clock,
      advance: (ms) => clock.advance(ms),
      another: () => store,
      elsewhere: () => new MemoryStore({ clock }),
      exits: (program) => exitOf(startProcess('', { type: 'memory', program })),
    }
  },
  lacks: {
    plant: 'nobody else gets at the memory',
    trips: 'there is no backend to wait for',
    processes: 'the memory is of one process',
    outage: 'the memory is always there',
    blackHole: 'the memory answers at once',
    skewed: 'the memory is of one machine',
    predecessor: 'its records are gone with their process',
  },
})

const later = Number.MAX_SAFE_INTEGER

function clockAt(start: number) {
  const clock = { ms: start, now: () => clock.ms, setTimeout: () => 0, clearTimeout: () => {} }
  return clock
}

function reportsOf(store: MemoryStore): StoreReport[] {
  const reports: StoreReport[] = []
  store.onReport((report) => reports.push(report))
  return reports
}

function keysThere(store: MemoryStore, keys: string[]): string {
  return keys.filter((key) => store.load(key) !== undefined).join('')
}

describe('MemoryStore answers at once', () => {
  it('gives values, not promises', () => {
    const store = new MemoryStore()
    expect(store.create('k', { text: 'a', expiresAt: later })).toBe(true)
    const seen = store.load('k')
    expect(seen).toEqual({ text: 'a', expiresAt: later })
    expect(store.replace('k', { text: 'b', expiresAt: later }, seen!)).toBe('replaced')
    expect(store.touch('k', later - 1)).toBe(true)
    expect(store.destroy('k')).toBe(true)
    expect(store.load('k')).toBeUndefined()
  })

  it('gives copies: changing one changes nothing stored', () => {
    const store = new MemoryStore()
    store.create('k', { text: 'a', expiresAt: later })
    Object.assign(store.load('k')!, { text: 'forged', expiresAt: 0 })
    expect(store.load('k')).toEqual({ text: 'a', expiresAt: later })
  })

  it('keeps what it was given, whatever happens to the entry afterwards', () => {
    const store = new MemoryStore()
    const entry = { text: 'a', expiresAt: later, user: 'ann' }
    store.create('k', entry)
    Object.assign(entry, { text: 'forged', user: 'bob' })
    expect(store.load('k')?.text).toBe('a')
  })
})

describe('a full MemoryStore', () => {
  it('drops the record that was not used for longest', () => {
    const store = new MemoryStore({ maxEntries: 4 })
    for (const key of ['a', 'b', 'c', 'd']) store.create(key, { text: '', expiresAt: later })
    store.load('a')
    store.touch('b', later)
    store.replace('c', { text: '', expiresAt: later }, { text: '', expiresAt: later })
    const reports = reportsOf(store)
    store.create('e', { text: '', expiresAt: later })
    store.create('f', { text: '', expiresAt: later })
    expect(reports).toEqual([
      { type: 'evicted', key: 'd', text: '' },
      { type: 'evicted', key: 'a', text: '' },
    ])
    expect(keysThere(store, ['a', 'b', 'c', 'd', 'e', 'f'])).toBe('bcef')
  })

  it('drops expired records first, then anonymous ones, then signed-in ones', () => {
    const clock = clockAt(1000)
    const store = new MemoryStore({ maxEntries: 5, clock })
    store.create('s', { text: '', expiresAt: later, user: 'ann' })
    store.create('t', { text: '', expiresAt: later, user: 'bob' })
    store.create('a', { text: '', expiresAt: later })
    store.create('b', { text: '', expiresAt: later })
    store.create('x', { text: 'old', expiresAt: 2000, user: 'ann' })
    clock.ms = 2000
    const reports = reportsOf(store)
    for (const key of ['u', 'v', 'w']) store.create(key, { text: '', expiresAt: later, user: 'u' })
    expect(reports).toEqual([
      { type: 'expired', key: 'x', text: 'old' },
      { type: 'evicted', key: 'a', text: '' },
      { type: 'evicted', key: 's', text: '' },
    ])
  })

  it('keeps a record that was just written, also an anonymous one among signed-in ones', () => {
    const store = new MemoryStore({ maxEntries: 2 })
    store.create('s', { text: '', expiresAt: later, user: 'ann' })
    store.create('t', { text: '', expiresAt: later, user: 'bob' })
    expect(store.create('a', { text: '', expiresAt: later })).toBe(true)
    expect(keysThere(store, ['s', 't', 'a'])).toBe('ta')
  })

  it('lets a visitor sign in where all others have done so', () => {
    const store = new MemoryStore({ maxEntries: 20 })
    for (let i = 0; i < 20; i += 1)
      store.create(`${i}`, { text: '', expiresAt: later, user: `${i}` })
    store.create('anonymous', { text: '', expiresAt: later })
    store.create('signed in', { text: '', expiresAt: later, user: 'ann' })
    // A sign-in ends the record before it, and is undone where that has ended already.
    expect(store.destroy('anonymous')).toBe(true)
    expect(keysThere(store, ['0', '1', '2', 'signed in'])).toBe('2signed in')
  })

  it('loses one user in a hundred at most to a flood of strangers, by entries and by bytes', () => {
    const flooded = (bounds: { maxEntries?: number; maxBytes?: number }, text: string) => {
      const store = new MemoryStore(bounds)
      for (let i = 0; i < 1000; i += 1)
        store.create(`user-${i}`, { text: '', expiresAt: later, user: '0123456789' })
      for (let i = 0; i < 3000; i += 1) store.create(`anon-${i}`, { text, expiresAt: later })
      const users = Array.from({ length: 1000 }, (_, i) => `user-${i}`)
      const strangers = Array.from({ length: 3000 }, (_, i) => `anon-${i}`)
      const there = (keys: string[]) => keys.filter((key) => store.load(key) !== undefined).length
      return [there(users), there(strangers)]
    }
    expect(flooded({ maxEntries: 1000 }, '')).toEqual([990, 10])
    // A user takes 290 bytes or so, a stranger as much as four of them.
    const [users = 0, strangers] = flooded({ maxBytes: 1000 * 290 }, 'x'.repeat(440))
    expect(users).toBeGreaterThanOrEqual(980)
    expect(strangers).toBeGreaterThan(1)
    expect(strangers).toBeLessThan(4)
  })

  it('follows a record from anonymous to signed-in and back', () => {
    const store = new MemoryStore({ maxEntries: 2 })
    store.create('a', { text: '', expiresAt: later })
    store.create('b', { text: '', expiresAt: later })
    store.replace('a', { text: '', expiresAt: later, user: 'ann' }, { text: '', expiresAt: 0 })
    store.create('c', { text: '', expiresAt: later })
    expect(keysThere(store, ['a', 'b', 'c'])).toBe('ac')
    store.replace('a', { text: '', expiresAt: later }, { text: '', expiresAt: 0 })
    store.load('c')
    store.create('d', { text: '', expiresAt: later })
    expect(keysThere(store, ['a', 'c', 'd'])).toBe('cd')
  })

  it('counts bytes, also those that a replace adds, and never drops the replaced record', () => {
    const store = new MemoryStore({ maxBytes: 3000 })
    const text = 'x'.repeat(500)
    store.create('a', { text, expiresAt: later })
    store.create('b', { text, expiresAt: later })
    expect(keysThere(store, ['a', 'b'])).toBe('ab')
    const longer = 'y'.repeat(1200)
    store.replace('a', { text: longer, expiresAt: later }, { text, expiresAt: later })
    expect(keysThere(store, ['a', 'b'])).toBe('a')
    expect(store.load('a')?.text).toBe(longer)
    store.destroy('a')
    store.create('c', { text, expiresAt: later })
    store.create('d', { text, expiresAt: later })
    expect(keysThere(store, ['c', 'd'])).toBe('cd')
  })

  it('counts the names of users too', () => {
    const store = new MemoryStore({ maxBytes: 3000 })
    const entry = { text: '', expiresAt: later, user: 'x'.repeat(700) }
    store.create('a', entry)
    store.create('b', entry)
    expect(keysThere(store, ['a', 'b'])).toBe('b')
  })

  it('refuses a record that can never fit, and keeps the others', () => {
    const store = new MemoryStore({ maxBytes: 3000 })
    store.create('a', { text: 'x', expiresAt: later })
    const big = { text: 'x'.repeat(2000), expiresAt: later }
    const refusal = expect.objectContaining({ code: 'ERR_RECORD_TOO_LARGE', store: 'MemoryStore' })
    expect(() => store.create('b', big)).toThrow(refusal)
    expect(() => store.replace('a', big, { text: 'x', expiresAt: later })).toThrow(refusal)
    expect(store.load('a')?.text).toBe('x')
  })

  it('stays bounded and keeps the signed-in under a flood of anonymous records', () => {
    const store = new MemoryStore()
    for (let i = 0; i < 5000; i += 1) {
      store.create(`user-${i}`, { text: '{}', expiresAt: later, user: `${i}` })
    }
    let evicted = 0
    store.onReport(({ type }) => {
      if (type === 'evicted') evicted += 1
    })
    for (let i = 0; i < 300_000; i += 1)
      store.create(`anon-${i}`, { text: '{}', expiresAt: later + i })
    expect(evicted).toBe(295_000)
    for (let i = 0; i < 5000; i += 1) expect(store.load(`user-${i}`)).toBeDefined()
    expect(store.load('anon-294999')).toBeUndefined()
    expect(store.load('anon-295000')).toBeDefined()
  })
})

describe('MemoryStore and time', () => {
  it('takes a record as gone from its expiry on, and reports it', () => {
    const clock = clockAt(1000)
    const store = new MemoryStore({ clock })
    store.create('k', { text: 'a', expiresAt: 2000, user: 'ann' })
    const reports = reportsOf(store)
    clock.ms = 1999
    expect(store.load('k')).toBeDefined()
    clock.ms = 2000
    expect(store.load('k')).toBeUndefined()
    expect(store.load('k')).toBeUndefined()
    expect(reports).toEqual([{ type: 'expired', key: 'k', text: 'a' }])
  })

  it.each([Number.NaN, 0, -1, Number.NEGATIVE_INFINITY])('%s is never live', async (expiresAt) => {
    const store = new MemoryStore({ clock: clockAt(1000) })
    expect(store.create('k', { text: 'a', expiresAt, user: 'ann' })).toBe(true)
    expect(await store.keysOfUser('ann')).toEqual([])
    expect(store.load('k')).toBeUndefined()
    store.create('k', { text: 'a', expiresAt: later })
    expect(store.touch('k', expiresAt)).toBe(true)
    expect(store.load('k')).toBeUndefined()
  })

  it('keeps a record with an infinite expiry', async () => {
    const store = new MemoryStore({ clock: clockAt(Number.MAX_SAFE_INTEGER) })
    store.create('k', { text: 'a', expiresAt: Infinity })
    expect(await store.sweep()).toBe(0)
    expect(store.load('k')?.expiresAt).toBe(Infinity)
  })

  it('sweeps what has expired, in whatever order it was written, touched and destroyed', async () => {
    const clock = clockAt(0)
    const store = new MemoryStore({ clock })
    const expiries = new Map<string, number>()
    let seed = 1
    const random = (n: number) => {
      seed = (seed * 48271) % 2147483647
      return seed % n
    }
    for (let i = 0; i < 20_000; i += 1) {
      const key = `k${random(3000)}`
      const expiresAt = 1 + random(1_000_000)
      if (random(4) === 0) {
        store.destroy(key)
        expiries.delete(key)
      } else {
        if (!store.create(key, { text: '', expiresAt })) store.touch(key, expiresAt)
        expiries.set(key, expiresAt)
      }
    }
    clock.ms = 500_000
    const expired = [...expiries].filter(([, expiresAt]) => expiresAt <= clock.ms)
    const reports = reportsOf(store)
    expect(await store.sweep({ limit: 10 })).toBe(10)
    expect(await store.sweep()).toBe(expired.length - 10)
    expect(reports.map((report) => report.type === 'expired' && report.key).sort()).toEqual(
      expired.map(([key]) => key).sort(),
    )
    let left = 0
    for await (const { expiresAt } of store.entries()) left += expiresAt > clock.ms ? 1 : 0
    expect(left).toBe(expiries.size - expired.length)
  })

  it('lets other work run during a long sweep', async () => {
    const clock = clockAt(0)
    const store = new MemoryStore({ clock })
    for (let i = 0; i < 5000; i += 1) store.create(`k${i}`, { text: '', expiresAt: 1 })
    clock.ms = 1
    const order: string[] = []
    setImmediate(() => order.push('other work'))
    expect(await store.sweep()).toBe(5000)
    order.push('swept')
    expect(order).toEqual(['other work', 'swept'])
  })
})

describe('the user index of MemoryStore', () => {
  it('follows create, replace, destroy and expiry', async () => {
    const clock = clockAt(0)
    const store = new MemoryStore({ clock })
    store.create('a', { text: '', expiresAt: 10, user: 'ann' })
    store.create('b', { text: '', expiresAt: 20, user: 'ann' })
    store.create('c', { text: '', expiresAt: 20, user: '__proto__' })
    expect(await store.keysOfUser('ann')).toEqual(['a', 'b'])
    expect(await store.keysOfUser('__proto__')).toEqual(['c'])
    clock.ms = 10
    expect(await store.keysOfUser('ann')).toEqual(['b'])
    store.replace('b', { text: '', expiresAt: 20, user: 'bob' }, { text: '', expiresAt: 20 })
    expect(await store.keysOfUser('ann')).toEqual([])
    expect(await store.keysOfUser('bob')).toEqual(['b'])
    store.destroy('b')
    expect(await store.keysOfUser('bob')).toEqual([])
    expect(await store.keysOfUser('constructor')).toEqual([])
  })
})

describe('what MemoryStore reports', () => {
  it('goes to every listener until its end, whatever another one throws', () => {
    const store = new MemoryStore({ maxEntries: 1 })
    const reports: StoreReport[] = []
    store.onReport(() => {
      throw new Error('a listener fails')
    })
    const end = store.onReport((report) => reports.push(report))
    store.create('a', { text: '', expiresAt: later })
    store.create('b', { text: '', expiresAt: later })
    end()
    store.create('c', { text: '', expiresAt: later })
    expect(reports).toEqual([{ type: 'evicted', key: 'a', text: '' }])
    expect(store.load('c')).toBeDefined()
  })
})

describe('wrong options of MemoryStore', () => {
  it.each([
    [{ maxEntries: 0 }, 'maxEntries', 'it is 0'],
    [{ maxEntries: '10' as unknown as number }, 'maxEntries', 'of type string'],
    [{ maxBytes: 1.5 }, 'maxBytes', 'it is 1.5'],
    [{ maxBytes: Number.NaN }, 'maxBytes', 'it is NaN'],
    [{ clock: null as unknown as ReturnType<typeof clockAt> }, 'clock', 'it is null'],
    [null as unknown as object, 'options', 'they are null'],
  ])('%o throws a coded TypeError that names it', (options, name, kind) => {
    const attempt = () => new MemoryStore(options)
    expect(attempt).toThrow(TypeError)
    expect(attempt).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
    expect(attempt).toThrow(name)
    expect(attempt).toThrow(kind)
  })
})
