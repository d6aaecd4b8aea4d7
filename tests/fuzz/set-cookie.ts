import fc from 'fast-check'
import { type CookieOptions, cookieFrom } from '../../src/cookie-option.js'
import { OptionError } from '../../src/errors.js'
import { clearLine, formOf, setLine } from '../../src/http/session-cookie.js'
import { CookieJar } from '../../src/testing/cookie-jar.js'
import { parseSetCookie } from '../../src/testing/set-cookie.js'
import { same, type Target, target } from './target.js'

const hostile = fc.constantFrom(
  ...[
    '; Domain=evil.example',
    '\r\nSet-Cookie: a=b',
    '=',
    ' ',
    '"',
    ',',
    '\u0000',
    'ä',
    '\t',
    '%0d',
  ],
)
const text = (...good: string[]) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...good) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom(...good), hostile).map((both) => both.join('')),
    },
    { weight: 1, arbitrary: fc.string({ maxLength: 5, unit: 'binary' }) },
  )

const options = fc.record(
  {
    name: text('sid', 'a.b', '__Host-x', '__Secure-x', '__HOST-y', "!#$%&'*+-.^_`|~"),
    path: text('/', '/a', '/a/b', '/a b', '/a ', '/="'),
    domain: text('example.com', '.example.com', 'a.example.com', 'EXAMPLE.com', '127.0.0.1'),
    sameSite: fc.constantFrom('lax', 'strict', 'none'),
    secure: fc.constantFrom('auto', true, false),
    httpOnly: fc.boolean(),
    partitioned: fc.boolean(),
    priority: fc.constantFrom('low', 'medium', 'high'),
    persistent: fc.boolean(),
  },
  { requiredKeys: [] },
)

const TOKEN = `${'A'.repeat(32)}.${'b_-'.repeat(14)}c`

const cases = fc.record({
  options,
  tls: fc.boolean(),
  life: fc.option(fc.integer({ min: 1, max: 400 * 86_400_000 }), { nil: undefined }),
  now: fc.integer({ min: 0, max: 4_000_000_000_000 }),
})

/** What is sent reads back as what was meant, whatever the options; and clearing it clears it. */
export const setCookie: Target = target('set-cookie', 8, cases, (one) => {
  let attributes: ReturnType<typeof cookieFrom>
  try {
    attributes = cookieFrom(one.options as CookieOptions)
  } catch (error) {
    if (error instanceof OptionError) return
    throw error
  }
  const form = formOf(attributes, one.tls)
  const line = setLine(attributes, form, TOKEN, one.life, one.now)
  const { name, secure, sameSite, partitioned } = form
  const { path, domain, httpOnly } = attributes
  const expires = one.life && Math.ceil((one.now + one.life) / 1000) * 1000
  const meant = {
    ...{ name, value: TOKEN, secure, httpOnly, partitioned, path, sameSite },
    ...(domain === undefined ? {} : { domain: domain.replace(/^\./, '').toLowerCase() }),
    ...(expires === undefined ? {} : { expires, maxAge: Math.ceil((one.life ?? 0) / 1000) }),
  }
  same(line, sorted(parseSetCookie(line)), sorted(meant))

  const host = meant.domain ?? 'example.com'
  const url = `${secure ? 'https' : 'http'}://${host}${encodeURI(path)}`
  const jar = new CookieJar({ now: () => one.now, setTimeout() {}, clearTimeout() {} })
  same(line, `${jar.take(line, url)} ${jar.size}`, 'true 1')
  const clear = clearLine(attributes, form)
  same(clear, `${jar.take(clear, url)} ${jar.size}`, 'true 0')
})

function sorted(cookie: object | undefined): string {
  return JSON.stringify(Object.entries(cookie ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)))
}
