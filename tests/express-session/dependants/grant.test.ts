import express, { type RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { serve } from '../../support/serve.js'
import { type Face, faces, requireHere, serveFace, sessionOf } from './faces.js'

const grant = requireHere('grant') as { express(options: object): RequestHandler }

interface Grant {
  readonly state?: string
  readonly response?: { access_token?: string; error?: string }
}

/** A provider of OAuth 2.0 on this machine, which lets everybody in at once. */
async function provider() {
  const states: unknown[] = []
  const app = express()
  app.use(express.urlencoded({ extended: false }))
  app.get('/authorize', (req, res) => {
    const { redirect_uri: back, state } = req.query
    states.push(state)
    res.redirect(`${back}?code=a-code&state=${state}`)
  })
  app.post('/token', (req, res) => {
    const { code, client_secret: secret } = req.body
    const known = code === 'a-code' && secret === 'a client secret'
    res.status(known ? 200 : 400).json(known ? { access_token: 'a-token' } : { error: 'no' })
  })
  return { ...(await serve(app)), states }
}

/** An app that signs in there. */
async function client(face: Face) {
  const { origin, states } = await provider()
  const app = await serveFace(face, (app) => {
    app.use((req, res, next) => {
      const host = `http://${req.headers.host}`
      grant.express({
        defaults: { origin: host, transport: 'session', state: true },
        fake: {
          oauth: 2,
          authorize_url: `${origin}/authorize`,
          access_url: `${origin}/token`,
          key: 'an app',
          secret: 'a client secret',
          callback: '/signed-in',
        },
      })(req, res, next)
    })
    app.get('/cart', (req, res) => {
      sessionOf(req).cart = ['coat']
      res.end()
    })
    app.get(['/', '/signed-in'], (req, res) => {
      const { grant: given, cart } = sessionOf(req)
      const { state, response } = (given ?? {}) as Grant
      res.json({ state, token: response?.access_token, error: response?.error, cart })
    })
    app.get('/prototype', (req, res) => {
      res.json((Object.getPrototypeOf(sessionOf(req)) as { save: unknown[] }).save.length)
    })
  })
  return { ...app, provider: origin, states }
}

describe.each(faces)('grant 5.4 on $name', (face) => {
  it('goes to the provider and comes back with a token in the session', async () => {
    const app = await client(face)
    const browser = app.browser()
    await browser.get('/cart')
    const back = await browser.get('/connect/fake', { redirect: 'follow' })
    expect(new URL(back.url).pathname).toBe('/signed-in')
    const { state, ...rest } = back.json<Grant>()
    expect(rest).toEqual({ token: 'a-token', cart: ['coat'] })
    expect(app.states).toEqual([state])
    expect((await browser.get('/')).json()).toEqual({ ...rest, state })
  })

  it('has the state in the session before the browser leaves', async () => {
    const app = await client(face)
    const browser = app.browser()
    const leaving = new URL((await browser.get('/connect/fake')).headers.location!)
    expect(leaving.origin).toBe(app.provider)
    const { state } = (await browser.get('/')).json<Grant>()
    expect(leaving.searchParams.get('state')).toBe(state)
    expect(state).toMatch(/./)
  })

  it('takes no token for a state that the session does not hold', async () => {
    const app = await client(face)
    const [browser, other] = [app.browser(), app.browser()]
    await browser.get('/connect/fake')
    await other.get('/connect/fake')
    const { state } = (await other.get('/')).json<Grant>()
    const forged = `/connect/fake/callback?code=a-code&state=${state}`
    const { error } = (await browser.get(forged, { redirect: 'follow' })).json<{ error: string }>()
    expect(error).toBe('Grant: OAuth2 state mismatch')
    expect((await other.get(forged, { redirect: 'follow' })).json()).toMatchObject({
      token: 'a-token',
    })
  })

  it('finds save, with a callback, on the prototype: else it would not wait for it', async () => {
    const app = await client(face)
    expect((await app.browser().get('/prototype')).json()).toBe(1)
  })
})
