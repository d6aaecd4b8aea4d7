import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cookieIsAgeing,
  cookieLife,
  endedBy,
  endOf,
  expiryAfter,
  idleToNote,
  type LifetimeSettings,
  LONGEST_COOKIE,
  lastSeen,
  touchIsDue,
} from '../../src/core/lifetime.js'
import type { Facts } from '../../src/core/record.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const set: LifetimeSettings = { idleTimeout: DAY, absoluteTimeout: 30 * DAY }
const facts: Facts = { created: 0, started: 0, idle: DAY }

describe('the idle clock', () => {
  const expiry = expiryAfter(facts, set, 5 * DAY)

  it.each([
    [-1, undefined],
    [0, 'idle'],
    [1, 'idle'],
  ])('at its limit %i ms: %s', (offset, expected) => {
    expect(endedBy(facts, expiry, set, 6 * DAY + offset)).toBe(expected)
  })

  it('can tell the last activity from the expiry', () => {
    expect(lastSeen(facts, expiry)).toBe(5 * DAY)
  })

  it('applies a shortened setting to live sessions at once', () => {
    const shorter = { ...set, idleTimeout: HOUR }
    expect(endedBy(facts, expiry, shorter, 5 * DAY + HOUR - 1)).toBeUndefined()
    expect(endedBy(facts, expiry, shorter, 5 * DAY + HOUR)).toBe('idle')
  })

  it('does not lengthen what an older, shorter setting noted', () => {
    const longer = { ...set, idleTimeout: 10 * DAY }
    expect(endedBy(facts, expiry, longer, 6 * DAY)).toBe('idle')
  })

  it("is the session's own lifetime where it has one", () => {
    const own: Facts = { ...facts, own: 10 * DAY, idle: idleToNote(10 * DAY, set) }
    const end = expiryAfter(own, set, 0)
    expect(endedBy(own, end, set, 10 * DAY - 1)).toBeUndefined()
    expect(endedBy(own, end, set, 10 * DAY)).toBe('idle')
  })

  it('counts from the last write when it was off before', () => {
    const off: Facts = { ...facts, idle: null, seen: 2 * DAY }
    expect(endedBy(off, 30 * DAY, set, 3 * DAY - 1)).toBeUndefined()
    expect(endedBy(off, 30 * DAY, set, 3 * DAY)).toBe('idle')
  })
})

describe('the absolute clock', () => {
  it.each([
    [-1, undefined],
    [0, 'absolute'],
    [1, 'absolute'],
  ])('at its limit %i ms: %s, although it was used a minute ago', (offset, expected) => {
    const expiry = expiryAfter(facts, set, 30 * DAY - 60_000)
    expect(endedBy(facts, expiry, set, 30 * DAY + offset)).toBe(expected)
  })

  it('caps what is told about the end', () => {
    expect(endOf(facts, expiryAfter(facts, set, 29.5 * DAY), set)).toBe(30 * DAY)
    expect(endOf(facts, expiryAfter(facts, set, DAY), set)).toBe(2 * DAY)
  })

  it('is the expiry in the store where there is no idle clock', () => {
    const off = { idleTimeout: null, absoluteTimeout: 7 * DAY }
    expect(expiryAfter({ ...facts, idle: null }, off, DAY)).toBe(7 * DAY)
  })
})

describe('the touch', () => {
  it.each([
    [60_000, false],
    [60_001, true],
  ])('after %i ms of a long idle time is due: %s', (since, due) => {
    expect(touchIsDue(facts, expiryAfter(facts, set, 0), set, since)).toBe(due)
  })

  it('follows a tenth of a short idle time', () => {
    const short = { ...facts, idle: 1000 }
    expect(touchIsDue(short, 1000, { ...set, idleTimeout: 1000 }, 100)).toBe(false)
    expect(touchIsDue(short, 1000, { ...set, idleTimeout: 1000 }, 101)).toBe(true)
  })

  it('is never due without an idle clock', () => {
    const off = { idleTimeout: null, absoluteTimeout: DAY }
    expect(touchIsDue({ ...facts, idle: null }, DAY, off, DAY - 1)).toBe(false)
  })

  it('sets right an expiry that lies further ahead than any activity can put it', () => {
    expect(touchIsDue(facts, 20 * DAY, set, DAY)).toBe(true)
  })
})

describe('the persistent cookie', () => {
  it('lives to the absolute end, and 400 days at most', () => {
    expect(cookieLife(facts, set, DAY)).toBe(29 * DAY)
    expect(cookieLife(facts, { ...set, absoluteTimeout: 1000 * DAY }, 0)).toBe(LONGEST_COOKIE)
    expect(cookieLife(facts, { ...set, absoluteTimeout: null }, 0)).toBe(LONGEST_COOKIE)
    expect(LONGEST_COOKIE / 1000).toBe(34_560_000)
  })

  it('is due again past half of 400 days, if there is no absolute end', () => {
    const endless = { ...set, absoluteTimeout: null }
    expect(cookieIsAgeing(facts, endless, 200 * DAY)).toBe(false)
    expect(cookieIsAgeing(facts, endless, 200 * DAY + 1)).toBe(true)
    expect(cookieIsAgeing({ ...facts, issued: 100 * DAY }, endless, 250 * DAY)).toBe(false)
    expect(cookieIsAgeing(facts, set, 29 * DAY)).toBe(false)
  })
})

it('never lets a session outlive either clock, whatever saves, touches and lifetimes do', () => {
  const step = fc.record({
    wait: fc.integer({ min: 0, max: 2 * DAY }),
    own: fc.option(fc.integer({ min: 1, max: 5 * DAY })),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let now = 0
      let current = facts
      let expiry = expiryAfter(current, set, now)
      for (const { wait, own } of steps) {
        const seen = now
        now += wait
        const idle = current.own ?? DAY
        const ended = endedBy(current, expiry, set, now)
        expect(ended !== undefined).toBe(now - seen >= idle || now >= 30 * DAY)
        if (ended !== undefined) return
        if (own !== null) current = { ...current, own, idle: idleToNote(own, set) }
        expiry = expiryAfter(current, set, now)
        expect(expiry).toBeGreaterThan(now)
        expect(lastSeen(current, expiry)).toBe(now)
      }
    }),
  )
})
