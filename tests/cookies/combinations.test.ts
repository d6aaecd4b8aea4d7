import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type CookieOptions, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET } from '../support/serve.js'
import { allowed, refused } from './combinations.js'
import { bothServers } from './two-servers.js'

beforeEach(() => {
  const quiet = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  return () => quiet.mockRestore()
})

type Kind = 'http' | 'https' | 'unknown'

/** The line that each kind of request gets for a sign-in, with T for the token. */
async function linesOf(cookie: CookieOptions): Promise<Record<Kind, string>> {
  const clock = new FakeClock()
  const sessions = session<AnyData>({ secret: SECRET, clock, cookie })
  const ports = await bothServers((req, res) =>
    sessions(req, res, () => {
      sessions.of(req).session.userId = 'ada'
      res.end()
    }),
  )
  const line = async (scheme: 'http' | 'https', headers: Record<string, string> = {}) => {
    const origin = `${scheme}://127.0.0.1:${ports[scheme]}`
    const visitor = new CookieClient(origin, { clock, rejectUnauthorized: false })
    const { setCookies } = await visitor.get('/', { headers })
    expect(setCookies).toHaveLength(1)
    return setCookies[0]!.replace(/=[\w-]{32}\.[\w-]{43};/, '=T;')
  }
  const https = await line('https')
  // What the visitor's browser got over TLS comes back through a proxy that says nothing of it.
  const name = https.slice(0, https.indexOf('='))
  const carried = { cookie: `${name}=${await sessions.issue({ cart: 1 })}` }
  return { http: await line('http'), https, unknown: await line('http', carried) }
}

describe('a sign-in', () => {
  it.each(allowed)('with %j gets %s, over TLS %s, where nobody knows %s', async (...row) => {
    const [options, http, https, unknown] = row
    expect(await linesOf(options)).toEqual({ http, https, unknown })
  })
})

describe('a cookie that no browser would keep, or not as meant', () => {
  it.each(refused)('%j is refused at start: %s', (cookie, message) => {
    const make = () => session({ secret: SECRET, cookie: cookie as CookieOptions })
    expect(make).toThrow(TypeError)
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION', message }))
  })
})
