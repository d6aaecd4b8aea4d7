import Memcached from 'memcached'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { MemcachedStore, type MemcachedStoreOptions } from '../../src/stores/memcached.js'
import { FakeClock, type StoreHarness, testStore } from '../../src/testing/index.js'
import { startFake } from '../support/fake-memcached.js'
import { ahead } from '../testing/reference-store.js'

function harness(meta: boolean): StoreHarness {
  return {
    unit: 1000,
    drift: 2000,
    async open() {
      const clock = new FakeClock()
      const fake = await startFake({ now: () => clock.now(), meta })
      const ends: (() => void)[] = []
      const open = (prefix: string, time = clock as { now(): number }) => {
        const options = {
          servers: fake.url,
          timeout: 60_000,
          prefix,
          clock: { ...systemClock, now: () => time.now() },
        }
        const store = new MemcachedStore(options)
        ends.push(() => void store.close())
        return store
      }
      return {
        store: open('a.'),
        clock,
        advance: (ms) => clock.advance(ms),
        another: () => open('a.'),
        elsewhere: () => open('*.'),
        skewed: (ms) => open('a.', ahead(clock, ms)),
        plant(key, garbage) {
          const value = Buffer.from(garbage, 'latin1')
          const kept = { value, flags: '0', cas: 1e9, end: Math.ceil(clock.now() / 1000) + 3600 }
          fake.items.set(`a.${key}`, kept)
        },
        outage: { begin: () => fake.refuse(), end: () => fake.listen() },
        blackHole: { begin: () => fake.fall(), end: () => fake.speak() },
        async dispose() {
          for (const end of ends) end()
          await fake.stop()
        },
      }
    },
    lacks: {
      sweep: 'the server ends records by itself',
      entries: 'a server does not list what it has',
      trips: 'they are counted on the real server',
      processes: 'they are tried on the real server',
      exits: 'it is tried on the real server',
      predecessor: 'it is tried on the real server',
    },
  }
}

testStore({ describe, it }, 'MemcachedStore', harness(true))
testStore({ describe, it }, 'MemcachedStore on a server before 1.6', harness(false))

describe('an option of MemcachedStore', () => {
  const client = new Memcached('127.0.0.1:1')
  it.each([
    ['nothing', undefined, 'the options must be an object'],
    ['neither servers nor client', {}, "'servers' must be given"],
    ['both', { servers: 'a:1', client }, "'servers' must be left out beside 'client'"],
    ['TLS beside a client', { client, tls: true }, "'tls' must be left out"],
    ['a client without cas', { client: { get() {} } }, 'it has no gets, add, cas'],
    ['no server', { servers: [] }, "'servers' must be"],
    ['a server twice', { servers: ['a:1', 'a:1'] }, 'named twice'],
    ['a weight of nothing', { servers: { 'a:1': 0 } }, "'servers' must be"],
    ['a port of none', { servers: 'a:99999' }, "'servers' must be"],
    ['a URL', { servers: 'memcached://a:1' }, "'servers' must be"],
    ['a space in the prefix', { servers: 'a:1', prefix: 'a b' }, "'prefix' must be"],
    ['a timeout of nothing', { servers: 'a:1', timeout: 0 }, "'timeout' must be"],
    ['a name without a password', { servers: 'a:1', username: 'ada' }, "'password' must be"],
    ['a line break in a password', { servers: 'a:1', username: 'a', password: 'b\r\nc' }, "'pass"],
    ['TLS of a kind', { servers: 'a:1', tls: 'yes' }, "'tls' must be"],
    ['a clock that tells nothing', { servers: 'a:1', clock: {} }, "'clock' must be"],
    ['an unknown one', { servers: 'a:1', hosts: 'b:1' }, "'hosts' must be left out"],
  ])('is refused when it is %s', (_, options, message) => {
    expect(() => new MemcachedStore(options as MemcachedStoreOptions)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }),
    )
  })

  it('takes servers in every form, and connects to none of them', async () => {
    for (const servers of ['localhost', '[::1]:11212', '/run/memcached.sock', { 'a:1': 2, b: 1 }]) {
      await new MemcachedStore({ servers }).close()
    }
    client.end()
  })
})
