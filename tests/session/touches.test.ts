import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { serveApp } from '../support/serve.js'
import { gate } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const HOUR = 3_600_000

/** A visitor whose store has not heard of the session for more than a minute. */
async function due(options: Parameters<typeof serveApp>[1] = {}) {
  const clock = new FakeClock()
  const inner = new MemoryStore({ clock })
  const store = new WatchedStore(inner)
  const [inside, go] = [gate(), gate()]
  const made = await serveApp(
    (app, sessions) => {
      app.get('/set/:key', (req, res) => {
        sessions.of(req).session[req.params.key] = true
        res.end()
      })
      app.get('/touch', async (req, res) => {
        await sessions.of(req).session.touch()
        res.end()
      })
      app.get('/logout', async (req, res) => {
        await sessions.of(req).session.destroy()
        res.end()
      })
      app.get('/together', async (req, res) => {
        inside.open()
        await go.opened
        res.json(sessions.of(req).session)
      })
    },
    { store, clock, ...options },
  )
  const visitor = made.browser()
  await visitor.get('/set/a')
  await clock.advance(60_001)
  store.calls.length = 0
  const expiries = async () => {
    const all: number[] = []
    for await (const { expiresAt } of inner.entries()) all.push(expiresAt)
    return all
  }
  return { ...made, store, visitor, expiries, go }
}

describe('a touch', () => {
  it('is under way while the response is complete', async () => {
    const { visitor, store, sessions, clock, expiries } = await due()
    const before = await expiries()
    const touch = store.pause('touch')
    const page = await visitor.get('/')
    expect(page.json()).toEqual({ a: true })
    expect(store.calls).toEqual(['load', 'touch'])
    expect(await expiries()).toEqual(before)
    let settled = false
    const all = sessions.settled().then(() => {
      settled = true
    })
    await visitor.get('/')
    expect(settled).toBe(false)
    touch.resume()
    await all
    expect(await expiries()).toEqual([clock.now() + 24 * HOUR])
  })

  it('is one for a hundred requests of one moment', async () => {
    const { visitor, store, sessions, go } = await due()
    const touch = store.pause('touch')
    const pages = Array.from({ length: 100 }, () => visitor.get('/together'))
    await touch.reached
    go.open()
    for (const page of await Promise.all(pages)) expect(page.json()).toEqual({ a: true })
    expect(store.count('load')).toBe(100)
    expect(store.count('touch')).toBe(1)
    touch.resume()
    await sessions.settled()
  })

  it('that fails leaves the page as it is, and is one event', async () => {
    const { visitor, store, sessions } = await due()
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error))
    store.fail('touch')
    expect(await visitor.get('/')).toMatchObject({ status: 200, setCookies: [] })
    await sessions.settled()
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_STORE', op: 'touch' })])
  })

  it('that arrives after a sign-out leaves no record', async () => {
    const { visitor, store, sessions, expiries, clock } = await due()
    const touch = store.pause('touch')
    await visitor.get('/')
    await visitor.get('/logout')
    touch.resume()
    await sessions.settled()
    await clock.advance(10_000)
    expect(await expiries()).toEqual([])
  })

  it('is not needed after a write, which says the same', async () => {
    const { visitor, store, sessions } = await due()
    await visitor.get('/set/b')
    await sessions.settled()
    store.calls.length = 0
    await visitor.get('/')
    expect(store.calls).toEqual(['load'])
  })

  it('by touch() reaches the store at once, whenever the last one was', async () => {
    const { visitor, store, clock, expiries, sessions } = await due()
    await visitor.get('/')
    await sessions.settled()
    await clock.advance(1000)
    await visitor.get('/touch')
    expect(store.count('touch')).toBe(2)
    expect(await expiries()).toEqual([clock.now() + 24 * HOUR])
  })

  it.each(['prefetch', 'prefetch;prerender', 'prefetch;anonymous-client-ip'])(
    'does not follow a request that a browser only guesses at: %s',
    async (purpose) => {
      const { visitor, store, sessions } = await due()
      await visitor.get('/', { headers: { 'sec-purpose': purpose } })
      await sessions.settled()
      expect(store.calls).toEqual(['load'])
    },
  )

  it('is due after a tenth of a short idle time', async () => {
    const { visitor, store, sessions, clock } = await due({ idleTimeout: 100_000 })
    await visitor.get('/')
    await sessions.settled()
    store.calls.length = 0
    await clock.advance(10_000)
    await visitor.get('/')
    expect(store.count('touch')).toBe(0)
    await clock.advance(1)
    await visitor.get('/')
    expect(store.count('touch')).toBe(1)
  })
})
