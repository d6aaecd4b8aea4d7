import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import type { CookieClient, CookieResponse } from '../../../../src/testing/index.js'
import { cookieOf } from '../../../express-session/old-stores/app.js'
import { turns } from '../../../support/turns.js'
import { COUNTS, type StoreKind } from '../kind.js'
import type { Face } from '../store-process.js'
import { LIMIT, type World, world } from './apps.js'
import { type Subject, type SuiteTest, suite } from './suite.js'

const DAY = 24 * 60 * 60 * 1000

type Answer = Promise<CookieResponse>

/** A signed-in visitor with one view. */
async function visited({ browser, settled }: World): Promise<CookieClient> {
  const ada = browser()
  await ada.get('/login/ada')
  expect((await ada.get('/count')).json()).toEqual({ views: 1 })
  await settled()
  return ada
}

/** What is left after a fault: all of the session, with as many views as may have been stored. */
async function expectKept(ada: CookieClient, views: readonly number[]): Promise<void> {
  const answer = await ada.get('/')
  expect(answer).toMatchObject({ status: 200 })
  const data = answer.json<{ user?: { name: string }; views?: number }>()
  expect(data).toMatchObject({ user: { name: 'ada' } })
  expect(views).toContain(data.views)
  expect((await ada.get('/count')).json()).toEqual({ views: data.views! + 1 })
}

/** An error page that leaves the browser's cookie alone, and an error that somebody hears of. */
async function expectRefused(app: World, request: () => Answer): Promise<void> {
  const before = app.errors.length
  const answer = await app.impatiently(request())
  expect(answer.status).toBeGreaterThanOrEqual(500)
  expect(answer.setCookies).toEqual([])
  expect(app.errors.length, 'errors that were told').toBeGreaterThan(before)
}

/** Everything a visitor can do fails in the same way; a request that needs no store goes through. */
async function expectOutage(app: World, ada: CookieClient): Promise<void> {
  const stolen = cookieOf(ada)
  await expectRefused(app, () => ada.get('/'))
  await expectRefused(app, () => ada.get('/count'))
  await expectRefused(app, () => app.browser().get('/count'))
  await expectRefused(app, () => ada.get('/logout'))
  expect(await app.browser().get('/untouched')).toMatchObject({ status: 200 })
  expect(cookieOf(ada)).toEqual(stolen)
}

/** The end of each test: nobody crashed, and what was told has a code. */
async function expectPeace(app: World, face: Face): Promise<void> {
  await turns()
  expect(app.crashes).toEqual([])
  if (face === 'drop-in') return
  for (const error of app.errors) {
    expect((error as { code?: unknown }).code).toMatch(/^ERR_STORE/)
  }
}

/** Of a signed-in visitor, after which the next one writes or touches. */
function phasesOfRead(kind: StoreKind, face: Face): number {
  const { read, signedInRead } = { ...COUNTS, ...kind.counts }
  return face === 'native' ? signedInRead : read
}

type FaultTest = Omit<SuiteTest, 'run'> & {
  run(app: World, face: Face, subject: Subject): Promise<void>
}

