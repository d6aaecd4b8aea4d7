import { describe, expect, it } from 'vitest'
import type { EventName, StoreReport } from '../../src/index.js'
import { MemoryStore } from '../../src/index.js'
import { type CookieClient, FakeClock } from '../../src/testing/index.js'
import { allEvents, EVENT_NAMES, type Told } from '../support/all-events.js'
import { fatal } from '../support/process-events.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { gate, meeting, turns } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const IDLE = 60_000
const ABSOLUTE = 10 * IDLE

/** A memory store that a test can let report, and let fail. */
class Reporter extends MemoryStore {
  #listeners = new Set<(report: StoreReport) => void>()
  failing: 'replace' | 'sweep' | undefined

  override onReport(listener: (report: StoreReport) => void): () => void {
    this.#listeners.add(listener)
    return super.onReport(listener)
  }
  report(report: StoreReport): void {
    for (const listener of this.#listeners) listener(report)
  }
  override replace(...args: Parameters<MemoryStore['replace']>) {
    if (this.failing === 'replace') throw new Error('connection lost')
    return super.replace(...args)
  }
  override async sweep(options?: { limit?: number }): Promise<number> {
    if (this.failing === 'sweep') throw new Error('disk gone')
    return super.sweep(options)
  }
}

interface Setting {
  readonly watched?: boolean
  readonly maxEntries?: number
  readonly onStoreError?: 'anonymous'
}

/** An app whose every handler does one thing to the session. */
async function scene({ watched = false, maxEntries = 100, onStoreError }: Setting = {}) {
  const clock = new FakeClock()
  const inner = new Reporter({ clock, maxEntries })
  const store = new WatchedStore(inner)
  const inside = gate()
  const go = gate()
  const met = meeting(2)
  const made = await serveApp(
    (app, sessions) => {
      const does = (path: string, run: (session: AnyData & SessionOf) => unknown) => {
        app.get(path, async (req, res) => {
          await run(sessions.of(req).session as AnyData & SessionOf)
          res.end()
        })
      }
      app.get('/id', (req, res) => void res.end(sessions.of(req).session.id))
      does('/set', (session) => {
        session.cart = clock.now()
      })
      app.get('/user/:name', (req, res) => {
        sessions.of(req).session.userId = req.params.name
        res.end()
      })
      does('/signout', (session) => {
        delete session.userId
      })
      does('/regenerate', (session) => session.regenerate({ keep: true }))
      does('/destroy', (session) => session.destroy())
      does('/destroy-and-set', async (session) => {
        await session.destroy()
        session.cart = 1
      })
      does('/unawaited', (session) => void session.save())
      does('/slow', async (session) => {
        session.cart = 'slow'
        inside.open()
        await go.opened
      })
      app.get('/both/:value', async (req, res) => {
        const { session } = sessions.of(req)
        session.cart = req.params.value
        await met()
        res.end()
      })
      app.get('/null', (req, res) => {
        Reflect.set(req, 'session', null)
        res.end()
      })
      app.get('/authenticated', async (req, res) => {
        await sessions.of(req).authenticated()
        res.end()
      })
      app.get('/late', (req, res) => {
        res.write('begun')
        sessions.of(req).session.cart = 1
        res.end()
      })
    },
    {
      clock,
      store: watched ? store : inner,
      idleTimeout: IDLE,
      absoluteTimeout: ABSOLUTE,
      ...(onStoreError === undefined ? {} : { onStoreError }),
    },
  )
  const told = allEvents(made.sessions)
  const { browser: _, ...rest } = made
  return {
    ...rest,
    inner,
    store,
    inside,
    go,
    told,
    visitor: made.browser(),
    another: made.browser,
    /** The handle that a browser's session has now. */
    async handle(browser: CookieClient): Promise<string> {
      return (await browser.get('/id')).text()
    },
    /** Forgets what the preparation has told. */
    from<T>(prepared: T): T {
      told.length = 0
      return prepared
    },
  }
}

interface SessionOf {
  regenerate(options: { keep: boolean }): Promise<void>
  destroy(): Promise<void>
  save(): Promise<void>
}

type Scene = Awaited<ReturnType<typeof scene>>

interface Scenario {
  readonly event: EventName
  /** Its reason, or what brings it about. */
  readonly by: string
  readonly setting?: Setting
  /** Brings it about, and gives what should have been told, without the time. */
  run(scene: Scene): Promise<[name: EventName, fields: object][]>
}

async function signedIn({ visitor, handle, from }: Scene, user = 'ada'): Promise<string> {
  await visitor.get(`/user/${user}`)
  return from(await handle(visitor))
}

const failure = (code: string) => expect.objectContaining({ code })

const scenarios: Scenario[] = [
  {
    event: 'create',
    by: 'first data',
    async run({ visitor, handle }) {
      await visitor.get('/set')
      return [['create', { id: await handle(visitor) }]]
    },
  },
  {
    event: 'create',
    by: 'a sign-in',
    async run({ visitor, handle }) {
      await visitor.get('/user/ada')
      return [['create', { id: await handle(visitor), user: 'ada' }]]
    },
  },
  {
    event: 'create',
    by: 'issue()',
    async run({ sessions }) {
      await sessions.issue({ userId: 7 })
      const [one] = await sessions.list(7)
      return [['create', { id: one!.id, user: '7' }]]
    },
  },
  {
    event: 'commit',
    by: 'changed data',
    async run(made) {
      const id = await signedIn(made)
      await made.visitor.get('/set')
      return [['commit', { id, user: 'ada' }]]
    },
  },
  {
    event: 'renew',
    by: 'login',
    async run({ visitor, handle, from }) {
      await visitor.get('/set')
      const old = from(await handle(visitor))
      await visitor.get('/user/ada')
      const id = await handle(visitor)
      return [['renew', { id, from: old, user: 'ada', reason: 'login' }]]
    },
  },
  {
    event: 'renew',
    by: 'logout',
    async run(made) {
      await made.visitor.get('/set')
      const old = await signedIn(made)
      await made.visitor.get('/signout')
      const id = await made.handle(made.visitor)
      return [['renew', { id, from: old, reason: 'logout' }]]
    },
  },
  {
    event: 'renew',
    by: 'switch',
    async run(made) {
      const old = await signedIn(made)
      await made.visitor.get('/user/bob')
      const id = await made.handle(made.visitor)
      return [['renew', { id, from: old, user: 'bob', reason: 'switch' }]]
    },
  },
  {
    event: 'renew',
    by: 'authenticated',
    async run(made) {
      const old = await signedIn(made)
      await made.visitor.get('/authenticated')
      const id = await made.handle(made.visitor)
      return [['renew', { id, from: old, user: 'ada', reason: 'authenticated' }]]
    },
  },
  {
    event: 'renew',
    by: 'regenerate',
    async run(made) {
      const old = await signedIn(made)
      await made.visitor.get('/regenerate')
      const id = await made.handle(made.visitor)
      return [['renew', { id, from: old, user: 'ada', reason: 'regenerate' }]]
    },
  },
  ...['/destroy', '/null'].map(
    (path): Scenario => ({
      event: 'destroy',
      by: `logout (${path})`,
      async run(made) {
        const id = await signedIn(made)
        await made.visitor.get(path)
        return [['destroy', { id, user: 'ada', reason: 'logout' }]]
      },
    }),
  ),
  {
    event: 'destroy',
    by: 'revoked, by revoke()',
    async run(made) {
      const id = await signedIn(made)
      await made.sessions.revoke(id)
      return [['destroy', { id, user: 'ada', reason: 'revoked' }]]
    },
  },
  {
    event: 'destroy',
    by: 'revoked, by revokeUser()',
    async run(made) {
      const id = await signedIn(made)
      await made.sessions.revokeUser('ada')
      return [['destroy', { id, user: 'ada', reason: 'revoked' }]]
    },
  },
  {
    event: 'destroy',
    by: 'evicted',
    setting: { maxEntries: 1 },
    async run(made) {
      const id = await signedIn(made)
      const other = made.another()
      await other.get('/user/bob')
      return [
        ['destroy', { id, user: 'ada', reason: 'evicted' }],
        ['create', { id: await made.handle(other), user: 'bob' }],
      ]
    },
  },
  {
    event: 'expire',
    by: 'idle, found by a request',
    async run(made) {
      const id = await signedIn(made)
      await made.clock.advance(IDLE)
      await made.visitor.get('/')
      return [['expire', { id, user: 'ada', reason: 'idle' }]]
    },
  },
  {
    event: 'expire',
    by: 'idle, found by a sweep',
    async run(made) {
      const id = await signedIn(made)
      await made.clock.advance(IDLE)
      await made.sessions.sweep()
      return [['expire', { id, user: 'ada', reason: 'idle' }]]
    },
  },
  {
    event: 'expire',
    by: 'absolute, of a session in use',
    async run(made) {
      const id = await signedIn(made)
      const steps = ABSOLUTE / (IDLE / 2)
      for (let step = 0; step < steps; step++) {
        await made.clock.advance(IDLE / 2)
        await made.visitor.get('/')
      }
      await made.sessions.settled()
      return [['expire', { id, user: 'ada', reason: 'absolute' }]]
    },
  },
  {
    event: 'stale-write',
    by: 'gone',
    async run(made) {
      const id = await signedIn(made)
      const slow = made.visitor.get('/slow')
      await made.inside.opened
      await made.sessions.revoke(id)
      made.go.open()
      expect((await slow).status).toBe(200)
      return [
        ['destroy', { id, user: 'ada', reason: 'revoked' }],
        ['stale-write', { id, user: 'ada', reason: 'gone' }],
      ]
    },
  },
  {
    event: 'stale-write',
    by: 'superseded',
    async run(made) {
      const id = await signedIn(made)
      const old = made.visitor.clone()
      await made.visitor.get('/regenerate')
      made.from(undefined)
      await old.get('/set')
      return [['stale-write', { id, reason: 'superseded' }]]
    },
  },
  {
    event: 'stale-write',
    by: 'destroyed',
    async run(made) {
      const id = await signedIn(made)
      await made.visitor.get('/destroy-and-set')
      return [
        ['destroy', { id, user: 'ada', reason: 'logout' }],
        ['stale-write', { id, user: 'ada', reason: 'destroyed' }],
      ]
    },
  },
  {
    event: 'stale-write',
    by: 'unavailable',
    setting: { watched: true, onStoreError: 'anonymous' },
    async run(made) {
      await signedIn(made)
      made.store.fail('load')
      await made.visitor.get('/set')
      return [
        ['error', { error: failure('ERR_STORE') }],
        ['stale-write', { reason: 'unavailable' }],
      ]
    },
  },
  {
    event: 'conflict',
    by: 'two requests that change one key',
    async run(made) {
      const id = await signedIn(made)
      await Promise.all([made.visitor.get('/both/1'), made.visitor.get('/both/2')])
      return [
        ['commit', { id, user: 'ada' }],
        ['conflict', { id, user: 'ada', keys: ['cart'] }],
        ['commit', { id, user: 'ada' }],
      ]
    },
  },
  ...Object.entries({
    json: '{',
    shape: '[]',
    version: '{"v":99}',
    depth: `{"v":1,"facts":{"created":1,"started":1,"idle":1},"data":{"a":${'['.repeat(2000)}${']'.repeat(2000)}}}`,
  }).map(
    ([reason, text]): Scenario => ({
      event: 'corrupt',
      by: reason,
      async run(made) {
        const id = await signedIn(made)
        const stored = made.inner.load(id)!
        made.inner.replace(id, { ...stored, text }, stored)
        await made.visitor.get('/')
        return [['corrupt', { id, reason }]]
      },
    }),
  ),
  {
    event: 'reject',
    by: 'format',
    async run({ visitor }) {
      await visitor.get('/', { headers: { cookie: 'sid=../../etc/passwd' } })
      return [['reject', { reason: 'format' }]]
    },
  },
  {
    event: 'reject',
    by: 'signature',
    async run(made) {
      const token = await made.sessions.issue({})
      made.from(undefined)
      const forged = `${token.slice(0, -1)}${token.endsWith('A') ? 'Q' : 'A'}`
      await made.visitor.get('/', { headers: { cookie: `sid=${forged}` } })
      return [['reject', { reason: 'signature' }]]
    },
  },
  {
    event: 'reject',
    by: 'unknown',
    async run(made) {
      const id = await signedIn(made)
      made.inner.destroy(id)
      await made.visitor.get('/')
      return [['reject', { id, reason: 'unknown' }]]
    },
  },
  {
    event: 'duplicate',
    by: 'two live cookies',
    async run({ sessions, visitor, from }) {
      const tokens = [await sessions.issue({ userId: 1 }), await sessions.issue({ userId: 2 })]
      const all = [...(await sessions.list(1)), ...(await sessions.list(2))]
      from(undefined)
      const cookie = tokens.map((token) => `sid=${token}`).join('; ')
      await visitor.get('/', { headers: { cookie } })
      return [['duplicate', { ids: all.map(({ id }) => id) }]]
    },
  },
  {
    event: 'error',
    by: 'a failing load',
    setting: { watched: true },
    async run(made) {
      await signedIn(made)
      made.store.fail('load')
      expect((await made.visitor.get('/')).status).toBe(503)
      return [['error', { error: failure('ERR_STORE') }]]
    },
  },
  {
    event: 'error',
    by: 'a failing commit',
    setting: { watched: true },
    async run(made) {
      await signedIn(made)
      made.store.fail('replace')
      expect((await made.visitor.get('/set')).status).toBe(500)
      return [['error', { error: failure('ERR_STORE') }]]
    },
  },
  {
    event: 'error',
    by: 'a failing call that nobody awaits, told once though it fails the request too',
    setting: { watched: true },
    async run(made) {
      made.store.fail('create')
      expect((await made.visitor.get('/unawaited')).status).toBe(500)
      return [['error', { error: failure('ERR_STORE') }]]
    },
  },
  {
    event: 'error',
    by: 'a failing touch',
    setting: { watched: true },
    async run(made) {
      const id = await signedIn(made)
      await made.clock.advance(IDLE / 2)
      made.store.fail('touch')
      expect((await made.visitor.get('/')).status).toBe(200)
      await made.sessions.settled()
      return [['error', { id, error: failure('ERR_STORE') }]]
    },
  },
  {
    event: 'error',
    by: 'a failing sweep of the loop',
    async run(made) {
      await made.visitor.get('/')
      made.inner.failing = 'sweep'
      await made.clock.advance(17 * 60_000)
      return [['error', { at: expect.any(Number), error: failure('ERR_STORE') }]]
    },
  },
  {
    event: 'error',
    by: 'something the store met by itself',
    async run(made) {
      const cause = new Error('index refused')
      made.inner.report({ type: 'error', op: 'index', error: cause })
      const error = expect.objectContaining({ code: 'ERR_STORE', op: 'index', cause })
      return [['error', { error }]]
    },
  },
  ...Object.entries({
    'that throws': () => {
      throw new Error('of the listener')
    },
    'that rejects': async () => {
      throw new Error('of the listener')
    },
    'whose promise is of another make': () => ({
      // biome-ignore lint/suspicious/noThenProperty: that is what it is about.
      then: (_: unknown, failed: (error: Error) => void) => failed(new Error('of the listener')),
    }),
  }).map(
    ([by, listener]): Scenario => ({
      event: 'error',
      by: `a listener ${by}`,
      async run(made) {
        made.sessions.on('create', listener)
        await made.visitor.get('/set')
        const id = await made.handle(made.visitor)
        const error = expect.objectContaining({ message: 'of the listener' })
        return [
          ['create', { id }],
          ['error', { error }],
        ]
      },
    }),
  ),
  {
    event: 'warning',
    by: 'data set after the headers',
    async run({ visitor }) {
      await visitor.get('/late')
      return [['warning', { code: 'WARN_TOO_LATE', message: expect.any(String) }]]
    },
  },
]

describe('an event is told, once and with its fields:', () => {
  it.each(scenarios)('$event by $by', async ({ setting, run }) => {
    const made = await scene(setting)
    const expected = await run(made)
    const at = made.clock.now()
    expect(made.told).toEqual(expected.map(([name, fields]) => [name, { at, ...fields }]))
  })

  it('and none is missing in this table', () => {
    expect(new Set(scenarios.map(({ event }) => event))).toEqual(new Set(EVENT_NAMES))
  })
})

/** What a visitor and an administrator do in a day; gives what they see of it. */
async function aDay({ visitor, another, sessions, clock, inner }: Scene): Promise<unknown[]> {
  const seen: unknown[] = []
  const visit = async (path: string, browser = visitor) => {
    const { status, setCookies } = await browser.get(path)
    seen.push([path, status, setCookies.length])
  }
  for (const path of ['/set', '/user/ada', '/set', '/regenerate', '/late']) await visit(path)
  await visit('/user/bob', another())
  seen.push(await sessions.revokeUser('bob'))
  await visit('/destroy-and-set')
  await visit('/set')
  const old = visitor.clone()
  await visit('/user/ada')
  await visit('/set', old)
  inner.failing = 'replace'
  await visit('/set')
  inner.failing = undefined
  await clock.advance(IDLE)
  await visit('/')
  seen.push(await sessions.sweep())
  return seen
}

describe('listeners', () => {
  const bad: [string, () => unknown][] = [
    [
      'that throw',
      () => {
        throw new Error('thrown')
      },
    ],
    ['that reject', () => Promise.reject(new Error('rejected'))],
    ['that never end', () => new Promise(() => {})],
    ['that throw what is no error', () => Promise.reject('nothing')],
  ]

  it.each(bad)('%s change nothing for anybody', async (_, listener) => {
    const unhandled = fatal('unhandledRejection')
    const uncaught = fatal('uncaughtException')
    const undisturbed = await aDay(await scene())
    const made = await scene()
    for (const name of EVENT_NAMES) made.sessions.on(name, listener)
    const heard = allEvents(made.sessions)
    expect(await aDay(made)).toEqual(undisturbed)
    await turns()
    const without = (told: Told[]) =>
      told.filter(([name]) => name !== 'error').map(([name]) => name)
    expect(without(heard)).toEqual(without(made.told))
    expect(new Set(without(made.told)).size).toBeGreaterThanOrEqual(6)
    expect([...unhandled, ...uncaught]).toEqual([])
  })

  it('are heard until they are taken off', async () => {
    const { sessions, visitor } = await scene()
    let heard = 0
    const stop = sessions.on('create', () => heard++)
    await visitor.get('/set')
    stop()
    stop()
    await sessions.issue({ cart: 1 })
    expect(heard).toBe(1)
  })
})
