import { describe, expect, it } from 'vitest'
import { MemoryStore, type SessionManager, type Store } from '../../src/index.js'
import { FileStore } from '../../src/stores/file.js'
import { FakeClock } from '../../src/testing/index.js'
import { temporaryFolder } from '../example/app-process.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { gate } from '../support/turns.js'

const IDLE = 3_600_000

const STORES: Record<string, (clock: FakeClock) => Store> = {
  memory: (clock) => new MemoryStore({ clock }),
  files: (clock) => new FileStore({ path: temporaryFolder(), clock, fsync: false }),
}

/** What a request that has loaded the session does after the session has ended elsewhere. */
const LATE: Record<string, (sessions: SessionManager<AnyData>, req: object) => unknown> = {
  'a write': (sessions, req) => {
    sessions.of(req).session.late = true
  },
  'a save()': (sessions, req) => {
    const { session } = sessions.of(req)
    session.late = true
    return session.save().catch((error: { code: string }) => error.code)
  },
  'an update()': (sessions, req) =>
    sessions
      .of(req)
      .session.update((data) => {
        data.late = true
      })
      .catch((error: { code: string }) => error.code),
  'a touch()': (sessions, req) => sessions.of(req).session.touch(),
  'a regenerate()': (sessions, req) => sessions.of(req).session.regenerate({ keep: true }),
  'another login': (sessions, req) => {
    sessions.of(req).session.userId = 'eve'
  },
  nothing: () => {},
}

const ENDS = ['a logout', 'a regenerate()', 'a revoke', 'its expiry'] as const

/** Two requests with one session: the first loads and waits, and the second ends the session. */
async function lateAfter(end: (typeof ENDS)[number], late: string, makeStore: keyof typeof STORES) {
  const clock = new FakeClock()
  const store = STORES[makeStore]!(clock)
  const [inside, go] = [gate(), gate()]
  const { browser, origin, sessions } = await serveApp(
    (app, all) => {
      app.get('/login', (req, res) => {
        all.of(req).session.userId = 'ada'
        res.end(all.of(req).session.id)
      })
      app.get('/logout', async (req, res) => {
        await all.of(req).session.destroy()
        res.end()
      })
      app.get('/regenerate', async (req, res) => {
        await all.of(req).session.regenerate({ keep: true })
        res.end()
      })
      app.get('/late', async (req, res) => {
        // Loaded, and looked at.
        void all.of(req).session.userId
        inside.open()
        await go.opened
        res.json((await LATE[late]!(all, req)) ?? 'done')
      })
    },
    { store, clock, idleTimeout: IDLE },
  )
  const stale: string[] = []
  sessions.on('stale-write', ({ reason }) => stale.push(reason))
  const visitor = browser()
  const id = (await visitor.get('/login')).text()
  const old = { headers: { cookie: visitor.jar.header(`${origin}/`)! } }
  const waiting = browser().get('/late', old)
  await inside.opened
  if (end === 'a logout') await visitor.get('/logout')
  else if (end === 'a regenerate()') await visitor.get('/regenerate')
  else if (end === 'a revoke') expect(await sessions.revoke(id)).toBe(true)
  else clock.set(clock.now() + IDLE)
  go.open()
  const answer = await waiting
  await sessions.settled()
  const opened = (await browser().get('/', old)).json()
  const live = { ada: await sessions.list('ada'), eve: await sessions.list('eve') }
  return { answer, stale, opened, live }
}

describe.each(Object.keys(STORES))('in %s, a session that has ended by', (makeStore) => {
  it.each(ENDS.flatMap((end) => Object.keys(LATE).map((late) => [end, late] as const)))(
    '%s stays ended, whatever comes late: %s',
    async (end, late) => {
      const { answer, stale, opened, live } = await lateAfter(end, late, makeStore)
      expect(answer.setCookies).toEqual([])
      expect(opened).toEqual({})
      expect(live.eve).toEqual([])
      expect(live.ada).toHaveLength(end === 'a regenerate()' ? 1 : 0)
      const asks = late === 'a save()' || late === 'an update()'
      expect([answer.status, answer.json()]).toEqual([200, asks ? 'ERR_GONE' : 'done'])
      const changes = late !== 'a touch()' && late !== 'nothing'
      expect(stale).toHaveLength(changes ? 1 : 0)
    },
  )
})

it('CVE-2025-46336 (Rack::Session): a session deleted during a request is not restored by it', async () => {
  const { answer, stale, opened, live } = await lateAfter('a logout', 'a write', 'memory')
  expect(answer.setCookies).toEqual([])
  expect(stale).toEqual(['gone'])
  expect(opened).toEqual({})
  expect(live.ada).toEqual([])
})
