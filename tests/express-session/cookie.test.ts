import express from 'express'
import { describe, expect, it } from 'vitest'
import { CookieClient } from '../../src/testing/index.js'
import { exchange, get, split } from '../http/raw-http.js'
import { SECRET } from '../support/secret.js'
import { serve } from '../support/serve.js'
import { dropIn, implementations, real } from './implementations.js'
import { at, cookieFor, dataOf, HOUR, idOf, keptFor, program } from './program.js'

type Routes = NonNullable<Parameters<typeof program>[0]>
type Options = { [name: string]: unknown }

const quiet = { secret: SECRET, resave: false, saveUninitialized: false }
const https = { headers: { 'x-forwarded-proto': 'https' } }

/** The attributes of the cookie that a response sets; undefined: it sets none. */
function attributes(answer: { setCookies: readonly string[] }): string | undefined {
  return answer.setCookies[0]?.replace(/^[^;]+; /, '').replace(/Expires=[^;]+/, 'Expires=…')
}

const asked: [string, Options, string][] = [
  ['no options', {}, 'Path=/; HttpOnly'],
  ['httpOnly: false', { httpOnly: false }, 'Path=/'],
  ['maxAge', { maxAge: HOUR }, 'Path=/; Expires=…; HttpOnly'],
  ['maxAge: null', { maxAge: null }, 'Path=/; HttpOnly'],
  ['expires', { expires: new Date(Date.now() + HOUR) }, 'Path=/; Expires=…; HttpOnly'],
  ['domain', { domain: 'example.com' }, 'Domain=example.com; Path=/; HttpOnly'],
  ['sameSite: true', { sameSite: true }, 'Path=/; HttpOnly; SameSite=Strict'],
  ['sameSite: none', { sameSite: 'none' }, 'Path=/; HttpOnly; SameSite=None'],
  ['sameSite: auto', { sameSite: 'auto' }, 'Path=/; HttpOnly; SameSite=Lax'],
  ['secure: auto', { secure: 'auto' }, 'Path=/; HttpOnly'],
  ['priority', { priority: 'high' }, 'Path=/; HttpOnly; Priority=High'],
  ['partitioned', { partitioned: true }, 'Path=/; HttpOnly; Partitioned'],
]

describe.each(implementations)('the cookie of $name', (implementation) => {
  it.each(asked)('has the attributes of %s', async (_, cookie, line) => {
    const { browser } = await program({}, { cookie }, implementation)
    expect(attributes(await browser().get('/set?user=ada'))).toBe(line)
  })

  it('is sent again with every response by rolling', async () => {
    const { visitor } = await program({}, { rolling: true }, implementation)
    const ada = await visitor()
    expect((await ada.get('/')).setCookies).toHaveLength(1)
  })

  it('is sent again for a change if it has a date, and else not', async () => {
    for (const [maxAge, times] of [
      [HOUR, 1],
      [null, 0],
    ]) {
      const { visitor } = await program({}, { cookie: { maxAge } }, implementation)
      const ada = await visitor()
      expect((await ada.get('/')).setCookies).toHaveLength(0)
      expect((await ada.get('/set?user=bob')).setCookies).toHaveLength(times!)
    }
  })

  it('has the attributes of the record, not those of newer options', async () => {
    const old = await program({}, { cookie: { maxAge: HOUR, sameSite: 'strict' } }, implementation)
    const ada = await old.visitor()
    const { browser } = await program(
      {},
      { store: old.store, cookie: { maxAge: HOUR } },
      implementation,
    )
    const sent = { headers: { cookie: cookieFor(idOf(ada)) } }
    expect(attributes(await browser().get('/set?user=bob', sent))).toBe(
      'Path=/; Expires=…; HttpOnly; SameSite=Strict',
    )
  })

  it.each<[string, Options, object, string | undefined]>([
    ['over plain http', { secure: true }, {}, undefined],
    ['over plain http behind a proxy that is not believed', { secure: true }, https, undefined],
    ['auto over plain http', { secure: 'auto' }, https, 'Path=/; HttpOnly'],
  ])('with secure, %s', async (_, cookie, sent, line) => {
    const { browser, store } = await program({}, { cookie }, implementation)
    expect(attributes(await browser().get('/set?user=ada', sent))).toBe(line)
    expect(store.kept.size).toBe(1)
  })

  it.each<[string, Options, string]>([
    ['secure', { secure: true }, 'Path=/; HttpOnly; Secure'],
    ['secure: auto', { secure: 'auto' }, 'Path=/; HttpOnly; Secure'],
    ['sameSite: auto', { sameSite: 'auto' }, 'Path=/; HttpOnly; SameSite=None'],
  ])('behind a proxy that is believed, %s', async (_, cookie, line) => {
    const { browser } = await program({}, { cookie, proxy: true }, implementation)
    const sent = { headers: { 'x-forwarded-proto': 'HTTPS , http' } }
    expect(attributes(await browser().get('/set?user=ada', sent))).toBe(line)
  })

  it('believes what Express believes, unless proxy says otherwise', async () => {
    const cookie = { secure: true }
    for (const [proxy, times] of [
      [undefined, 1],
      [false, 0],
    ] as const) {
      const { app, browser } = await program({}, { cookie, proxy }, implementation)
      app.set('trust proxy', true)
      expect((await browser().get('/set?user=ada', https)).setCookies).toHaveLength(times)
    }
  })

  it('comes after those of the handler', async () => {
    const { browser } = await program(
      {
        '/own': (req, res) => {
          at(req).session.user = 'ada'
          res.append('Set-Cookie', 'a=1').cookie('b', '2').json({})
        },
      },
      {},
      implementation,
    )
    const { setCookies } = await browser().get('/own')
    expect(setCookies.map((line) => line.split('=', 1)[0])).toEqual(['a', 'b', 'connect.sid'])
  })

  it.each(['name', 'key'])('has the name of the option %s', async (option) => {
    const { browser } = await program({}, { [option]: 'sid' }, implementation)
    const ada = browser()
    await ada.get('/set?user=ada')
    expect(ada.jar.get('sid')).toBeDefined()
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
  })

  it('may have its life changed by the session', async () => {
    const { browser, store } = await program(
      {
        '/remember': (req, res) => {
          at(req).session.user = 'ada'
          at(req).session.cookie.maxAge = HOUR
          res.json({})
        },
        '/forget': (req, res) => {
          at(req).session.user = 'bob'
          at(req).session.cookie.expires = false
          res.json({})
        },
      },
      {},
      implementation,
    )
    const ada = browser()
    expect(attributes(await ada.get('/remember'))).toBe('Path=/; Expires=…; HttpOnly')
    // Computed from a date: the clock may have moved on between its two readings.
    const { originalMaxAge } = JSON.parse(store.kept.get(idOf(ada))!).cookie
    expect(originalMaxAge).toBeLessThanOrEqual(HOUR)
    expect(originalMaxAge).toBeGreaterThan(HOUR - 10_000)
    expect(attributes(await ada.get('/forget'))).toBe('Path=/; HttpOnly')
    expect(JSON.parse(store.kept.get(idOf(ada))!).cookie).toEqual({
      originalMaxAge: false,
      expires: false,
      httpOnly: true,
      path: '/',
    })
  })
})

