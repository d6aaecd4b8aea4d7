import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ItemNames } from '../../src/stores/internal/memcached-names.js'
import { Ring } from '../../src/stores/internal/memcached-ring.js'

const fromMemcached = createRequire(createRequire(import.meta.url).resolve('memcached'))

type OldRing = new (
  servers: unknown,
  algorithm: string,
  options: object,
) => { get(key: string): string }

/** The ring of the `memcached` package, as that one makes it. */
const HashRing: OldRing = fromMemcached('hashring')
const oldRing = (servers: unknown) =>
  new HashRing(servers, 'md5', { compatibility: 'ketama', 'default port': 11211 })

const server = fc
  .tuple(
    fc.constantFrom('10.0.0.', 'cache', 'memcached-'),
    fc.nat(300),
    fc.constantFrom('', '', ':11211', ':11211', ':11212', ':30000'),
  )
  .map((parts) => parts.join(''))
const servers = fc.uniqueArray(server, { minLength: 2, maxLength: 12 })
const keys = Array.from({ length: 500 }, (_, i) => `sess:${i}${'-long'.repeat((i % 90) * 1)}`)

function sameServers(names: readonly string[], weights: readonly number[], old: unknown): void {
  const ring = new Ring(names.map((name, i) => ({ name, weight: weights[i]! })))
  const before = oldRing(old)
  for (const key of keys) {
    if (names[ring.serverOf(key)] !== before.get(key)) throw new Error(`${key} has moved`)
  }
}

describe('the ring of MemcachedStore', () => {
  it('has every key where the memcached package has it, whatever the servers', () => {
    fc.assert(
      fc.property(servers, (names) =>
        sameServers(
          names,
          names.map(() => 1),
          names,
        ),
      ),
      { numRuns: 60, seed: 7 },
    )
  })

  it('has every key where the memcached package has it, whatever the weights', () => {
    const weighted = servers.chain((names) =>
      fc.tuple(fc.constant(names), fc.array(fc.integer({ min: 1, max: 9 }), sizeOf(names))),
    )
    fc.assert(
      fc.property(weighted, ([names, weights]) =>
        sameServers(names, weights, Object.fromEntries(names.map((name, i) => [name, weights[i]]))),
      ),
      { numRuns: 60, seed: 8 },
    )
  })

  it('looks for a key that is too long by all of it, and asks by its MD5', () => {
    const key = `${'x'.repeat(300)}`
    const { ring, wire } = new ItemNames('p.').record(key)
    expect(ring).toBe(`p.${key}`)
    expect(wire).toMatch(/^[\da-f]{32}$/)
  })
})

function sizeOf({ length }: readonly string[]) {
  return { minLength: length, maxLength: length }
}
