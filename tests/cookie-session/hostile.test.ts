import { createHmac } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { cookieSession } from '../../src/cookie-session/index.js'
import { dropIn, implementations } from './implementations.js'
import { dataIn, program, sessionOf } from './program.js'

const KEYS = { keys: ['a key'] }

/** A cookie header with any text in it, signed. */
function signed(text: string, name = 'session'): string {
  const value = Buffer.from(text).toString('base64')
  const signature = createHmac('sha1', 'a key').update(`${name}=${value}`).digest('base64url')
  return `${name}=${value}; ${name}.sig=${signature}`
}

describe('a signed text that is no session', () => {
  it.each(['null', '1', '"abc"', '[1,2]', 'true'])('is an empty session: %s', async (text) => {
    const { lines } = await program(dropIn, { ...KEYS }, (req) => {
      const session = sessionOf(req)
      expect([Object.keys(session), session.isNew]).toEqual([[], false])
    })
    expect(dataIn(await lines(signed(text)))).toEqual({})
  })

  it.each(['{', 'garbage', ''])('is a new session, and nothing is sent: %j', async (text) => {
    const { lines } = await program(dropIn, { ...KEYS }, (req) => {
      expect([Object.keys(sessionOf(req)), sessionOf(req).isNew]).toEqual([[], true])
    })
    expect(await lines(signed(text))).toEqual([])
  })
})

describe.each(implementations)('hostile JSON in $name', (implementation) => {
  it('pollutes nothing and hides no member', async () => {
    const text =
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"isNew":true,"_ctx":1,"toString":1,"a":1}'
    const { browser } = await program(implementation, { ...KEYS }, (req) => {
      const session = sessionOf(req)
      return [
        Object.keys(session),
        session.isNew,
        session.isChanged,
        `${session}`,
        session.polluted ?? ({} as { polluted?: unknown }).polluted ?? 'clean',
      ]
    })
    const response = await browser().get('/', { headers: { cookie: signed(text) } })
    expect(response.json()).toEqual([['a'], false, true, '[object Object]', 'clean'])
  })
})

describe('a cookie', () => {
  it('is verified before it is parsed', async () => {
    const parse = vi.spyOn(JSON, 'parse')
    const { lines } = await program(dropIn, { ...KEYS }, (req) => {
      parse.mockClear()
      const isNew = sessionOf(req).isNew
      expect([isNew, parse.mock.calls.length]).toEqual([true, 0])
    })
    await lines(`${signed('{"admin":true}')}x`)
    await lines(signed('{"admin":true}').split('; ')[0])
    await lines(signed('{"admin":true}').replace('.sig=', '.sig=AAAA'))
    parse.mockRestore()
  })

  it('with a wrong signature is told of by an event', async () => {
    const sessions = cookieSession({ ...KEYS })
    const seen: unknown[] = []
    sessions.on('reject', ({ reason }) => void seen.push(reason))
    const { lines } = await program({ ...dropIn, session: () => sessions }, {}, (req) => {
      sessionOf(req)
    })
    await lines(signed('{}'))
    expect(seen).toEqual([])
    await lines(`${signed('{}')}x`)
    expect(seen).toEqual(['signature'])
  })

  it('of another name is none: signatures are over the name too', async () => {
    const { lines } = await program(
      dropIn,
      { ...KEYS, name: 'admin' },
      (req) => sessionOf(req).isNew,
    )
    const other = signed('{"a":1}').replaceAll('session', 'admin')
    expect(await lines(other)).toEqual([
      'admin.sig=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT; httponly',
    ])
    expect(await lines(signed('{"a":1}', 'admin'))).toEqual([])
  })

  it.each([
    ['no number', undefined],
    ['a promise', Promise.resolve(0)],
    ['NaN', Number.NaN],
  ])('is forged where a Keygrip of its own making answers by %s', async (_, answer) => {
    const keys = { sign: () => 'signature', index: () => answer }
    const { lines } = await program(dropIn, { keys }, (req) => {
      expect(sessionOf(req).isNew).toBe(true)
    })
    expect(await lines(signed('{"a":1}'))).toHaveLength(1)
  })

  it('of any kind is no exception', async () => {
    const { browser } = await program(dropIn, { ...KEYS }, (req) => sessionOf(req).isNew)
    const texts = [
      'session',
      'session=',
      '=;;;=',
      'session="; session.sig="',
      `session=${'A'.repeat(6000)}; session.sig=x`,
      'session=%00%; session.sig=%',
      `session=x; ${'session.sig=y; '.repeat(500)}`,
      'Session=x; session.SIG=y',
      'xsession=x; session.sigx=y',
    ]
    for (const cookie of texts) {
      const response = await browser().get('/', { headers: { cookie } })
      expect([cookie, response.status, response.json()]).toEqual([cookie, 200, true])
    }
  })
})
