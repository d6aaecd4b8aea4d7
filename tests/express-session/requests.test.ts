import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { session as http2Session, request } from '../http/http2.js'
import { SECRET } from '../support/secret.js'
import { handStore } from './hand-store.js'
import { dropIn, type Implementation, real } from './implementations.js'
import { at, cookieFor, dataOf, program, recordOf } from './program.js'

/** What each of the two makes of it. */
function expecting<T>(old: T, ours: T) {
  return [
    { name: real.name, implementation: real, expected: old },
    { name: dropIn.name, implementation: dropIn, expected: ours },
  ]
}

const answer = (req: Request, res: Response) => void res.json(dataOf(req))

describe('the path of the cookie, /admin', () => {
  const paths = ['/admin', '/admin/users', '/administrator', '/'] as const
  const ada = { user: 'ada' }

  it.each(expecting([ada, ada, ada, null], [ada, ada, null, null]))(
    'is looked for in the request by $name',
    async ({ implementation, expected }) => {
      const routes = Object.fromEntries(paths.map((path) => [path, answer]))
      const options = { cookie: { path: '/admin' } }
      const { origin, store } = await program(routes, options, implementation)
      store.kept.set('one', recordOf(ada))
      const headers = { cookie: cookieFor('one') }
      const asked = paths.map(async (path) => (await fetch(origin + path, { headers })).json())
      expect(await Promise.all(asked)).toEqual(expected)
    },
  )
})

describe('a cookie of the name that leads nowhere', () => {
  const first = {
    'with another signature': cookieFor('one', `${SECRET} of somebody else`),
    'without a record': cookieFor('ended'),
    unsigned: 'connect.sid=one',
  }
  const cases = Object.keys(first).flatMap((name) =>
    expecting({}, { user: 'ada' }).map((each) => ({ what: name as keyof typeof first, ...each })),
  )
  it.each(cases)(
    'before a good one, $what: whether $name finds the good one',
    async ({ what, implementation, expected }) => {
      const { origin, store } = await program({}, {}, implementation)
      store.kept.set('one', recordOf({ user: 'ada' }))
      const headers = { cookie: `${first[what]}; ${cookieFor('one')}` }
      expect(await (await fetch(origin, { headers })).json()).toEqual(expected)
    },
  )
})

describe("secure: 'auto' from a function", () => {
  // "auto" as such is true, so that express-session sends nothing over plain http.
  it.each(expecting([], [expect.stringMatching(/; SameSite=Lax$/)]))(
    'over plain http, on $name',
    async ({ implementation, expected }) => {
      const cookie = () => ({ secure: 'auto', sameSite: 'auto' })
      const { origin } = await program({}, { cookie }, implementation)
      const answered = await fetch(`${origin}/set?user=ada`)
      expect(answered.headers.getSetCookie()).toEqual(expected)
    },
  )
})

describe('over HTTP/2', () => {
  async function counter(implementation: Implementation) {
    const store = handStore(implementation)
    const options = { secret: SECRET, resave: false, saveUninitialized: false, store }
    const middleware = implementation.session(options)
    const thrown: string[] = []
    const client = await http2Session((req, res) => {
      const count = () => {
        const current = at(req as unknown as Request).session
        current.views = Number(current.views ?? 0) + 1
        try {
          res.end(String(current.views))
        } catch (error) {
          thrown.push((error as Error).message)
          res.stream.close()
        }
      }
      middleware(req as unknown as IncomingMessage, res as unknown as ServerResponse, count)
    })
    return { client, thrown }
  }

  it('a session is kept', async () => {
    const { client, thrown } = await counter(dropIn)
    const { headers, body } = await request(client)
    const cookie = headers['set-cookie']![0]!.split(';', 1)[0]!
    expect([body, (await request(client, 'GET', { cookie })).body]).toEqual(['1', '2'])
    expect(thrown).toEqual([])
  })

  it('a session to store makes end() throw under express-session', async () => {
    const { client, thrown } = await counter(real)
    expect((await request(client)).body).toBe('')
    expect(thrown).toEqual(['res._implicitHeader is not a function'])
  })
})
