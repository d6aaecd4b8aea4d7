import { describe, expect, it } from 'vitest'
import type { Entry, Stored } from '../../src/core/store.js'
import { MemoryStore, session } from '../../src/index.js'
import { CookieClient, FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET, serve, serveApp } from '../support/serve.js'
import { gate, turns } from '../support/turns.js'

const MINUTE = 60_000
const IDLE = 10 * MINUTE

/** Counts sweeps, and lets a test hold them up. */
class Sweeping extends MemoryStore {
  readonly limits: (number | undefined)[] = []
  running = 0
  most = 0
  /** Waited for before each sweep. */
  wait: (() => Promise<void>) | undefined
  /** What a sweep claims to have removed. */
  removed: number[] = []

  override async sweep(options: { limit?: number } = {}): Promise<number> {
    this.limits.push(options.limit)
    this.running++
    this.most = Math.max(this.most, this.running)
    try {
      await this.wait?.()
      return this.removed.shift() ?? (await super.sweep(options))
    } finally {
      this.running--
    }
  }
}

async function serveSweeping() {
  const clock = new FakeClock()
  const store = new Sweeping({ clock })
  const made = await serveApp(
    (app, sessions) => {
      app.get('/set', (req, res) => {
        sessions.of(req).session.cart = 1
        res.end()
      })
    },
    { clock, store, idleTimeout: IDLE },
  )
  return { ...made, clock, store }
}

describe('sweep()', () => {
  it('removes expired records only, at most as many as asked, and gives their number', async () => {
    const { sessions, clock } = await serveSweeping()
    for (const userId of [1, 2, 3]) await sessions.issue({ userId })
    await clock.advance(IDLE - 1)
    await sessions.issue({ userId: 4 })
    expect(await sessions.sweep()).toBe(0)
    await clock.advance(1)
    expect(await sessions.sweep({ limit: 2 })).toBe(2)
    expect(await sessions.sweep({ limit: 2 })).toBe(1)
    expect(await sessions.sweep()).toBe(0)
    expect(await sessions.list(4)).toHaveLength(1)
  })

  it('takes nothing live while sessions are used, renewed and made at full load', async () => {
    const clock = new FakeClock()
    class Slow extends MemoryStore {
      override touch(key: string, expiresAt: number): never {
        return turns(1).then(() => super.touch(key, expiresAt)) as never
      }
      override replace(key: string, entry: Entry, seen: Stored): never {
        return turns(1).then(() => super.replace(key, entry, seen)) as never
      }
    }
    const store = new Slow({ clock })
    const made = await serveApp(
      (app, sessions) => {
        app.get('/set/:n', (req, res) => {
          sessions.of(req).session.n = req.params.n
          res.end()
        })
        app.get('/renew', async (req, res) => {
          await sessions.of(req).session.regenerate({ keep: true })
          res.end()
        })
      },
      { clock, store, idleTimeout: IDLE },
    )
    const used = await Promise.all([1, 2, 3, 4].map((userId) => made.sessions.issue({ userId })))
    for (let n = 0; n < 200; n++) await made.sessions.issue({ left: n })
    const browsers = used.map((token) => {
      const browser = made.browser()
      browser.jar.take(`sid=${token}`, new URL(made.origin))
      return browser
    })
    let swept = 0
    for (let round = 0; round < 6; round++) {
      await clock.advance(IDLE / 3)
      const work = browsers.map((browser, i) =>
        browser.get(i === round % 4 ? '/renew' : `/set/${round}`),
      )
      const [removed] = await Promise.all([made.sessions.sweep({ limit: 70 }), ...work])
      swept += removed as number
      await made.sessions.settled()
    }
    // Tombstones of the renewals are records too, and expire like them.
    expect(swept).toBeGreaterThanOrEqual(200)
    for (const userId of [1, 2, 3, 4]) expect(await made.sessions.list(userId)).toHaveLength(1)
    const data = await Promise.all(
      browsers.map(async (one) => (await one.get('/')).json<AnyData>()),
    )
    expect(data.map(({ userId }) => userId)).toEqual([1, 2, 3, 4])
  })

  it('waits for one that is under way: two never run at once', async () => {
    const { sessions, store } = await serveSweeping()
    const door = gate()
    store.wait = () => door.opened
    const sweeps = [sessions.sweep(), sessions.sweep({ limit: 5 }), sessions.sweep()]
    await turns(10)
    expect(store.limits).toEqual([undefined])
    door.open()
    expect(await Promise.all(sweeps)).toEqual([0, 0, 0])
    expect([store.limits, store.most]).toEqual([[undefined, 5, undefined], 1])
  })
})

