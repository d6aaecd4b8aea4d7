import { expect, onTestFinished } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import type { Entry, StoreReport } from '../../../src/core/store.js'
import { RedisStore } from '../../../src/stores/redis.js'
import type { OpenClient } from './redis-clients.js'

const HOUR = 60 * 60 * 1000

/** More than one page of SCAN, in more than one slot. */
const MANY = 300

function entry(text: string, user?: string): Entry {
  const expiresAt = Date.now() + HOUR
  return { text, expiresAt, ...(user === undefined ? {} : { user }) }
}

/** A whole life of records, by one client; `flush` makes the servers forget their scripts. */
export async function program(
  open: OpenClient,
  flush: () => Promise<unknown>,
  // Whoever takes it for a pattern finds nothing.
  place = `t${Math.random().toString(36).slice(2)}[*]`,
): Promise<void> {
  onTestFinished(() => void open.close())
  const { client } = open
  const store = new RedisStore({ client, prefix: `${place}:` })
  const reports: StoreReport[] = []
  store.onReport((report) => reports.push(report))

  expect(await store.load('a')).toBeUndefined()
  expect(await store.create('a', entry('{"n":1}', 'ada'))).toBe(true)
  expect(await store.create('a', entry('{"n":9}', 'eve'))).toBe(false)
  const first = await store.load('a')
  expect(first).toMatchObject({ text: '{"n":1}' })
  expect(Math.abs(first!.expiresAt - Date.now() - HOUR)).toBeLessThan(60_000)
  for (const n of [2, 3]) {
    await flush()
    const seen = await store.load('a')
    expect(await store.replace('a', entry(`{"n":${n}}`, 'ada'), seen!)).toBe('replaced')
    expect(await store.replace('a', entry('{"n":9}', 'ada'), seen!)).toBe('changed')
  }
  expect(await store.replace('b', entry('{}'), first!)).toBe('gone')
  expect(await store.touch('b', Date.now() + HOUR)).toBe(false)
  expect(await store.touch('a', Date.now() + 2 * HOUR)).toBe(true)
  const touched = await store.load('a')
  expect(touched!.text).toBe('{"n":3}')
  expect(Math.abs(touched!.expiresAt - Date.now() - 2 * HOUR)).toBeLessThan(60_000)

  const keys = Array.from({ length: MANY }, (_, i) => `key ${i}`)
  for (let at = 0; at < MANY; at += 50) {
    const some = keys.slice(at, at + 50)
    await Promise.all(some.map((key) => store.create(key, entry('{"of":"ada"}', 'ada'))))
  }
  expect((await store.keysOfUser('ada')).sort()).toEqual(['a', ...keys].sort())
  expect(await store.keysOfUser('eve')).toEqual([])
  if (typeof store.entries === 'function') {
    const found = new Set<string>()
    for await (const { key } of store.entries()) found.add(key)
    expect([...found].sort()).toEqual(['a', ...keys].sort())
  }
  const over = { text: '{}', expiresAt: 0 }
  expect(await store.create('a', over)).toBe(false)
  expect(await store.create('b', over)).toBe(true)
  expect(await store.destroy('a')).toBe(true)
  expect(await store.destroy('a')).toBe(false)
  expect(await store.load('a')).toBeUndefined()
  expect((await store.keysOfUser('ada')).sort()).toEqual(keys.sort())
  // By a clock that is ahead the entries are old enough to be taken out.
  const clock = { ...systemClock, now: () => Date.now() + HOUR }
  const later = new RedisStore({ client, prefix: `${place}:`, clock })
  later.onReport((report) => reports.push(report))
  expect((await later.keysOfUser('ada')).sort()).toEqual(keys.sort())
  expect(reports).toEqual([])
  for (const key of keys) await store.destroy(key)
}
