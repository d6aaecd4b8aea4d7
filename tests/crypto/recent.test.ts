import { describe, expect, it } from 'vitest'
import { Recent } from '../../src/crypto/recent.js'

const LIMIT = 10

describe('what is remembered', () => {
  it('is at most twice the limit, the latest first', () => {
    const recent = new Recent<number>(LIMIT)
    for (let n = 0; n < 1000; n++) recent.set(`${n}`, n)
    const kept = Array.from({ length: 1000 }, (_, n) => n).filter((n) => recent.get(`${n}`) === n)
    expect(kept.length).toBeLessThanOrEqual(2 * LIMIT)
    expect(kept.slice(-LIMIT)).toEqual(Array.from({ length: LIMIT }, (_, at) => 1000 - LIMIT + at))
  })

  it('stays for as long as it is used', () => {
    const recent = new Recent<string>(LIMIT)
    recent.set('used', 'yes')
    for (let n = 0; n < 1000; n++) {
      recent.set(`${n}`, 'other')
      if (n % (LIMIT - 2) === 0) expect(recent.get('used')).toBe('yes')
    }
  })

  it('is the newest value of its key', () => {
    const recent = new Recent<number>(LIMIT)
    recent.set('key', 1)
    recent.set('key', 2)
    expect(recent.get('key')).toBe(2)
    expect(recent.get('other')).toBeUndefined()
  })
})
