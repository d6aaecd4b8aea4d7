import { describe, expect, it } from 'vitest'
import { session } from '../../src/index.js'
import type { SessionOptions } from '../../src/options.js'
import { exchange } from '../model/exchange.js'
import { fatal } from '../support/process-events.js'
import { type AnyData, SECRET, serveApp } from '../support/serve.js'
import { turns } from '../support/turns.js'

const CALLS = ['reload', 'destroy', 'save', 'end'] as const

function orders<T>(all: readonly T[]): T[][] {
  if (all.length === 0) return [[]]
  return all.flatMap((one) =>
    orders(all.filter((other) => other !== one)).map((rest) => [one, ...rest]),
  )
}

describe('reload, destroy, save and the end of the response', () => {
  it.each(
    orders(CALLS).flatMap((order) => [
      { order, awaited: true },
      { order, awaited: false },
    ]),
  )(
    'in the order $order, awaited: $awaited, end the session and throw nothing uncaught',
    async ({ order, awaited }) => {
      const uncaught = [fatal('uncaughtException'), fatal('unhandledRejection')]
      const { browser, origin, sessions } = await serveApp((app, all) => {
        app.get('/login', (req, res) => {
          all.of(req).session.userId = 'ada'
          res.end()
        })
        app.get('/go', async (req, res) => {
          const { session: mine } = all.of(req)
          for (const call of order) {
            if (call === 'end') res.end('ended')
            else if (awaited) await mine[call]().catch(() => {})
            else mine[call](() => {})
          }
        })
      })
      const visitor = browser()
      await visitor.get('/login')
      const old = { headers: { cookie: visitor.jar.header(`${origin}/`)! } }
      const answer = await visitor.get('/go')
      await sessions.settled()
      await turns()
      expect(answer.status).toBe(200)
      expect(uncaught).toEqual([[], []])
      expect((await browser().get('/', old)).json()).toEqual({})
      expect(await sessions.list('ada')).toEqual([])
    },
  )
})

describe('the cookie that ends a session has the attributes it was set with', () => {
  it.each<[string, SessionOptions<AnyData>['cookie']]>([
    ['the defaults on plain http', {}],
    ['a path', { path: '/app' }],
    ['a domain', { domain: 'example.com' }],
    ['Secure', { secure: true }],
    ['SameSite=None and Partitioned', { secure: true, sameSite: 'none', partitioned: true }],
    ['another name, priority and no HttpOnly', { name: 'id', priority: 'high', httpOnly: false }],
    ['a persistent one', { persistent: true, sameSite: 'strict' }],
  ])('%s', async (_name, cookie) => {
    const sessions = session<AnyData>({ secret: SECRET, cookie: cookie ?? {} })
    const attributes = (lines: readonly string[]) => {
      expect(lines).toHaveLength(1)
      const [pair, ...rest] = lines[0]!.split('; ')
      const lasting = rest.filter((one) => !/^(?:Max-Age|Expires)=/.test(one))
      return [pair!.split('=')[0], ...lasting.sort()]
    }
    const login = await exchange(sessions, {
      handler: async (req) => {
        sessions.of(req).session.userId = 'ada'
      },
    })
    const logout = await exchange(sessions, {
      cookie: login.setCookies[0]!.split(';')[0]!,
      handler: (req) => sessions.of(req).session.destroy(),
    })
    expect(attributes(logout.setCookies)).toEqual(attributes(login.setCookies))
    expect(logout.setCookies[0]).toMatch(/=; .*Max-Age=0/)
    await sessions.close()
  })
})
