import { describe, expect, it } from 'vitest'
import { CookieJar, FakeClock } from '../../src/testing/index.js'
import { parseCookieDate } from '../../src/testing/set-cookie.js'

const DAY = 86_400_000

describe('CookieJar takes what a browser takes', () => {
  it.each<[rule: string, from: string, line: string, taken: boolean]>([
    ['a plain cookie', 'http://a.test/', 'sid=1', true],
    ['a name without a value', 'http://a.test/', 'sid=', true],
    ['nothing at all', 'http://a.test/', '=', false],
    ['a control character', 'http://a.test/', 'sid=a\x01b', false],
    ['4096 bytes of name and value', 'http://a.test/', `sid=${'x'.repeat(4093)}`, true],
    ['4097 bytes of name and value', 'http://a.test/', `sid=${'x'.repeat(4094)}`, false],
    ['Secure from http', 'http://a.test/', 'sid=1; Secure', false],
    ['Secure from https', 'https://a.test/', 'sid=1; Secure', true],
    ['__Host- as it must be', 'https://a.test/x', '__Host-sid=1; Path=/; Secure', true],
    ['__Host- from http', 'http://a.test/', '__Host-sid=1; Path=/; Secure', false],
    ['__Host- without Secure', 'https://a.test/', '__Host-sid=1; Path=/', false],
    ['__Host- without a path', 'https://a.test/', '__Host-sid=1; Secure', false],
    ['__Host- with a longer path', 'https://a.test/a', '__Host-sid=1; Path=/a; Secure', false],
    [
      '__Host- with a domain',
      'https://a.test/',
      '__Host-sid=1; Path=/; Secure; Domain=a.test',
      false,
    ],
    ['__Host- in another case', 'https://a.test/', '__hOST-sid=1; Path=/', false],
    [
      '__Host- hidden in a nameless cookie',
      'https://a.test/',
      '=__Host-sid=1; Secure; Path=/',
      false,
    ],
    ['__Secure- with Secure', 'https://a.test/', '__Secure-sid=1; Secure', true],
    ['__Secure- without Secure', 'https://a.test/', '__Secure-sid=1', false],
    ['SameSite=None with Secure', 'https://a.test/', 'sid=1; SameSite=None; Secure', true],
    ['SameSite=None without Secure', 'https://a.test/', 'sid=1; SameSite=None', false],
    ['Partitioned without Secure', 'https://a.test/', 'sid=1; Partitioned', false],
    ['a parent domain', 'http://www.a.test/', 'sid=1; Domain=a.test', true],
    ['a parent domain with a dot', 'http://www.a.test/', 'sid=1; Domain=.A.test', true],
    ['a foreign domain', 'http://a.test/', 'sid=1; Domain=b.test', false],
    ['a child domain', 'http://a.test/', 'sid=1; Domain=www.a.test', false],
    ['a name that merely ends alike', 'http://nota.test/', 'sid=1; Domain=a.test', false],
    ['a whole top-level domain', 'http://a.test/', 'sid=1; Domain=test', false],
    ['the own IP address', 'http://127.0.0.1/', 'sid=1; Domain=127.0.0.1', true],
    ['a part of an IP address', 'http://127.0.0.1/', 'sid=1; Domain=0.0.1', false],
    ['localhost by its name', 'http://localhost/', 'sid=1; Domain=localhost', true],
  ])('%s: %s %s', (_, from, line, taken) => {
    const jar = new CookieJar()
    expect(jar.take(line, from)).toBe(taken)
    expect(jar.size).toBe(taken ? 1 : 0)
  })

  it('keeps a Secure cookie from being overlaid over http', () => {
    const jar = new CookieJar()
    jar.take('sid=good; Secure; Path=/', 'https://a.test/')
    expect(jar.take('sid=evil; Path=/', 'http://a.test/')).toBe(false)
    expect(jar.take('sid=evil; Path=/; Domain=a.test', 'http://b.a.test/')).toBe(false)
    expect(jar.get('sid')?.value).toBe('good')
    expect(jar.size).toBe(1)
  })
})