describe('the sweep that runs by itself', () => {
  it('begins with the first request, and comes about every quarter of an hour', async () => {
    const { browser, clock, store } = await serveSweeping()
    expect(clock.pending).toBe(0)
    await clock.advance(60 * MINUTE)
    expect(store.limits).toEqual([])
    await browser().get('/')
    expect(clock.pending).toBe(1)
    await clock.advance(13 * MINUTE)
    expect(store.limits).toHaveLength(0)
    await clock.advance(4 * MINUTE)
    expect(store.limits).toHaveLength(1)
    await clock.advance(100 * MINUTE)
    // 117 minutes by 16.5 at most and 13.5 at least.
    expect(store.limits.length).toBeGreaterThanOrEqual(7)
    expect(store.limits.length).toBeLessThanOrEqual(8)
  })

  it('is one, however many requests come', async () => {
    const { browser, clock } = await serveSweeping()
    await Promise.all([1, 2, 3].map(() => browser().get('/')))
    expect(clock.pending).toBe(1)
  })

  it('comes at another time in every process of a deployment', async () => {
    const times = new Set<number>()
    for (let process = 0; process < 8; process++) {
      const { browser, clock, store, sessions } = await serveSweeping()
      store.wait = async () => void times.add(clock.now())
      await browser().get('/')
      await clock.advance(17 * MINUTE)
      await sessions.close()
    }
    expect(times.size).toBeGreaterThan(4)
  })

  it('goes on in bounded steps until there is no more', async () => {
    const { browser, clock, store } = await serveSweeping()
    store.removed = [1000, 1000, 999]
    await browser().get('/')
    await clock.advance(16.6 * MINUTE)
    expect(store.limits).toEqual([1000, 1000, 1000])
  })

  it('never runs twice at once, nor beside one that was asked for', async () => {
    const { browser, clock, store, sessions } = await serveSweeping()
    const door = gate()
    await browser().get('/')
    store.wait = () => door.opened
    await clock.advance(14.9 * MINUTE + 2 * MINUTE)
    expect(store.running).toBe(1)
    const asked = sessions.sweep()
    await clock.advance(10 * MINUTE)
    expect(store.limits).toHaveLength(1)
    door.open()
    await asked
    expect(store.most).toBe(1)
  })

  it('is there again after a failure, and after a store that never answered', async () => {
    const { browser, clock, store, sessions } = await serveSweeping()
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error))
    await browser().get('/')
    store.wait = () => Promise.reject(new Error('connection lost'))
    await clock.advance(17 * MINUTE)
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_STORE', op: 'sweep' })])
    store.wait = () => new Promise(() => {})
    await clock.advance(17 * MINUTE)
    store.wait = undefined
    await clock.advance(16 * MINUTE)
    expect(errors[1]).toMatchObject({ code: 'ERR_STORE_TIMEOUT', op: 'sweep', retryable: true })
    const before = store.limits.length
    await clock.advance(17 * MINUTE)
    expect(store.limits.length).toBeGreaterThan(before)
    expect(errors).toHaveLength(2)
  })

  it('leaves no timer behind after close()', async () => {
    const { browser, clock, sessions } = await serveSweeping()
    await browser().get('/')
    expect(clock.pending).toBe(1)
    await sessions.close()
    expect(clock.pending).toBe(0)
  })

  it('ends with close(), also in the middle of its steps', async () => {
    const { browser, clock, store, sessions } = await serveSweeping()
    await browser().get('/')
    const door = gate()
    store.wait = () => door.opened
    store.removed = [1000, 1000, 1000]
    await clock.advance(17 * MINUTE)
    const closing = sessions.close()
    door.open()
    await closing
    expect([store.limits.length, clock.pending]).toEqual([1, 0])
  })

  it('is none where the store expires by itself', async () => {
    const clock = new FakeClock()
    class Expiring extends MemoryStore {}
    Object.defineProperty(Expiring.prototype, 'sweep', { value: undefined })
    const sessions = session<AnyData>({ secret: SECRET, clock, store: new Expiring({ clock }) })
    const { origin } = await serve((req, res) => sessions(req, res, () => res.end()))
    await new CookieClient(origin, { clock }).get('/')
    expect([sessions.capabilities.sweep, clock.pending]).toEqual([false, 0])
    expect(await sessions.sweep()).toBe(0)
  })
})
