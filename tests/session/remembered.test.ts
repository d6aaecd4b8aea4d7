import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { session } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET, serveApp } from '../support/serve.js'

const DAY = 24 * 3_600_000
/** 400 days in seconds (RFC 6265bis, section 5.5). */
const LONGEST = 34_560_000

const routes: NonNullable<Parameters<typeof serveApp>[0]> = (app, sessions) => {
  app.get('/remember/:ms', (req, res) => {
    const { session } = sessions.of(req)
    session.userId = 1
    session.cookie.maxAge = Number(req.params.ms)
    res.end()
  })
  app.get('/set/:key', (req, res) => {
    sessions.of(req).session[req.params.key] = true
    res.end()
  })
  app.get('/renew', async (req, res) => {
    await sessions.of(req).session.regenerate({ keep: true })
    res.end()
  })
}

/** The two dates of a cookie, which have to name the same second. */
function datesOf(line: string | undefined, now: number): { maxAge: number } {
  const maxAge = Number(/; Max-Age=(\d+)/.exec(line ?? '')?.[1])
  const expires = Date.parse(/; Expires=([^;]+)/.exec(line ?? '')?.[1] ?? '')
  expect(expires).toBe(Math.ceil((now + maxAge * 1000) / 1000) * 1000)
  return { maxAge }
}

describe('a visitor who asked to be remembered', () => {
  it('stays signed in for 30 days of use, through the end of the browser each time', async () => {
    const { browser, clock } = await serveApp(routes)
    const [remembered, plain] = [browser(), browser()]
    await remembered.get(`/remember/${7 * DAY}`)
    await plain.get('/set/userId')
    for (let day = 0; day < 30; day += 6) {
      for (const { jar } of [remembered, plain]) jar.dropSessionCookies()
      expect((await remembered.get('/')).json()).toEqual({ userId: 1 })
      expect((await plain.get('/')).json()).toEqual({})
      await clock.advance(Math.min(6 * DAY, 30 * DAY - day * DAY) - (day === 24 ? 1 : 0))
    }
    expect((await remembered.get('/')).json()).toEqual({ userId: 1 })
    await clock.advance(1)
    expect((await remembered.get('/')).json()).toEqual({})
  })

  it('is forgotten after the time asked for without use', async () => {
    const { browser, clock } = await serveApp(routes)
    const visitor = browser()
    await visitor.get(`/remember/${7 * DAY}`)
    await clock.advance(7 * DAY - 1)
    expect((await visitor.get('/')).json()).toEqual({ userId: 1 })
    await clock.advance(7 * DAY)
    expect((await visitor.get('/')).json()).toEqual({})
  })

  it('is so under the next id too', async () => {
    const { browser, clock } = await serveApp(routes)
    const visitor = browser()
    await visitor.get(`/remember/${7 * DAY}`)
    await clock.advance(5 * DAY)
    const [line] = (await visitor.get('/renew')).setCookies
    expect(datesOf(line, clock.now()).maxAge).toBe((25 * DAY) / 1000)
    visitor.jar.dropSessionCookies()
    await clock.advance(6 * DAY)
    expect((await visitor.get('/')).json()).toEqual({ userId: 1 })
  })
})

describe('a lifetime that was set without a response', () => {
  it('is told to the browser once, by the next response', async () => {
    const { browser, clock, sessions, origin } = await serveApp(routes)
    const visitor = browser()
    await visitor.get('/set/userId')
    const found = await sessions.read({ headers: { cookie: visitor.jar.header(`${origin}/`) } })
    found!.cookie.maxAge = 7 * DAY
    await found!.save()
    const [line] = (await visitor.get('/')).setCookies
    expect(datesOf(line, clock.now()).maxAge).toBe((30 * DAY) / 1000)
    expect((await visitor.get('/')).setCookies).toEqual([])
    visitor.jar.dropSessionCookies()
    await clock.advance(6 * DAY)
    expect((await visitor.get('/')).json()).toEqual({ userId: true })
  })

  it('is told later, if others write before', async () => {
    const { browser, sessions, origin } = await serveApp(routes)
    const visitor = browser()
    await visitor.get('/set/userId')
    const req = { headers: { cookie: visitor.jar.header(`${origin}/`) } }
    const found = await sessions.read(req)
    found!.cookie.maxAge = 7 * DAY
    await found!.save()
    const other = await sessions.read(req)
    Object.assign(other!, { n: 1 })
    await other!.save()
    const [line] = (await visitor.get('/set/more')).setCookies
    expect(line).toContain('; Max-Age=')
    expect((await visitor.get('/set/again')).setCookies).toEqual([])
  })
})

describe('a persistent cookie', () => {
  it('lives to the absolute end, 400 days at most, and both of its dates say so', async () => {
    const days = fc.oneof(fc.constant(false as const), fc.integer({ min: 1, max: 36_500 }))
    await fc.assert(
      fc.asyncProperty(
        days,
        fc.option(fc.integer({ min: 1, max: DAY })),
        fc.integer({ min: 0, max: 999 }),
        async (absolute, own, odd) => {
          const { sessions, clock } = unserved(absolute === false ? false : absolute * DAY)
          clock.set(clock.now() + odd)
          const line = await lineOf(sessions, own)
          const { maxAge } = datesOf(line, clock.now())
          const end = absolute === false ? LONGEST : (absolute * DAY) / 1000
          expect(maxAge).toBe(Math.min(LONGEST, end))
        },
      ),
      { numRuns: 60 },
    )
  })
})

function unserved(absoluteTimeout: number | false) {
  const clock = new FakeClock()
  const options = { secret: SECRET, clock, absoluteTimeout, cookie: { persistent: true } }
  return { clock, sessions: session<AnyData>(options) }
}

/** The cookie of a new session, from a response that needs no socket. */
async function lineOf(
  sessions: ReturnType<typeof unserved>['sessions'],
  own: number | null,
): Promise<string | undefined> {
  const req = new IncomingMessage(new Socket())
  const res = new ServerResponse(req)
  await new Promise<void>((resolve, reject) => {
    sessions(req, res, (error?: unknown) => (error === undefined ? resolve() : reject(error)))
  })
  const mine = sessions.of(req).session
  mine.a = 1
  if (own !== null) mine.cookie.maxAge = own
  await mine.save()
  res.end()
  for (let turn = 0; turn < 5 && res.getHeader('set-cookie') === undefined; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  return [res.getHeader('set-cookie')].flat()[0] as string | undefined
}
