import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { CookieClient } from '../../src/testing/index.js'
import { serve } from '../support/serve.js'
import { dropIn, type OldRequest, real } from './implementations.js'
import { sessionOf } from './program.js'

const VISITS = ['/sign-in/ada', '/count', '/count', '/rest', '/sign-out', '/'] as const
const SAID = [{ user: 'ada' }, 1, 2, { user: 'ada', views: 2 }, {}, {}]

/** Both packages behind one address; `turn` says who answers. */
async function both(turn: () => boolean, fresh: object = {}): Promise<CookieClient> {
  const options = { keys: ['key-new', 'key-old'], maxAge: 60_000 }
  const old = real.session({ ...options })
  const ours = dropIn.session({ ...options, ...fresh })
  const { origin } = await serve((req, res) =>
    (turn() ? ours : old)(req, res, (error) => {
      if (error !== undefined) res.statusCode = 500
      answer(req as OldRequest, res)
    }),
  )
  return new CookieClient(origin)
}

function answer(req: OldRequest, res: ServerResponse): void {
  const [, what, user] = req.url!.split('/')
  const say = (value: unknown) => res.end(JSON.stringify(value))
  if (what === 'sign-in') {
    req.session = { user } as never
  } else if (what === 'sign-out') {
    req.session = null
    return void say({})
  } else if (what === 'count') {
    const session = sessionOf(req)
    session.views = ((session.views as number | undefined) ?? 0) + 1
    return void say(session.views)
  }
  say(req.session)
}

describe('real cookie-session and this one on one browser', () => {
  const orders = Array.from({ length: 2 ** VISITS.length }, (_, order) => order)

  it('take turns in every order, and keep the session', async () => {
    let isOurs = false
    const browser = await both(() => isOurs)
    for (const order of orders) {
      const said: unknown[] = []
      for (const [index, path] of VISITS.entries()) {
        isOurs = ((order >> index) & 1) === 1
        const response = await browser.get(path)
        said.push(response.json())
        // Whoever has nothing to change sends nothing.
        if (path === '/rest' || path === '/') expect(response.setCookies).toEqual([])
      }
      expect([order, said]).toEqual([order, SAID])
    }
  })

  it('take turns while the key changes', async () => {
    let isOurs = true
    const browser = await both(() => isOurs, { keys: ['key-old', 'key-new'] })
    for (const path of ['/sign-in/ada', '/rest', '/rest', '/count', '/rest']) {
      const { setCookies, status } = await browser.get(path)
      expect(status).toBe(200)
      // Each signs again what the other one's newest key has signed.
      if (path === '/rest') expect(setCookies).toHaveLength(1)
      isOurs = !isOurs
    }
    expect((await browser.get('/rest')).json()).toEqual({ user: 'ada', views: 1 })
  })
})
