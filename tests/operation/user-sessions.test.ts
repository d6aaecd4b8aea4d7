import { describe, expect, it, onTestFinished } from 'vitest'
import type { Store } from '../../src/core/store.js'
import { MemoryStore, session } from '../../src/index.js'
import { FileStore } from '../../src/stores/file.js'
import { FakeClock } from '../../src/testing/index.js'
import { freshFolder } from '../stores/file-folder.js'
import { allEvents } from '../support/all-events.js'
import { type AnyData, SECRET, serveApp } from '../support/serve.js'
import { gate, turns } from '../support/turns.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR

const stores: [name: string, make: (clock: FakeClock) => Store][] = [
  ['memory', (clock) => new MemoryStore({ clock })],
  [
    'file',
    (clock) => {
      const folder = freshFolder()
      onTestFinished(() => folder.remove())
      return new FileStore({ path: folder.path, clock, fsync: false })
    },
  ],
]

async function serveDevices(store: Store, clock: FakeClock) {
  const inside = gate()
  const go = gate()
  const made = await serveApp(
    (app, sessions) => {
      app.get('/login/:user/:device', (req, res) => {
        const { user, device } = req.params
        Object.assign(sessions.of(req).session, { userId: user, device })
        res.end()
      })
      app.get('/id', (req, res) => void res.end(sessions.of(req).session.id))
      app.get('/logout', async (req, res) => {
        await sessions.of(req).session.destroy()
        res.end()
      })
      app.get('/regenerate', async (req, res) => {
        await sessions.of(req).session.regenerate({ keep: true })
        res.end()
      })
      app.get('/slow', async (req, res) => {
        sessions.of(req).session.written = true
        inside.open()
        await go.opened
        res.end()
      })
      app.get('/password', async (req, res) => {
        const { session } = sessions.of(req)
        res.json(await sessions.revokeUser('ada', { except: session.id }))
      })
    },
    { store, clock },
  )
  const signIn = async (user: string, device: string) => {
    const browser = made.browser()
    await browser.get(`/login/${user}/${device}`)
    return { browser, id: (await browser.get('/id')).text() }
  }
  return { ...made, signIn, inside: inside.opened, go: go.open }
}

