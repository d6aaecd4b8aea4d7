import { expect } from 'vitest'
import { turns } from '../../../support/turns.js'
import { COUNTS, type StoreKind } from '../kind.js'
import { world } from './apps.js'
import { type Subject, type SuiteTest, suite } from './suite.js'

/** A touch is due by then, and no sweep, which would wait for a held answer too. */
const A_WHILE = 5 * 60 * 1000

/** What requests cost: how often each waits for the server. */
export const wireTests: readonly SuiteTest[] = [
  {
    name: 'a request without a session does not go to the server',
    async run(subject) {
      const { proxy, browser } = await world(subject)
      const forged = { headers: { cookie: `sid=${'x'.repeat(43)}.${'y'.repeat(43)}` } }
      const { phases, commands } = await proxy.wire.during(async () => {
        for (const path of ['/untouched', '/']) {
          await browser().get(path)
          await browser().get(path, forged)
        }
        await turns()
      })
      expect({ phases, commands }).toEqual({ phases: 0, commands: [] })
    },
  },
  {
    name: 'a new anonymous session is written in the phases that are stated',
    async run(subject) {
      const { proxy, browser } = await world(subject)
      await browser().get('/count')
      await expectPhases(subject, 'create', () => proxy.wire.during(() => browser().get('/count')))
    },
  },
  {
    name: 'a read takes the phases that are stated, whether its session is read or not',
    async run(subject) {
      const { proxy, browser } = await world(subject)
      const ada = browser()
      await ada.get('/count')
      await ada.get('/')
      for (const path of ['/', '/untouched']) {
        await expectPhases(subject, 'read', () => proxy.wire.during(() => ada.get(path)))
      }
    },
  },
  {
    name: 'a read of a signed-in visitor takes the phases that are stated',
    async run(subject) {
      const { proxy, browser } = await world(subject)
      const ada = browser()
      await ada.get('/login/ada')
      await ada.get('/')
      await expectPhases(subject, 'signedInRead', () => proxy.wire.during(() => ada.get('/')))
    },
  },
  {
    name: 'a change takes the phases that are stated',
    async run(subject) {
      const { proxy, browser } = await world(subject)
      const ada = browser()
      for (let warm = 0; warm < 2; warm++) await ada.get('/count')
      await expectPhases(subject, 'change', () => proxy.wire.during(() => ada.get('/count')))
    },
  },
  {
    name: 'a sign-in takes the phases that are stated',
    async run(subject) {
      const { proxy, browser, settled } = await world(subject)
      await browser().get('/login/eve')
      const ada = browser()
      for (let warm = 0; warm < 2; warm++) await ada.get('/count')
      await settled()
      await expectPhases(subject, 'signIn', () => proxy.wire.during(() => ada.get('/login/ada')))
    },
  },
  {
    name: 'a sign-out takes the phases that are stated',
    async run(subject) {
      const { proxy, browser, settled } = await world(subject)
      const [eve, ada] = [browser(), browser()]
      for (const one of [eve, ada]) {
        await one.get('/count')
        await one.get('/login/ada')
      }
      await eve.get('/logout')
      await settled()
      await expectPhases(subject, 'destroy', () => proxy.wire.during(() => ada.get('/logout')))
    },
  },
  {
    name: 'the response to a read is complete while its touch is unanswered',
    async run(subject) {
      const { proxy, browser, clock, settled } = await world(subject)
      const ada = browser()
      await ada.get('/login/ada')
      await ada.get('/')
      await settled()
      await clock.advance(A_WHILE)
      const counts = { ...COUNTS, ...subject.kind.counts }
      const touch = proxy.hold({ phase: counts.signedInRead + 1 })
      const answer = await within(5000, ada.get('/'), 'The response waits for the touch.')
      expect(answer.json()).toMatchObject({ user: { name: 'ada' } })
      await within(5000, touch.reached, 'Nothing was touched.')
      touch.release()
      await settled()
    },
  },
]

export function storeWire(kind: StoreKind): void {
  suite('what goes over the wire', kind, wireTests, kind.unproxied)
}

async function expectPhases(
  { kind }: Subject,
  what: keyof typeof COUNTS,
  run: () => Promise<{ phases: number; commands: readonly string[] }>,
): Promise<void> {
  const stated = { ...COUNTS, ...kind.counts }[what]
  const { phases, commands } = await run()
  const told = `phases of ${what} ${commands.join(' ')}`
  if (typeof stated === 'number') expect(phases, told).toBe(stated)
  else expect(phases, told).toBeLessThanOrEqual(stated.most)
}

/** Only ends a test that would hang: how fast anything is makes no difference. */
async function within<T>(ms: number, work: Promise<T>, problem: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(problem)), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
