import http from 'node:http'
import { expect, it } from 'vitest'
import { LegacyStore, MemoryStore } from '../../src/express-session/index.js'
import { MemoryStore as TextMemoryStore } from '../../src/stores/memory.js'
import { CookieClient } from '../../src/testing/index.js'
import { turns } from '../support/turns.js'
import { failing, handStore, held, silent } from './hand-store.js'
import { dropIn } from './implementations.js'
import { at, cookieFor, program, recordOf } from './program.js'

it('a touch that a store of ours never answers does not end the touches of that session', async () => {
  const texts = new TextMemoryStore()
  const touches: string[] = []
  let isSilent = true
  const { touch } = texts
  texts.touch = ((key: string, at: number) => {
    touches.push(key)
    return isSilent ? new Promise(() => {}) : touch.call(texts, key, at)
  }) as never
  const { browser, clock } = await program(
    {},
    { store: new LegacyStore(texts), cookie: { maxAge: 60_000 } },
  )
  const ada = browser()
  await ada.get('/set?a=1')
  await ada.get('/')
  await clock.advance(31_000)
  isSilent = false
  await ada.get('/')
  await ada.get('/')
  await expect.poll(() => touches.length).toBe(3)
})

it('a touch that fails late does not end another request of the connection', async () => {
  const store = handStore(dropIn)
  let finish = () => {}
  let reached = () => {}
  const isReached = new Promise<void>((r) => {
    reached = r
  })
  const { app, origin } = await program(
    {
      '/slow': (_req, res) => {
        finish = () => void res.json({ slow: true })
        reached()
      },
    },
    { store, silentErrors: true },
  )
  // as an application without an error page of its own: the last handler of Express answers
  const last = app.router.stack.pop()
  expect(last).toBeDefined()
  store.kept.set('old', recordOf({ a: 1 }))
  const late = held()
  store.ways.touch = late.way
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const ada = new CookieClient(origin, { agent })
  const headers = { cookie: cookieFor('old') }
  expect((await ada.get('/', { headers })).status).toBe(200)
  await late.reached
  const slow = ada.get('/slow')
  await isReached
  late.answer(new Error('lost'))
  // The error has been told, and what is to be done about it is done.
  await turns()
  finish()
  expect(
    await slow.then(
      (r) => r.status,
      (e) => e.code,
    ),
  ).toBe(200)
  agent.destroy()
})

it('two saves that nobody awaits on a silent store: the response leaves', async () => {
  const { browser, clock, store } = await program({
    '/two': (req, res) => {
      at(req).session.a = 1
      at(req).session.save()
      at(req).session.save()
      res.json({ mine: true })
    },
  })
  store.ways.set = silent
  const answer = browser().get('/two')
  let isAnswered = false
  void answer.then(() => {
    isAnswered = true
  })
  while (!isAnswered) {
    await turns()
    await clock.advance(30_000)
  }
  expect((await answer).status).toBe(200)
})

it('a destroy that failed does not end the touches', async () => {
  const { store, visitor } = await program({
    '/out': (req, res) => {
      at(req).session.destroy(() => res.json({}))
    },
  })
  const ada = await visitor()
  store.ways.destroy = failing
  await ada.get('/out')
  store.ways.destroy = undefined
  store.taken()
  expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
  await turns()
  expect(store.taken()).toEqual(['get', 'touch'])
})

it('memory does not lose everybody when a program has removed sessions by hand', () => {
  const store = new MemoryStore()
  const big = 'x'.repeat(1_000_000)
  for (let i = 0; i < 80; i++) {
    store.set(`s${i}`, { cookie: {}, big } as never, () => {})
    delete store.sessions[`s${i}`]
  }
  store.set('ada', { cookie: {}, a: 1 } as never, () => {})
  store.set('bob', { cookie: {}, a: 1 } as never, () => {})
  expect(Object.keys(store.sessions)).toEqual(['ada', 'bob'])
})

it('revokeUser ends although a record of the user holds none', async () => {
  const texts = new TextMemoryStore()
  const { middleware } = await program(
    {},
    { store: new LegacyStore(texts), hashIds: true, user: (d: { user?: string }) => d.user },
  )
  await texts.create('k'.repeat(43), { text: '[]', expiresAt: Date.now() + 1e6, user: 'ada' })
  const done = (middleware as never as { revokeUser(u: string): Promise<number> }).revokeUser('ada')
  let rounds = 0
  const { keysOfUser } = texts
  texts.keysOfUser = ((u: string) => {
    if (++rounds > 50) throw new Error('for ever')
    return keysOfUser.call(texts, u)
  }) as never
  await expect(done).resolves.toBe(0)
})

it('a header full of forged cookies costs the checks of fifty', async () => {
  const { browser, events } = await program()
  const forged = Array.from({ length: 300 }, (_, n) => `connect.sid=s:${n}.forged`)
  const { status } = await browser().get('/', { headers: { cookie: forged.join(';') } })
  expect(status).toBe(200)
  expect(events.filter(({ name }) => name === 'reject')).toHaveLength(50)
})