describe.each(stores)('the sessions of a user in a %s store', (_, make) => {
  it('are listed exactly, with exactly these fields, the last seen first', async () => {
    const clock = new FakeClock()
    const { sessions, signIn } = await serveDevices(make(clock), clock)
    const expired = await signIn('ada', 'old phone')
    await clock.advance(DAY - 2 * HOUR)
    const begun = clock.now()
    const phone = await signIn('ada', 'phone')
    const out = await signIn('ada', 'library')
    const laptop = await signIn('ada', 'laptop')
    await out.browser.get('/logout')
    await signIn('bob', 'laptop')
    await clock.advance(2 * HOUR)
    // Seen again: only the last activity moves.
    await laptop.browser.get('/')
    await sessions.settled()
    const fields = { createdAt: begun, authenticatedAt: begun }
    expect(await sessions.list('ada')).toStrictEqual([
      {
        id: laptop.id,
        ...fields,
        lastSeenAt: clock.now(),
        expiresAt: clock.now() + DAY,
        data: { userId: 'ada', device: 'laptop' },
      },
      {
        id: phone.id,
        ...fields,
        lastSeenAt: begun,
        expiresAt: begun + DAY,
        data: { userId: 'ada', device: 'phone' },
      },
    ])
    expect((await expired.browser.get('/')).json()).toEqual({})
    expect(await sessions.list('nobody')).toEqual([])
  })

  it('hold nothing that opens one of them', async () => {
    const clock = new FakeClock()
    const { sessions, signIn, browser } = await serveDevices(make(clock), clock)
    await signIn('ada', 'phone')
    const [listed] = await sessions.list('ada')
    const cookie = `sid=${listed!.id}; __Host-sid=${listed!.id}`
    expect((await browser().get('/', { headers: { cookie } })).json()).toEqual({})
  })

  it('are those of one user: a number and its text are the same, near names are not', async () => {
    const clock = new FakeClock()
    const { sessions } = await serveDevices(make(clock), clock)
    const users = [1, '1', 1n, '01', '1 ', 'ada', 'Ada', 'ad', 'ada/../bob', 'ä']
    for (const userId of users) await sessions.issue({ userId: String(userId) })
    expect(await sessions.list(1)).toHaveLength(3)
    for (const user of ['1', 1n]) expect(await sessions.list(user)).toEqual(await sessions.list(1))
    for (const user of users.slice(3)) expect(await sessions.list(user)).toHaveLength(1)
    expect(await sessions.revokeUser('ada')).toBe(1)
    for (const user of users.slice(6)) expect(await sessions.list(user)).toHaveLength(1)
  })

  it('move with a change of user, and with a renewal', async () => {
    const clock = new FakeClock()
    const { sessions, signIn } = await serveDevices(make(clock), clock)
    const { browser } = await signIn('ada', 'shared')
    await browser.get('/login/bob/shared')
    expect([await sessions.list('ada'), (await sessions.list('bob')).length]).toEqual([[], 1])
    await browser.get('/regenerate')
    const [listed, ...others] = await sessions.list('bob')
    expect([listed!.id, others]).toEqual([(await browser.get('/id')).text(), []])
  })

  it('can be ended one by one, also by a handle that a renewal has just replaced', async () => {
    const clock = new FakeClock()
    const { sessions, signIn } = await serveDevices(make(clock), clock)
    const told = allEvents(sessions)
    const { browser, id } = await signIn('ada', 'phone')
    await browser.get('/regenerate')
    const now = (await browser.get('/id')).text()
    expect(await sessions.revoke(id)).toBe(true)
    expect(await sessions.revoke(id)).toBe(false)
    expect(told.at(-1)).toEqual([
      'destroy',
      { id: now, user: 'ada', reason: 'revoked', at: clock.now() },
    ])
    expect((await browser.get('/')).json()).toEqual({})
  })

  it('that are ended while a request runs cannot be written by it', async () => {
    const clock = new FakeClock()
    const { sessions, signIn, inside, go } = await serveDevices(make(clock), clock)
    const { browser, id } = await signIn('ada', 'phone')
    const told = allEvents(sessions)
    const slow = browser.get('/slow')
    await inside
    expect(await sessions.revoke(id)).toBe(true)
    go()
    expect(await slow).toMatchObject({ status: 200, setCookies: [] })
    expect(told.map(([name]) => name)).toEqual(['destroy', 'stale-write'])
    expect(await sessions.list('ada')).toEqual([])
  })

  it('all end but one after a password change, also those in the middle of a request', async () => {
    const clock = new FakeClock()
    const { sessions, signIn, inside, go } = await serveDevices(make(clock), clock)
    const mine = await signIn('ada', 'mine')
    const others = [await signIn('ada', 'a'), await signIn('ada', 'b')]
    const bob = await signIn('bob', 'his')
    const slow = others[0]!.browser.get('/slow')
    await inside
    expect((await mine.browser.get('/password')).json()).toBe(2)
    const anonymous = await Promise.all(others.map(({ browser }) => browser.clone().get('/')))
    expect(anonymous.map((answer) => [answer.status, answer.json()])).toEqual([
      [200, {}],
      [200, {}],
    ])
    go()
    expect(await slow).toMatchObject({ status: 200, setCookies: [] })
    expect((await sessions.list('ada')).map(({ id }) => id)).toEqual([mine.id])
    expect((await bob.browser.get('/')).json()).toMatchObject({ device: 'his' })
  })

  it('are all found and ended, however many they are, and no other one', async () => {
    const clock = new FakeClock()
    const { sessions } = await serveDevices(make(clock), clock)
    const issued = (userId: string, n: number) =>
      Promise.all(Array.from({ length: n }, () => sessions.issue({ userId })))
    await issued('ada', 60)
    await issued('bob', 5)
    expect(await sessions.list('ada')).toHaveLength(60)
    expect(await sessions.revokeUser('ada')).toBe(60)
    expect([(await sessions.list('ada')).length, (await sessions.list('bob')).length]).toEqual([
      0, 5,
    ])
  })
})