describe('CookieJar sends what a browser sends', () => {
  it('sends a host-only cookie to its host alone, a domain cookie to subdomains too', () => {
    const jar = new CookieJar()
    jar.take('own=1', 'http://a.test/')
    jar.take('wide=1; Domain=a.test', 'http://a.test/')
    expect(jar.header('http://a.test/')).toBe('own=1; wide=1')
    expect(jar.header('http://www.a.test/')).toBe('wide=1')
    expect(jar.header('http://b.test/')).toBeUndefined()
  })

  it('sends a Secure cookie over https only, and knows no ports', () => {
    const jar = new CookieJar()
    jar.take('sid=1; Secure', 'https://a.test:8443/')
    expect(jar.header('http://a.test/')).toBeUndefined()
    expect(jar.header('https://a.test:9443/')).toBe('sid=1')
  })

  it.each([
    ['/', '/any', true],
    ['/admin', '/admin', true],
    ['/admin', '/admin/users', true],
    ['/admin', '/administrator', false],
    ['/admin/', '/admin', false],
    ['/admin', '/', false],
  ])('a cookie of %s for %s: %s', (path, requested, sent) => {
    const jar = new CookieJar()
    jar.take(`sid=1; Path=${path}`, 'http://a.test/')
    expect(jar.header(`http://a.test${requested}`)).toBe(sent ? 'sid=1' : undefined)
  })

  it('takes the folder of the request for a missing or relative path', () => {
    const jar = new CookieJar()
    jar.take('a=1', 'http://a.test/one/two')
    jar.take('b=1; Path=relative', 'http://a.test/top')
    expect([...jar].map(({ path }) => path)).toEqual(['/one', '/'])
  })

  it('sends longer paths first, then older cookies, and a replaced one keeps its age', () => {
    const jar = new CookieJar()
    jar.take('a=1; Path=/', 'http://a.test/')
    jar.take('b=1; Path=/', 'http://a.test/')
    jar.take('c=1; Path=/deep', 'http://a.test/')
    jar.take('a=2; Path=/', 'http://a.test/')
    expect(jar.header('http://a.test/deep')).toBe('c=1; a=2; b=1')
  })

  it('keeps cookies of one name apart by path and by domain', () => {
    const jar = new CookieJar()
    jar.take('sid=1; Path=/', 'http://www.a.test/')
    jar.take('sid=2; Path=/; Domain=a.test', 'http://www.a.test/')
    jar.take('sid=3; Path=/x', 'http://www.a.test/')
    expect(jar.header('http://www.a.test/x')).toBe('sid=3; sid=1; sid=2')
    expect(jar.delete('sid')).toBe(true)
    expect(jar.size).toBe(0)
  })
})

describe('CookieJar and time', () => {
  it('forgets a cookie at the end of its Max-Age', async () => {
    const clock = new FakeClock()
    const jar = new CookieJar(clock)
    jar.take('sid=1; Max-Age=60', 'http://a.test/')
    await clock.advance(59_999)
    expect(jar.header('http://a.test/')).toBe('sid=1')
    await clock.advance(1)
    expect(jar.header('http://a.test/')).toBeUndefined()
  })

  it('heeds Max-Age before Expires', async () => {
    const clock = new FakeClock()
    const jar = new CookieJar(clock)
    const past = new Date(0).toUTCString()
    jar.take(`sid=1; Expires=${past}; Max-Age=60`, 'http://a.test/')
    expect(jar.get('sid')?.expiresAt).toBe(clock.now() + 60_000)
  })

  it.each(['Max-Age=0', 'Max-Age=-1', 'Expires=Thu, 01 Jan 1970 00:00:00 GMT'])(
    'deletes by %s, under the same name, host and path only',
    (attribute) => {
      const jar = new CookieJar()
      jar.take('sid=1; Path=/', 'http://a.test/')
      expect(jar.take(`sid=; Path=/x; ${attribute}`, 'http://a.test/')).toBe(true)
      expect(jar.size).toBe(1)
      jar.take(`sid=; Path=/; ${attribute}`, 'http://a.test/')
      expect(jar.size).toBe(0)
    },
  )

  it('keeps nothing for longer than 400 days', () => {
    const clock = new FakeClock()
    const jar = new CookieJar(clock)
    jar.take('a=1; Max-Age=99999999999', 'http://a.test/')
    jar.take('b=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT', 'http://a.test/')
    for (const cookie of jar) expect(cookie.expiresAt).toBe(clock.now() + 400 * DAY)
  })

  it('drops what has no expiry when the browser closes', () => {
    const jar = new CookieJar()
    jar.take('session=1', 'http://a.test/')
    jar.take('lasting=1; Max-Age=60', 'http://a.test/')
    jar.dropSessionCookies()
    expect(jar.header('http://a.test/')).toBe('lasting=1')
  })

  it('clones into a jar that goes its own way', () => {
    const jar = new CookieJar()
    jar.take('sid=1', 'http://a.test/')
    const copy = jar.clone()
    jar.clear()
    copy.take('more=1', 'http://a.test/')
    expect(jar.size).toBe(0)
    expect(copy.header('http://a.test/')).toBe('sid=1; more=1')
  })
})

describe('parseCookieDate', () => {
  it.each([
    ['Wed, 09 Jun 2027 10:18:14 GMT', Date.UTC(2027, 5, 9, 10, 18, 14)],
    ['Wednesday, 09-Jun-27 10:18:14 GMT', Date.UTC(2027, 5, 9, 10, 18, 14)],
    ['Wed Jun  9 10:18:14 2027', Date.UTC(2027, 5, 9, 10, 18, 14)],
    ['9 june 2027 1:02:03', Date.UTC(2027, 5, 9, 1, 2, 3)],
    ['01 Jan 70 00:00:00', 0],
    ['01 Jan 69 00:00:00', Date.UTC(2069, 0, 1)],
    ['31 Feb 2027 00:00:00', undefined],
    ['01 Jan 1600 00:00:00', undefined],
    ['01 Jan 2027 24:00:00', undefined],
    ['tomorrow', undefined],
    ['', undefined],
  ])('reads %j', (text, date) => {
    expect(parseCookieDate(text)).toBe(date)
  })
})
