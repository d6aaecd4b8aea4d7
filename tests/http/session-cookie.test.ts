import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CookieOptions, cookieFrom } from '../../src/cookie-option.js'
import {
  audienceOf,
  type CookieAttributes,
  clearLine,
  formOf,
  readTokens,
  setLine,
} from '../../src/http/session-cookie.js'
import { parseSetCookie } from '../../src/testing/set-cookie.js'

const HTTPS = true
const PLAIN = false

function sent(options: CookieOptions, secure: boolean, life?: number): string {
  const attributes = cookieFrom(options)
  return setLine(attributes, formOf(attributes, secure), 'T', life, 0)
}

describe('the cookie that is sent', () => {
  it.each<[CookieOptions, boolean, string]>([
    [{}, HTTPS, '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=Lax'],
    [{}, PLAIN, 'sid=T; Path=/; HttpOnly; SameSite=Lax'],
    [{ secure: true }, PLAIN, '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=Lax'],
    [{ secure: false }, HTTPS, 'sid=T; Path=/; HttpOnly; SameSite=Lax'],
    [
      { domain: 'example.com' },
      HTTPS,
      '__Secure-sid=T; Domain=example.com; Path=/; HttpOnly; Secure; SameSite=Lax',
    ],
    [{ domain: 'example.com' }, PLAIN, 'sid=T; Domain=example.com; Path=/; HttpOnly; SameSite=Lax'],
    [{ path: '/app' }, HTTPS, '__Secure-sid=T; Path=/app; HttpOnly; Secure; SameSite=Lax'],
    [{ name: 'shop' }, HTTPS, 'shop=T; Path=/; HttpOnly; Secure; SameSite=Lax'],
    [{ name: 'shop' }, PLAIN, 'shop=T; Path=/; HttpOnly; SameSite=Lax'],
    [{ name: '__Host-shop' }, PLAIN, '__Host-shop=T; Path=/; HttpOnly; Secure; SameSite=Lax'],
    [{ sameSite: 'strict' }, HTTPS, '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=Strict'],
    [{ sameSite: 'none' }, HTTPS, '__Host-sid=T; Path=/; HttpOnly; Secure; SameSite=None'],
    [{ sameSite: 'none' }, PLAIN, 'sid=T; Path=/; HttpOnly; SameSite=Lax'],
    [
      { partitioned: true },
      HTTPS,
      '__Host-sid=T; Path=/; HttpOnly; Secure; Partitioned; SameSite=Lax',
    ],
    [{ partitioned: true }, PLAIN, 'sid=T; Path=/; HttpOnly; SameSite=Lax'],
    [{ httpOnly: false }, PLAIN, 'sid=T; Path=/; SameSite=Lax'],
    [{ priority: 'high' }, PLAIN, 'sid=T; Path=/; HttpOnly; Priority=High; SameSite=Lax'],
  ])('with %j, known to be secure: %s', (options, secure, line) => {
    expect(sent(options, secure)).toBe(line)
  })

  it('has Max-Age and Expires together, naming the same second', () => {
    expect(sent({}, PLAIN, 1500)).toBe(
      'sid=T; Max-Age=2; Path=/; Expires=Thu, 01 Jan 1970 00:00:02 GMT; HttpOnly; SameSite=Lax',
    )
  })

  it.each<[CookieOptions, boolean]>([
    [{}, HTTPS],
    [{}, PLAIN],
    [{ domain: 'example.com', path: '/app' }, HTTPS],
    [{ secure: true, partitioned: true }, PLAIN],
    [{ sameSite: 'none' }, PLAIN],
    [{ name: 'shop', httpOnly: false, priority: 'low' }, HTTPS],
  ])('is deleted under the very attributes it was set with: %j, %s', (options, secure) => {
    const attributes = cookieFrom(options)
    const form = formOf(attributes, secure)
    const attributesOf = (line: string) =>
      line
        .split('; ')
        .slice(1)
        .filter((one) => !/^(?:Max-Age|Expires)=/.test(one))
        .sort()
    const cleared = clearLine(attributes, form)
    expect(attributesOf(cleared)).toEqual(attributesOf(setLine(attributes, form, 'T', 9, 0)))
    expect(cleared).toMatch(new RegExp(`^${form.name}=; Max-Age=0;`))
  })
})

