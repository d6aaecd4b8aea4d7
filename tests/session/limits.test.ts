import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { MemoryStore } from '../../src/index.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

const routes: Parameters<typeof serveApp>[0] = (app, sessions) => {
  app.get('/set', (req, res) => {
    sessions.of(req).session.cart = true
    res.end()
  })
  app.get('/longest', (req, res) => {
    const { session } = sessions.of(req)
    session.cart = true
    session.cookie.maxAge = Number.MAX_SAFE_INTEGER
    res.end()
  })
  app.get('/short', (req, res) => {
    sessions.of(req).session.cookie.maxAge = 5 * 60_000
    res.end()
  })
}

/** Either the option is refused at start, or sessions work with it. */
async function worksOrIsRefused(
  options: Parameters<typeof serveApp>[1],
  page: string,
): Promise<boolean> {
  const made = await serveApp(routes, options).catch((error: { code: string }) => error.code)
  if (typeof made === 'string') return made === 'ERR_OPTION'
  const visitor = made.browser()
  const { status } = await visitor.get(page)
  return status === 500 || (await visitor.get('/')).json<AnyData>().cart === true
}

describe('very long times', () => {
  it.each([Number.MAX_SAFE_INTEGER, Number.MAX_VALUE])(
    'idleTimeout %d makes no records that cannot be read again',
    async (idleTimeout) => {
      expect(await worksOrIsRefused({ idleTimeout }, '/set')).toBe(true)
    },
  )

  it('nor does cookie.maxAge', async () => {
    expect(await worksOrIsRefused({ absoluteTimeout: false }, '/longest')).toBe(true)
  })

  it('storeTimeout beyond what a timer of Node can wait is no time-out at once', async () => {
    const store = new WatchedStore(new MemoryStore())
    store.delay(20)
    const options = { store, storeTimeout: 2 ** 31, clock: systemClock as never }
    const made = await serveApp(routes, options).catch((error: { code: string }) => error.code)
    if (typeof made === 'string') return expect(made).toBe('ERR_OPTION')
    expect((await made.browser().get('/set')).status).toBe(200)
  })
})

describe('a lifetime of its own that is shorter than the idle timeout', () => {
  it('holds, although a touch of the time before arrives after it', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser, clock, sessions } = await serveApp(routes, { store })
    const visitor = browser()
    await visitor.get('/set')
    await clock.advance(61_000)
    const touch = store.pause('touch')
    await visitor.get('/short')
    touch.resume()
    await sessions.settled()
    await clock.advance(3_600_000)
    expect((await visitor.get('/')).json()).toEqual({})
  })
})

describe('a cookie that is too long to be one', () => {
  it('is a reject event like any other that is malformed', async () => {
    const { browser, sessions } = await serveApp(routes)
    const reasons: unknown[] = []
    sessions.on('reject', ({ reason }) => reasons.push(reason))
    await browser().get('/', { headers: { cookie: `sid=${'a'.repeat(4097)}` } })
    expect(reasons).toEqual(['format'])
  })
})
