import { expect } from 'vitest'
import type { CookieClient } from '../../../../src/testing/index.js'
import { turns } from '../../../support/turns.js'
import type { Wire } from '../../../support/wire.js'
import { COUNTS, type StoreKind } from '../kind.js'
import { type World, world } from './apps.js'
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
      const { destroy } = { ...COUNTS, ...subject.kind.counts }
      if (typeof destroy === 'object' && 'held' in destroy) {
        const removal = proxy.hold({ phase: destroy.held + 1 })
        await within(5000, ada.get('/logout'), 'The response waits for the removal.')
        await within(5000, removal.reached, 'Nothing was removed.')
        removal.release()
        return settled()
      }
      await expectPhases(subject, 'destroy', () => proxy.wire.during(() => ada.get('/logout')))
    },
  },
  {
    name: 'the response to a read is complete while its touch is unanswered',
    async run(subject) {
      const app = await world(subject)
      const ada = app.browser()
      await ada.get('/login/ada')
      await ada.get('/')
      await app.settled()
      await app.clock.advance(A_WHILE)
      await expectUnheld(app, ada, { ...COUNTS, ...subject.kind.counts }.signedInRead)
    },
  },
  {
    name: 'under the drop-in a change takes the phases that are stated',
    async run(subject) {
      const { wire, settled, browser } = await warmDropIn(subject)
      const ada = browser()
      await ada.get('/count')
      for (const _ of ['the first after it was made', 'a later one']) {
        await settled()
        await expectPhases(subject, 'change', () => wire.during(() => ada.get('/count')))
      }
    },
  },
  {
    name: 'under the drop-in a read takes the phases that are stated, and those of its touch',
    async run(subject) {
      const { wire, settled, browser } = await warmDropIn(subject)
      const { touch } = { ...COUNTS, ...subject.kind.counts }
      const ada = browser()
      await ada.get('/count')
      for (const _ of ['the first after it was made', 'a later one']) {
        await settled()
        const read = async () => {
          const { phases, commands } = await wire.during(async () => {
            await ada.get('/')
            await settled()
          })
          return { phases: phases - touch, commands }
        }
        await expectPhases(subject, 'read', read)
      }
    },
  },
  {
    name: 'the response to a read under the drop-in is complete while its touch is unanswered',
    async run(subject) {
      const app = await warmDropIn(subject)
      const ada = app.browser()
      await ada.get('/login/ada')
      await app.settled()
      await expectUnheld(app, ada, { ...COUNTS, ...subject.kind.counts }.read)
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
  else expect(phases, told).toBeLessThanOrEqual('most' in stated ? stated.most : stated.held)
}

/** Some clients prepare a statement when it is used first. */
async function warmDropIn(subject: Subject): Promise<World & { readonly wire: Wire }> {
  const app = await world(subject, 'drop-in')
  const eve = app.browser()
  for (const path of ['/count', '/count', '/', '/']) {
    await eve.get(path)
    await app.settled()
  }
  return { ...app, wire: app.proxy.wire }
}

/** Holds the answer to what comes after the waits of a read, where a touch is due. */
async function expectUnheld(
  { proxy, settled }: World,
  browser: CookieClient,
  waits: number,
): Promise<void> {
  const touch = proxy.hold({ phase: waits + 1 })
  const answer = await within(5000, browser.get('/'), 'The response waits for the touch.')
  expect(answer.json()).toMatchObject({ user: { name: 'ada' } })
  await within(5000, touch.reached, 'Nothing was touched.')
  touch.release()
  await settled()
}

/** Only ends a test that would hang: how fast anything is makes no difference. */
async function within<T>(ms: number, work: Promise<T>, problem: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(problem)), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
