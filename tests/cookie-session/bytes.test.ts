import { createRequire } from 'node:module'
import { describe, expect, it, onTestFinished } from 'vitest'
import { implementations } from './implementations.js'
import { cookieOf, program, sessionOf } from './program.js'

const Keygrip = createRequire(import.meta.url)('keygrip') as new (
  keys: readonly string[],
  hash?: string,
) => object

const KEYS = { keys: ['key-new', 'key-old'] }
const ADA = 'eyJ1c2VyIjoiYWRhIiwidmlld3MiOjF9'
const BY_NEW = 'CgzPsFAChB4iEJbwXOlLh4YHRiE'
const BY_OLD = '4OAvnoW8RKgIREMzl8YnccQAsWI'
const LONG_AGO = 'expires=Thu, 01 Jan 1970 00:00:00 GMT'

describe.each(implementations)('the cookies of $name', (implementation) => {
  it('are the session in base64, and its signature by the first key', async () => {
    const { lines } = await program(implementation, { ...KEYS }, (req) => {
      Object.assign(sessionOf(req), { user: 'ada', views: 1 })
    })
    expect(await lines()).toEqual([
      `session=${ADA}; path=/; httponly`,
      `session.sig=${BY_NEW}; path=/; httponly`,
    ])
  })

  it('of an empty session are sent in place of one that had data', async () => {
    const { lines } = await program(implementation, { ...KEYS }, (req) => {
      for (const key of Object.keys(sessionOf(req))) delete sessionOf(req)[key]
    })
    expect(await lines(`session=${ADA}; session.sig=${BY_NEW}`)).toEqual([
      'session=e30=; path=/; httponly',
      'session.sig=30f2IZUlGvzBGlOz-Mlg4fDkRO4; path=/; httponly',
    ])
  })

  it('are deleted by null, also where none came', async () => {
    const { lines } = await program(implementation, { ...KEYS }, (req) => {
      req.session = null
    })
    const deletion = [
      `session=; path=/; ${LONG_AGO}; httponly`,
      `session.sig=V-mSvsedpoaXnslHOr0jVv3NKOM; path=/; ${LONG_AGO}; httponly`,
    ]
    expect(await lines()).toEqual(deletion)
    expect(await lines(`session=${ADA}; session.sig=${BY_NEW}`)).toEqual(deletion)
  })

  it('stay as they are while nothing changes, in whatever order it was looked at', async () => {
    const { lines } = await program(implementation, { ...KEYS }, (req) => sessionOf(req).user)
    expect(await lines(`session=${ADA}; session.sig=${BY_NEW}`)).toEqual([])
    expect(await lines()).toEqual([])
  })

  it('get a new signature where an older key has signed, without the attributes', async () => {
    const options = { ...KEYS, domain: 'example.com', maxAge: 1000, sameSite: 'lax' }
    const { lines } = await program(implementation, options, (req) => sessionOf(req).user)
    expect(await lines(`session=${ADA}; session.sig=${BY_OLD}`)).toEqual([
      `session.sig=${BY_NEW}; path=/; httponly`,
    ])
  })

  it('are nothing if the signature is wrong, which is deleted, or missing', async () => {
    const seen: unknown[] = []
    const { lines } = await program(implementation, { ...KEYS }, (req) => {
      seen.push([sessionOf(req).isNew, { ...sessionOf(req) }])
    })
    expect(await lines(`session=${ADA}; session.sig=${BY_NEW.replace('C', 'D')}`)).toEqual([
      `session.sig=; path=/; ${LONG_AGO}; httponly`,
    ])
    expect(await lines(`session=${ADA}`)).toEqual([])
    expect(seen).toEqual([
      [true, {}],
      [true, {}],
    ])
  })

  it('have every attribute in its old order and spelling', async () => {
    const options = {
      ...KEYS,
      name: 'sess',
      path: '/app',
      expires: new Date(Date.UTC(2031, 0, 1)),
      domain: 'example.com',
      priority: 'High',
      sameSite: 'Strict',
      secureProxy: true,
      httpOnly: true,
      partitioned: true,
    }
    const quiet = () => {}
    // Else it is printed that `secureProxy` is old.
    process.on('deprecation', quiet)
    onTestFinished(() => void process.off('deprecation', quiet))
    const { lines } = await program(implementation, options, (req) => {
      sessionOf(req).a = 1
    })
    const attributes =
      'path=/app; expires=Wed, 01 Jan 2031 00:00:00 GMT; domain=example.com; priority=high; samesite=strict; secure; httponly; partitioned'
    const sent = await lines()
    expect(sent.map((line) => line.slice(line.indexOf('; ') + 2))).toEqual([attributes, attributes])
    expect(cookieOf(sent)).toMatch(/^sess=eyJhIjoxfQ==; sess\.sig=[\w-]{27}$/)
  })

  it('are what a handler makes of the options of its request alone', async () => {
    const { lines } = await program(implementation, { ...KEYS }, (req) => {
      sessionOf(req).a = 1
      if (req.headers.cookie !== undefined) return
      Object.assign(req.sessionOptions, { maxAge: 0, path: '/mine', httpOnly: false })
    })
    expect((await lines()).map((line) => line.split('; ').slice(1))).toEqual([
      ['path=/mine'],
      ['path=/mine'],
    ])
    expect((await lines('x=1')).map((line) => line.split('; ').slice(1))).toEqual([
      ['path=/', 'httponly'],
      ['path=/', 'httponly'],
    ])
  })

  it('are signed by a Keygrip of another hash', async () => {
    const keys = new Keygrip(['key-new', 'key-old'], 'sha256')
    const { lines } = await program(implementation, { keys }, (req) => {
      sessionOf(req).views = ((sessionOf(req).views as number) ?? 0) + 1
    })
    const first = await lines()
    expect(first[1]).toMatch(/^session\.sig=[\w-]{43}; /)
    expect((await lines(cookieOf(first)))[0]).toBe(
      `session=${Buffer.from('{"views":2}').toString('base64')}; path=/; httponly`,
    )
  })

  it('are signed by a key that was put in front of the array meanwhile', async () => {
    const keys = ['key-old']
    const { lines } = await program(implementation, { keys }, (req) => sessionOf(req).user)
    const cookie = `session=${ADA}; session.sig=${BY_OLD}`
    expect(await lines(cookie)).toEqual([])
    keys.unshift('key-new')
    expect(await lines(cookie)).toEqual([`session.sig=${BY_NEW}; path=/; httponly`])
  })

  it('are one, and believed, without a signature', async () => {
    const { lines } = await program(implementation, { signed: false }, (req) => {
      sessionOf(req).views = 1
    })
    expect(await lines(`session=${Buffer.from('{"user":"ada"}').toString('base64')}`)).toEqual([
      `session=${ADA}; path=/; httponly`,
    ])
  })

  it('stand behind those of the application, without those of their own name', async () => {
    const make = (overwrite: boolean | undefined) =>
      program(implementation, { ...KEYS, overwrite }, (req, res) => {
        res.setHeader('Set-Cookie', ['session=mine', 'theme=dark', 'session.sig=mine'])
        Object.assign(sessionOf(req), { user: 'ada', views: 1 })
      })
    const pair = [`session=${ADA}; path=/; httponly`, `session.sig=${BY_NEW}; path=/; httponly`]
    expect(await (await make(undefined)).lines()).toEqual(['theme=dark', ...pair])
    expect(await (await make(false)).lines()).toEqual([
      'session=mine',
      'theme=dark',
      'session.sig=mine',
      ...pair,
    ])
  })
})