describe('revokeUser() beside requests of the same user', () => {
  /** Lets something happen after the index has been read, or right before a record is ended. */
  class Indexed extends MemoryStore {
    afterIndex: (() => Promise<unknown>) | undefined
    beforeEnd: (() => Promise<unknown>) | undefined

    override replace(...args: Parameters<MemoryStore['replace']>): never {
      const then = this.beforeEnd
      this.beforeEnd = undefined
      return Promise.resolve(then?.()).then(() => super.replace(...args)) as never
    }

    override async keysOfUser(user: string): Promise<string[]> {
      const keys = await super.keysOfUser(user)
      const then = this.afterIndex
      this.afterIndex = undefined
      await then?.()
      return keys
    }
  }

  async function between(
    during: (made: Awaited<ReturnType<typeof serveDevices>>, phone: Phone) => Promise<unknown>,
  ) {
    const clock = new FakeClock()
    const store = new Indexed({ clock })
    const made = await serveDevices(store, clock)
    const mine = await made.signIn('ada', 'mine')
    const phone = await made.signIn('ada', 'phone')
    store.afterIndex = () => during(made, phone)
    const ended = await made.sessions.revokeUser('ada', { except: mine.id })
    return { ...made, mine, phone, ended }
  }
  type Phone = Awaited<ReturnType<Awaited<ReturnType<typeof serveDevices>>['signIn']>>

  it('ends a session that gets a new id after the index was read', async () => {
    const { phone, ended, sessions, mine } = await between((_, { browser }) =>
      browser.get('/regenerate'),
    )
    expect((await phone.browser.get('/')).json()).toEqual({})
    expect(ended).toBe(1)
    expect((await sessions.list('ada')).map(({ id }) => id)).toEqual([mine.id])
  })

  it('spares the own session while it gets a new id, though it is stored under both', async () => {
    const clock = new FakeClock()
    const store = new Indexed({ clock })
    const { sessions, signIn } = await serveDevices(store, clock)
    const mine = await signIn('ada', 'mine')
    const phone = await signIn('ada', 'phone')
    const own = await mine.browser.get('/')
    let ended: number | undefined
    let listed: number | undefined
    store.beforeEnd = async () => {
      listed = (await sessions.list('ada')).length
      ended = await sessions.revokeUser('ada', { except: mine.id })
    }
    await mine.browser.get('/regenerate')
    expect([listed, ended]).toEqual([3, 1])
    expect((await mine.browser.get('/')).json()).toEqual(own.json())
    expect((await phone.browser.get('/')).json()).toEqual({})
  })

  it('spares the own session that got a new id after the index was read', async () => {
    const clock = new FakeClock()
    const store = new Indexed({ clock })
    const { sessions, signIn } = await serveDevices(store, clock)
    const mine = await signIn('ada', 'mine')
    const own = await mine.browser.get('/')
    store.afterIndex = () => mine.browser.get('/regenerate')
    expect(await sessions.revokeUser('ada', { except: mine.id })).toBe(0)
    expect((await mine.browser.get('/')).json()).toEqual(own.json())
  })

  it('ends a session that gets a new id at that very moment, as revoke() does', async () => {
    const clock = new FakeClock()
    const store = new Indexed({ clock })
    const made = await serveDevices(store, clock)
    // In one process the one would wait for the other.
    const other = await serveDevices(store, clock)
    const { browser, id } = await other.signIn('ada', 'phone')
    const regenerate = () => browser.get('/regenerate')
    store.beforeEnd = regenerate
    expect(await made.sessions.revoke(id)).toBe(true)
    expect((await browser.get('/')).json()).toEqual({})
    await browser.get('/login/ada/phone')
    store.beforeEnd = regenerate
    expect(await made.sessions.revokeUser('ada')).toBe(1)
    expect((await browser.get('/')).json()).toEqual({})
  })

  it('ends a session that is written and touched after the index was read', async () => {
    const { phone, ended } = await between(async ({ clock, go }, { browser }) => {
      go()
      // Without running timers: the index is still to answer.
      clock.set(clock.now() + 2 * 60_000)
      await browser.get('/')
      await turns()
      await browser.get('/slow')
    })
    expect((await phone.browser.get('/')).json()).toEqual({})
    expect(ended).toBe(1)
  })

  it('ends a session that changes hands to the user after the index was read', async () => {
    const store = new Indexed()
    const clock = new FakeClock()
    const made = await serveDevices(store, clock)
    const phone = await made.signIn('ada', 'phone')
    const anonymous = made.browser()
    store.afterIndex = () => anonymous.get('/login/ada/late')
    expect(await made.sessions.revokeUser('ada')).toBe(2)
    for (const browser of [phone.browser, anonymous]) {
      expect((await browser.get('/')).json()).toEqual({})
    }
  })

  it('spares the one that is excepted, though its id is being renewed', async () => {
    const clock = new FakeClock()
    const store = new Indexed({ clock })
    const made = await serveDevices(store, clock)
    const mine = await made.signIn('ada', 'mine')
    await made.signIn('ada', 'phone')
    store.afterIndex = () => mine.browser.get('/regenerate')
    expect(await made.sessions.revokeUser('ada', { except: mine.id })).toBe(1)
    expect((await mine.browser.get('/')).json()).toMatchObject({ device: 'mine' })
  })

  it('leaves nothing of before, and everything of after, whatever races', async () => {
    const clock = new FakeClock()
    const store = new MemoryStore({ clock })
    // Two processes.
    const one = await serveDevices(store, clock)
    const two = await serveDevices(store, clock)
    two.go()
    for (let round = 0; round < 10; round++) {
      const mine = await one.signIn('ada', 'mine')
      const before = await Promise.all(['a', 'b', 'c'].map((name) => two.signIn('ada', name)))
      const racing = [
        before[0]!.browser.get('/regenerate'),
        before[1]!.browser.get('/slow'),
        before[2]!.browser.get('/login/bob/switched'),
        ...Array.from({ length: round % 3 }, () => turns(1)),
      ]
      await turns(round % 4)
      const ended = one.sessions.revokeUser('ada', { except: mine.id })
      await Promise.all([...racing, ended])
      await clock.advance(1)
      const after = await two.signIn('ada', 'after')
      const listed = await one.sessions.list('ada')
      expect(listed.map(({ id }) => id).sort()).toEqual([mine.id, after.id].sort())
      await one.sessions.revokeUser('ada')
      await one.sessions.revokeUser('bob')
    }
  })
})

describe('a store without an index of users', () => {
  it('says so, before and when it is asked', async () => {
    const clock = new FakeClock()
    const { load, create, replace, touch, destroy } = MemoryStore.prototype
    const inner = new MemoryStore({ clock })
    const methods = { load, create, replace, touch, destroy }
    const plain = Object.fromEntries(
      Object.entries(methods).map(([name, method]) => [name, method.bind(inner)]),
    )
    const sessions = session<AnyData>({ secret: SECRET, clock, store: plain as unknown as Store })
    expect(sessions.capabilities).toMatchObject({ byUser: false, revoke: true })
    await sessions.issue({ userId: 'ada' })
    for (const call of [sessions.list('ada'), sessions.revokeUser('ada')]) {
      await expect(call).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    }
  })
})