describe('whatever the options are', () => {
  /** Texts of the characters that matter in a Set-Cookie line, and others. */
  const texts = fc.oneof(
    fc.string(),
    fc
      .array(
        fc.constantFrom(
          '/',
          'a',
          '.',
          '-',
          ';',
          '=',
          ',',
          '<',
          ' ',
          '\t',
          '"',
          '\0',
          'ü',
          '__Host-',
        ),
      )
      .map((all) => all.join('')),
    fc.domain(),
    fc.nat(80).map((length) => `${'d'.repeat(length)}.example`),
  )

  it('either they are refused at once, or both lines say just what they say', () => {
    const options = fc.record(
      {
        name: texts,
        path: texts.map((text) => `/${text}`),
        domain: texts,
        secure: fc.constantFrom(true, 'auto' as const),
        sameSite: fc.constantFrom('lax' as const, 'strict' as const, 'none' as const),
        partitioned: fc.boolean(),
        priority: fc.constantFrom('low' as const, 'high' as const),
      },
      { requiredKeys: [] },
    )
    const check = (given: CookieOptions, secure: boolean) => {
      let attributes: CookieAttributes
      try {
        attributes = cookieFrom(given)
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_OPTION' })
        return
      }
      const form = formOf(attributes, secure)
      const set = parseSetCookie(setLine(attributes, form, 'T', undefined, 0))!
      const cleared = parseSetCookie(clearLine(attributes, form))!
      const { path, domain, sameSite, partitioned } = given
      for (const line of [set, cleared]) {
        expect(line.name).toBe(form.name)
        expect(line.path).toBe(path ?? '/')
        expect(line.domain).toBe(domain?.replace(/^\./, '').toLowerCase())
        expect(line.secure).toBe(form.secure)
        expect(line.partitioned).toBe(partitioned === true && form.secure)
        const weakened = sameSite === 'none' && !form.secure
        expect(line.sameSite).toBe(weakened ? 'lax' : (sameSite ?? 'lax'))
      }
      expect(set.value).toBe('T')
      expect(cleared.value).toBe('')
    }
    fc.assert(fc.property(options, fc.boolean(), check as never), { numRuns: 2000 })
  })
})

describe('the cookie that is read', () => {
  const both = 'sid=plain; __Host-sid=prefixed'
  const tokens = (header: string, secure: boolean, options: CookieOptions = {}) =>
    readTokens(header, cookieFrom(options), secure).map(({ token }) => token)

  it('of a request known to be secure is the prefixed one only: a plain one can be planted', () => {
    expect(tokens(both, HTTPS)).toEqual(['prefixed'])
    expect(tokens('sid=planted', HTTPS)).toEqual([])
  })

  it('of any other request is the prefixed one first, then the plain one', () => {
    expect(tokens(both, PLAIN)).toEqual(['prefixed', 'plain'])
  })

  it('with secure: true is the prefixed one, with secure: false the plain one', () => {
    expect(tokens(both, PLAIN, { secure: true })).toEqual(['prefixed'])
    expect(tokens(both, HTTPS, { secure: false })).toEqual(['plain'])
  })

  it.each([
    ['sid=a; sid=b; sid=a', ['a', 'b']],
    ['xsid=a; sidx=b; my-sid=c', []],
    ['a=sid=x; sid=y', ['y']],
    ['sid="quoted"', ['quoted']],
    ['sid=', []],
    ['sid', []],
    [' sid = spaced', []],
    ['a=1;sid=tight;b=2', ['tight']],
    ['a=1;  sid=wide  ; b=2', ['wide']],
    [`sid=${'x'.repeat(4097)}`, ['x'.repeat(4097)]],
    ['SID=upper', []],
    [';;;sid=x;;;', ['x']],
  ])('%j gives %j', (header, expected) => {
    expect(tokens(header, PLAIN)).toEqual(expected)
  })

  it('never throws, whatever the header', () => {
    const attributes: CookieAttributes = cookieFrom({})
    const pieces = fc
      .array(fc.constantFrom('sid=', ';', ' ', '"', '__Host-sid', '=', '%', '\0', 'x'))
      .map((all) => all.join(''))
    fc.assert(
      fc.property(fc.oneof(fc.string(), pieces), (header) => {
        for (const { token } of readTokens(header, attributes, false))
          expect(token).not.toContain(';')
      }),
    )
  })

  it('has one purpose for http and https, and another for each name', () => {
    expect(audienceOf(cookieFrom({}))).toBe('sid')
    expect(audienceOf(cookieFrom({ name: '__Host-shop' }))).toBe('shop')
    expect(audienceOf(cookieFrom({ name: 'shop' }))).toBe('shop')
  })
})