const TESTS: readonly FaultTest[] = [
  {
    name: 'a server that cannot be reached fails requests, and all is there afterwards',
    async run(app) {
      const ada = await visited(app)
      for (let times = 0; times < 2; times++) {
        await app.proxy.refuse()
        await expectOutage(app, ada)
        await app.proxy.pass()
        await app.recovered(ada)
      }
      await expectKept(ada, [1])
    },
  },
  {
    name: 'a server that is lost between the load and the write fails the write',
    async run(app) {
      const ada = await visited(app)
      const slow = ada.get('/slow/writer')
      await app.inside
      await app.proxy.refuse()
      app.go()
      await expectRefused(app, () => slow)
      await app.proxy.pass()
      await app.recovered(ada)
      expect((await ada.get('/')).json()).not.toHaveProperty('late')
      await expectKept(ada, [1])
    },
  },
  {
    name: 'a black hole fails requests at the time limit, and all is there afterwards',
    async run(app) {
      const ada = await visited(app)
      app.proxy.blackHole()
      await expectRefused(app, () => ada.get('/'))
      await expectRefused(app, () => ada.get('/count'))
      await expectRefused(app, () => app.browser().get('/count'))
      await app.proxy.pass()
      await app.recovered(ada)
      await expectKept(ada, [1])
    },
  },
  {
    name: 'a black hole that swallows a write fails it, and the session is the old or the new one',
    async run(app) {
      const ada = await visited(app)
      const slow = ada.get('/slow/writer')
      await app.inside
      app.proxy.blackHole()
      app.go()
      await expectRefused(app, () => slow)
      await app.proxy.pass()
      await app.recovered(ada)
      await expectKept(ada, [1])
    },
  },
  {
    name: 'a black hole whose packets are lost leaves the app working',
    async run(app) {
      const ada = await visited(app)
      app.proxy.blackHole()
      await expectRefused(app, () => ada.get('/count'))
      await app.proxy.pass({ lost: true })
      await app.recovered(ada)
      await expectKept(ada, [1])
    },
  },
  {
    name: 'a touch that is swallowed holds nothing up, and is told',
    async run(app, face, { kind }) {
      const ada = await visited(app)
      // A touch is due by then, and no sweep.
      await app.clock.advance(DAY / 288)
      const held = app.proxy.hold({ phase: phasesOfRead(kind, face) + 1 })
      const answer = await Promise.race([ada.get('/'), delay(5000)])
      expect(answer).toMatchObject({ status: 200, setCookies: [] })
      await Promise.race([
        held.reached,
        delay(5000).then(() => Promise.reject(new Error('no touch'))),
      ])
      const before = app.errors.length
      await app.impatiently(app.settled())
      held.release()
      if (face === 'native') expect(app.errors.length).toBeGreaterThan(before)
      await app.recovered(ada)
      await expectKept(ada, [1])
    },
  },
  {
    name: 'a server that is too slow fails requests at the time limit, and its late answers harm nobody',
    async run(app) {
      const ada = await visited(app)
      const held = app.proxy.hold()
      await expectRefused(app, () => ada.get('/'))
      await expectRefused(app, () => ada.get('/count'))
      held.release()
      await app.recovered(ada)
      await expectKept(ada, [1])
    },
  },
  {
    name: 'a write whose answer comes too late fails, and the session is the old or the new one',
    async run(app, face, { kind }) {
      const ada = await visited(app)
      const held = app.proxy.hold({ phase: phasesOfRead(kind, face) + 1 })
      await expectRefused(app, () => ada.get('/count'))
      held.release()
      await app.recovered(ada)
      await expectKept(ada, [1, 2])
    },
  },
  {
    name: 'a slow network only slows',
    async run(app) {
      const ada = await visited(app)
      app.proxy.delay(5)
      expect((await ada.get('/count')).json()).toEqual({ views: 2 })
      await ada.get('/login/ada')
      expect((await ada.get('/')).json()).toMatchObject({ user: { name: 'ada' } })
      await ada.get('/logout')
      await app.proxy.pass()
      expect((await ada.get('/')).json()).toEqual({})
      expect(app.errors).toEqual([])
    },
  },
  {
    name: 'a reset in the middle of the answer to a read shows nobody an empty session',
    async run(app) {
      const ada = await visited(app)
      for (const bytes of [0, 1, 5, 30]) {
        app.proxy.cut(bytes)
        const answer = await app.impatiently(ada.get('/'))
        // A driver may ask again by itself.
        if (answer.status < 500) expect(answer.json()).toMatchObject({ user: { name: 'ada' } })
        else expect(app.errors).not.toEqual([])
        expect(answer.setCookies).toEqual([])
        await app.recovered(ada)
      }
      await expectKept(ada, [1])
    },
  },
  {
    name: 'a reset in the middle of the answer to a write leaves the old or the new session',
    async run(app) {
      const ada = await visited(app)
      const slow = ada.get('/slow/writer')
      await app.inside
      app.proxy.cut(1)
      app.go()
      const answer = await app.impatiently(slow)
      expect(answer.setCookies).toEqual([])
      await app.recovered(ada)
      if (answer.status >= 500) expect(app.errors).not.toEqual([])
      else expect((await ada.get('/')).json()).toMatchObject({ late: true })
      await expectKept(ada, [1])
    },
  },
  {
    name: 'a server that says no fails what it refuses, and all is there afterwards',
    lacking: ({ refusals }) => (refusals?.length ? undefined : 'no such answers are stated'),
    async run(app, _face, { kind }) {
      const ada = await visited(app)
      for (const { answer, to, reads } of kind.refusals!) {
        const aim = to === undefined ? {} : { to }
        const refuse = () => app.proxy.answer(answer, { ...aim, times: Number.POSITIVE_INFINITY })
        refuse()
        await expectRefused(app, () => ada.get('/count'))
        await expectRefused(app, () => app.browser().get('/count'))
        if (reads) await expectRefused(app, () => ada.get('/'))
        else expect((await ada.get('/')).json()).toMatchObject({ user: { name: 'ada' }, views: 1 })
        await app.proxy.pass()
        await app.recovered(ada)
      }
      await expectKept(ada, [1])
    },
  },
  {
    name: 'a server that crashes fails requests, and the app goes on when it is there again',
    async run(app, face, { kind, server }) {
      const ada = await visited(app)
      const slow = ada.get('/slow/writer')
      await app.inside
      await server.kill()
      await expectOutage(app, ada)
      await server.start()
      await app.recovered(ada)
      app.go()
      const answer = await slow
      expect(answer.status).toBe(200)
      if (kind.keeps) {
        await expectKept(ada, [1])
      } else {
        // A late write brings nothing back into the empty server.
        expect(answer.setCookies).toEqual([])
        expect((await ada.get('/')).json()).toEqual({})
        if (face === 'native') expect(app.events.map(([name]) => name)).toContain('stale-write')
      }
      await expectKept(await visited(app), [1])
    },
  },
]

const FACES: readonly Face[] = ['native', 'drop-in']

export const faultTests: readonly SuiteTest[] = FACES.flatMap((face) =>
  TESTS.map(({ name, run, ...rest }) => ({
    ...rest,
    name: `${name} (${face})`,
    async run(subject: Subject) {
      const app = await world(subject, face)
      try {
        await run(app, face, subject)
      } finally {
        // What a failed test has left, for the next one.
        app.go()
        await subject.server.start()
      }
      await expectPeace(app, face)
      expect(app.clock.now() - Date.now()).toBeLessThan(DAY - LIMIT)
    },
  })),
)

export function storeFaults(kind: StoreKind): void {
  suite('faults', kind, faultTests, kind.unproxied ?? kind.fragile)
}
