import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const DAY = 24 * 3_600_000

const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
  app.get('/set/:key', (req, res) => {
    sessions.of(req).session[req.params.key] = true
    res.end()
  })
  app.get('/remember', (req, res) => {
    const { session } = sessions.of(req)
    session.userId = 1
    session.cookie.maxAge = 7 * DAY
    res.end()
  })
  app.get('/times', (req, res) => {
    const { createdAt, authenticatedAt, lastSeenAt, expiresAt } = sessions.of(req)
    res.json({ createdAt, authenticatedAt, lastSeenAt, expiresAt })
  })
  app.get('/authenticated', async (req, res) => {
    await sessions.of(req).authenticated()
    res.end()
  })
}

describe('a session', () => {
  it('past its absolute time is gone, although it was used a minute ago', async () => {
    const { browser, clock, sessions } = await serveApp(routes)
    const expired: unknown[] = []
    sessions.on('expire', ({ reason }) => expired.push(reason))
    const visitor = browser()
    await visitor.get('/set/a')
    for (let hours = 0; hours < 30 * 24 - 1; hours += 23) {
      expect((await visitor.get('/')).json()).toEqual({ a: true })
      await clock.advance(
        Math.min(23, 30 * 24 - hours) * 3_600_000 - (hours + 23 >= 720 ? 60_000 : 0),
      )
    }
    expect((await visitor.get('/')).json()).toEqual({ a: true })
    await clock.advance(59_999)
    expect((await visitor.get('/')).json()).toEqual({ a: true })
    await clock.advance(1)
    expect((await visitor.get('/')).json()).toEqual({})
    expect(expired).toEqual(['absolute'])
  })

  it('unused for its idle time is gone, and each request starts that time anew', async () => {
    const { browser, clock } = await serveApp(routes)
    const visitor = browser()
    await visitor.get('/set/a')
    await clock.advance(DAY - 1)
    expect((await visitor.get('/')).json()).toEqual({ a: true })
    await clock.advance(DAY - 1)
    expect((await visitor.get('/')).json()).toEqual({ a: true })
    await clock.advance(DAY)
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('is not kept alive by a prefetch', async () => {
    const { browser, clock } = await serveApp(routes)
    const visitor = browser()
    await visitor.get('/set/a')
    await clock.advance(DAY - 1)
    await visitor.get('/', { headers: { 'sec-purpose': 'prefetch;prerender' } })
    await clock.advance(1)
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('remembered for a week survives the browser and six idle days; a plain one does not', async () => {
    const { browser, clock } = await serveApp(routes)
    const [remembered, plain] = [browser(), browser()]
    const answer = await remembered.get('/remember')
    expect(answer.setCookies[0]).toMatch(
      /; Max-Age=2592000; .*Expires=Thu, 31 Jan 2030 00:00:00 GMT/,
    )
    expect((await plain.get('/set/a')).setCookies[0]).not.toMatch(/Max-Age|Expires/)
    remembered.jar.dropSessionCookies()
    plain.jar.dropSessionCookies()
    await clock.advance(6 * DAY)
    expect((await remembered.get('/')).json()).toEqual({ userId: 1 })
    expect((await plain.get('/')).json()).toEqual({})
  })

  it('restarts both clocks and changes its id at a re-authentication', async () => {
    const { browser, clock } = await serveApp(routes, { idleTimeout: 40 * DAY })
    const visitor = browser()
    await visitor.get('/remember')
    await clock.advance(29 * DAY - 22 * DAY - 1)
    const before = (await visitor.get('/times')).json<{ authenticatedAt: number }>()
    expect((await visitor.get('/authenticated')).setCookies).toHaveLength(1)
    const after = (await visitor.get('/times')).json<{
      authenticatedAt: number
      createdAt: number
    }>()
    expect(after.authenticatedAt - before.authenticatedAt).toBe(7 * DAY - 1)
    expect(after.createdAt).toBe(before.authenticatedAt)
  })
})

describe('the touch', () => {
  it('is one per interval, never holds the response, and its failure is an event', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser, clock, sessions } = await serveApp(routes, { store })
    const visitor = browser()
    await visitor.get('/set/a')
    await clock.advance(60_001)
    const touch = store.pause('touch')
    for (let visit = 0; visit < 10; visit++) expect((await visitor.get('/')).status).toBe(200)
    expect(store.count('touch')).toBe(1)
    touch.resume()
    await sessions.settled()
    await visitor.get('/')
    expect(store.count('touch')).toBe(1)

    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error))
    await clock.advance(60_001)
    store.fail('touch')
    expect((await visitor.get('/')).status).toBe(200)
    await sessions.settled()
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_STORE', op: 'touch' })])
  })

  it('lets a changed idle timeout reach the record', async () => {
    const clock = new FakeClock()
    const store = new MemoryStore({ clock })
    const before = await serveApp(routes, { store, clock, idleTimeout: 3_600_000 })
    const visitor = before.browser()
    await visitor.get('/set/a')
    const cookie = { headers: { cookie: visitor.jar.header(`${before.origin}/`)! } }
    const after = await serveApp(routes, { store, clock, idleTimeout: DAY })
    await clock.advance(61_000)
    await after.browser().get('/', cookie)
    await after.sessions.settled()
    await clock.advance(2 * 3_600_000)
    expect((await after.browser().get('/', cookie)).json()).toEqual({ a: true })
  })
})