describe('a function of the request for the cookie', () => {
  const cookie = (req: { url: string }) => ({
    secure: 'auto',
    sameSite: 'auto',
    ...(req.url.includes('remember') && { maxAge: HOUR }),
  })

  it('decides for each request, with auto', async () => {
    const { browser } = await program({}, { cookie, proxy: true })
    expect(attributes(await browser().get('/set?user=ada', https))).toBe(
      'Path=/; HttpOnly; Secure; SameSite=None',
    )
    expect(attributes(await browser().get('/set?user=ada&remember=1'))).toBe(
      'Path=/; Expires=…; HttpOnly; SameSite=Lax',
    )
  })

  it('with auto is an error under express-session, or an insecure cookie', async () => {
    const { browser, errors } = await program({}, { cookie, proxy: true }, real)
    await browser().get('/set?user=ada', https)
    expect(errors.map(({ message }) => message)).toEqual(['option sameSite is invalid'])
  })

  it('decides for a session that begins by regenerate', async () => {
    const { visitor } = await program(
      {
        '/renew': (req, res) =>
          void at(req).session.regenerate(() => {
            at(req).session.user = 'bob'
            res.json({})
          }),
      },
      { cookie, proxy: true },
    )
    const ada = await visitor()
    expect(attributes(await ada.get('/renew?remember=1'))).toBe(
      'Path=/; Expires=…; HttpOnly; SameSite=Lax',
    )
  })
})

describe('the path of the cookie', () => {
  const routes: Routes = {
    '/{*any}': (req, res) => res.json(dataOf(req) ?? 'none'),
  }

  it.each([
    ['/admin', '/admin', true],
    ['/admin', '/admin/', true],
    ['/admin', '/admin/users?x=1', true],
    ['/admin', '/administrator', false],
    ['/admin', '/Admin', false],
    ['/admin', '/', false],
    ['/admin/', '/admin/users', true],
    ['/admin/', '/admin', false],
    ['/', '/anything', true],
  ])('%s, and a request for %s: %s', async (path, asked, has) => {
    const { browser } = await program(routes, { cookie: { path } })
    expect((await browser().get(asked)).json()).toEqual(has ? {} : 'none')
  })

  it('/admin means /administrator too under express-session', async () => {
    const { browser } = await program(routes, { cookie: { path: '/admin' } }, real)
    expect((await browser().get('/administrator')).json()).toEqual({})
  })

  it('is matched before Express takes a mount path away', async () => {
    const app = express()
    app.use('/app', dropIn.session({ ...quiet, cookie: { path: '/app' } }))
    app.use((req, res) => void res.json(dataOf(req) ?? 'none'))
    const { origin } = await serve(app)
    const ada = new CookieClient(origin)
    expect((await ada.get('/app/page')).json()).toEqual({})
    expect((await ada.get('/app')).json()).toEqual({})
    expect((await ada.get('/application')).json()).toBe('none')
  })

  it.each([
    ['OPTIONS', '*'],
    ['GET', 'http://a/admin/x'],
    ['GET', '//admin'],
  ])('is no error for %s %s', async (method, target) => {
    const { port } = await program({}, { cookie: { path: '/admin' } })
    expect(split(await exchange(port, get(target, '', method))).head).toMatch(/^HTTP\/1\.1 [24]/)
  })
})

it('a browser on https keeps what a proxy without TLS behind it was told to set', async () => {
  const { origin, store } = await program({}, { cookie: { secure: true }, proxy: true })
  const ada = new CookieClient('https://shop.example', {
    connect: origin,
    headers: { 'X-Forwarded-Proto': 'https' },
  })
  await ada.get('/set?user=ada')
  expect(keptFor(store, ada)).toEqual({ user: 'ada' })
  expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
})
