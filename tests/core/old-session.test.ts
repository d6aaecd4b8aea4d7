import { describe, expect, it } from 'vitest'
import { nativeForm, type OldCookie } from '../../src/core/old-session.js'

const NOW = Date.UTC(2030, 0, 1)
const HOUR = 3_600_000
const TEXT = '{"v":1,"data":{"name":"Zoë"}}'

const written = (life = HOUR) =>
  nativeForm.write({ text: TEXT, expiresAt: NOW + life }, NOW) as { cookie: OldCookie }

describe('the session object that an old store gets', () => {
  it('tells each kind of store when the record ends', () => {
    const { cookie } = written()
    expect(cookie.expires).toEqual(new Date(NOW + HOUR))
    expect(cookie.maxAge).toBe(HOUR)
    expect(cookie.originalMaxAge).toBe(HOUR)
  })

  it('has the JSON that express-session would have', () => {
    expect(JSON.stringify(written())).toBe(
      `{"cookie":{"originalMaxAge":${HOUR},"expires":"2030-01-01T01:00:00.000Z","httpOnly":true,"path":"/"},"coatcheck":${JSON.stringify(TEXT)}}`,
    )
  })

  it('keeps what matters when a store copies it', () => {
    const { cookie } = written()
    for (const copy of [{ ...cookie }, structuredClone(cookie), cookie.toJSON()]) {
      expect(copy).toMatchObject({ originalMaxAge: HOUR, expires: new Date(NOW + HOUR) })
    }
  })

  it('is new each time, since some stores write into it', () => {
    const entry = { text: TEXT, expiresAt: NOW + HOUR }
    expect(nativeForm.write(entry, NOW)).not.toBe(nativeForm.write(entry, NOW))
  })

  it.each([1, 500, 999])(
    'has a second to live rather than %s ms, which some take for 0',
    (life) => {
      const { cookie } = written(life)
      expect(cookie.maxAge).toBe(1000)
      expect(cookie.expires).toEqual(new Date(NOW + 1000))
    },
  )

  it('ends at a whole millisecond, rounded up', () => {
    const { cookie } = written(HOUR + 0.2)
    expect(cookie.expires.getTime()).toBe(NOW + HOUR + 1)
    expect(cookie.originalMaxAge).toBe(HOUR + 1)
  })
})

describe('the session object that an old store gives back', () => {
  it.each([
    ['a text', '2030-01-01T01:00:00.000Z'],
    ['a Date', new Date(NOW + HOUR)],
    ['a number', NOW + HOUR],
  ])('has a date that is %s', (_, expires) => {
    const session = { cookie: { originalMaxAge: HOUR, expires }, coatcheck: TEXT }
    expect(nativeForm.read(session)).toEqual({ text: TEXT, expires: NOW + HOUR, life: HOUR })
  })

  it('may have more in it: the time of the last access, say', () => {
    const session = { ...written(), __lastAccess: NOW, lastModified: new Date(NOW) }
    expect(nativeForm.read(session)?.text).toBe(TEXT)
  })

  it.each([
    ['no cookie', undefined],
    ['null for a cookie', null],
    ['an empty cookie', {}],
    ['a cookie that never expires', { expires: null, originalMaxAge: null }],
    ['a cookie without sense', { expires: 'soon', originalMaxAge: '3600' }],
  ])('says nothing about its end with %s', (_, cookie) => {
    const read = nativeForm.read({ cookie, coatcheck: TEXT })
    expect(read).toEqual({ text: TEXT, expires: Number.NaN, life: Number.NaN })
  })

  it.each([
    ['a session of express-session', { cookie: { originalMaxAge: null }, views: 1 }],
    ['a blank one, as a late touch leaves it', { cookie: {}, __lastAccess: NOW }],
    ['one with something else in its place', { cookie: {}, coatcheck: { text: TEXT } }],
    ['a list', [TEXT]],
  ])('is not ours if it is %s', (_, session) => {
    expect(nativeForm.read(session)).toBe(undefined)
  })
})
