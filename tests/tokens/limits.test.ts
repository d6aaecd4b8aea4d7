import express from 'express'
import { describe, expect, it } from 'vitest'
import { session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { type AnyData, serve } from '../support/serve.js'
import { HOUR, KINDS, type Kind, NOW } from './forging.js'

/** An app in which a request can be made to wait inside its handler. */
async function appWith(kind: Kind) {
  const clock = new FakeClock(NOW)
  const sessions = session<AnyData>({
    store: kind.make(),
    clock,
    idleTimeout: HOUR,
    absoluteTimeout: 3 * HOUR,
  })
  const app = express().use(sessions)
  const of = (req: object) => sessions.of(req)
  const open: { arrived: () => void; leave: Promise<void> }[] = []
  app.get('/slow/:key/:value', async (req, res) => {
    of(req).session[req.params.key] = req.params.value
    await wait()
    res.end()
  })
  app.get('/slow', async (req, res) => {
    await wait()
    res.json(of(req).session)
  })
  app.get('/set/:key/:value', (req, res) => {
    of(req).session[req.params.key] = req.params.value
    res.end()
  })
  app.get('/count', async (req, res) => {
    res.json(await of(req).session.update((data) => (data.n = Number(data.n ?? 0) + 1)))
  })
  app.get('/often', async (req, res) => {
    const { session } = of(req)
    await session.update((data) => (data.n = Number(data.n ?? 0) + 1))
    session.saved = true
    await session.save()
    await session.update((data) => (data.n = Number(data.n ?? 0) + 1))
    await session.reload()
    res.json(session)
  })
  app.get('/out', async (req, res) => {
    await of(req).session.destroy()
    res.end()
  })
  app.get('/', (req, res) => void res.json(of(req).session))
  const { origin } = await serve(app)

  async function wait(): Promise<void> {
    const one = open.shift()!
    one.arrived()
    await one.leave
  }
  /** The next request for a slow page: resolves once it is inside its handler. */
  async function held(ask: () => Promise<unknown>) {
    let leave = () => {}
    const left = new Promise<void>((resolve) => {
      leave = resolve
    })
    let answer: Promise<unknown> | undefined
    await new Promise<void>((resolve) => {
      open.push({ arrived: resolve, leave: left })
      answer = ask()
    })
    return async () => {
      leave()
      await answer
    }
  }
  return { clock, held, browser: () => new CookieClient(origin, { clock }) }
}

describe.each(KINDS)('what a session in its own cookie cannot do: $name', (kind) => {
  it('of two requests at once that change it, the last response to arrive wins', async () => {
    const { held, browser } = await appWith(kind)
    const ada = browser()
    await ada.get('/set/first/1')
    const late = await held(() => ada.get('/slow/a/1'))
    await ada.get('/set/b/1')
    await late()
    expect((await ada.get('/')).json()).toEqual({ first: '1', a: '1' })
  })

  it('a reader that answers late takes nothing back', async () => {
    const { held, browser } = await appWith(kind)
    const ada = browser()
    await ada.get('/set/first/1')
    const late = await held(() => ada.get('/slow'))
    await ada.get('/set/b/1')
    await late()
    expect((await ada.get('/')).json()).toEqual({ first: '1', b: '1' })
  })

  it('update works on what its request has carried', async () => {
    const { browser } = await appWith(kind)
    const ada = browser()
    await ada.get('/count')
    const before = ada.jar.get('sid')!
    expect((await ada.get('/count')).json()).toBe(2)
    const copy = browser()
    copy.jar.set(before)
    expect((await copy.get('/count')).json()).toBe(2)
  })

  it('the calls of one request build on each other', async () => {
    const { browser } = await appWith(kind)
    const ada = browser()
    await ada.get('/set/a/1')
    const all = { a: '1', n: 2, saved: true }
    expect((await ada.get('/often')).json()).toEqual(all)
    expect((await ada.get('/')).json()).toEqual(all)
  })

  it('is sent again with the same data and the same absolute end', async () => {
    const { clock, browser } = await appWith(kind)
    const ada = browser()
    await ada.get('/set/a/1')
    for (let n = 0; n < 4; n++) {
      await clock.advance(0.6 * HOUR)
      const seen = await ada.get('/')
      expect(seen.setCookies).toHaveLength(1)
      expect(seen.json()).toEqual({ a: '1' })
    }
    await clock.advance(0.5 * HOUR)
    expect((await ada.get('/')).json()).toEqual({ a: '1' })
    await clock.advance(0.1 * HOUR)
    expect((await ada.get('/')).json()).toEqual({})
  })

  it('goes on by a handshake too, past half of its idle time', async () => {
    const clock = new FakeClock(NOW)
    const sessions = session<AnyData>({ store: kind.make(), clock, idleTimeout: HOUR })
    const read = (token: string) => sessions.read({ headers: { cookie: `sid=${token}` } })
    const token = await sessions.issue({ a: 1 })
    await clock.advance(0.9 * HOUR)
    let line = ''
    const res = {
      setHeader: (_name: string, value: unknown) => {
        if (_name === 'Set-Cookie') line = String(value)
      },
      writeHead: () => {},
      end: () => {},
    }
    const req = { headers: { cookie: `sid=${token}` } }
    await new Promise((resolve) => sessions(req as never, res as never, resolve))
    res.writeHead()
    const again = /^sid=([^;]+)/.exec(line)?.[1] ?? ''
    await clock.advance(0.9 * HOUR)
    expect([await read(token), await read(again)]).toEqual([null, { a: 1 }])
  })

  it('a captured cookie is over when its time is, and not when its owner signs out', async () => {
    const { clock, browser } = await appWith(kind)
    const [ada, thief] = [browser(), browser()]
    await ada.get('/set/userId/ada')
    thief.jar.set(ada.jar.get('sid')!)
    const captured = `sid=${ada.jar.get('sid')!.value}`
    await ada.get('/out')
    expect((await thief.get('/')).json()).toEqual({ userId: 'ada' })
    await clock.advance(HOUR)
    const replayed = await browser().get('/', { headers: { cookie: captured } })
    expect(replayed.json()).toEqual({})
  })
})
