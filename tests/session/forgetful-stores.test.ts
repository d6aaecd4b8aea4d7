import { describe, expect, it } from 'vitest'
import { epochKey } from '../../src/core/user-epochs.js'
import { MemcachedStore } from '../../src/stores/memcached.js'
import { type CookieClient, FakeClock } from '../../src/testing/index.js'
import { fakeMemcached } from '../support/fake-memcached.js'
import { serveApp } from '../support/serve.js'

const HOUR = 3_600_000

/** An app on a store that may forget which sessions a user has. */
async function forgetful() {
  const clock = new FakeClock()
  const server = await fakeMemcached({ now: () => clock.now() })
  const store = new MemcachedStore({ servers: server.url, timeout: 60_000, clock })
  const routes: Parameters<typeof serveApp>[0] = (express, sessions) => {
    const dataOf = (req: object) => sessions.of(req as never).session
    express.get('/login/:user', (req, res) => {
      dataOf(req).userId = req.params.user
      res.end()
    })
    express.get('/count', (req, res) => {
      const data = dataOf(req)
      data.n = Number(data.n ?? 0) + 1
      res.end(String(data.n))
    })
    express.get('/logout', async (req, res) => {
      await dataOf(req).destroy()
      res.end()
    })
    express.get('/others', async (req, res) => {
      const user = String(dataOf(req).userId)
      res.end(String(await sessions.revokeUser(user, { except: dataOf(req).id })))
    })
    express.get('/renew', async (req, res) => {
      await sessions.of(req).authenticated()
      res.end()
    })
    express.get('/id', (req, res) => void res.end(String(dataOf(req).id)))
    express.get('/who', (req, res) => void res.end(String(dataOf(req).userId)))
  }
  const app = await serveApp(routes, { store, clock, storeTimeout: 10 * HOUR })
  const { sessions, browser } = app
  const drop = (kind: string) => {
    const names = [...server.items.keys()].filter((name) => name.startsWith(kind))
    for (const name of names) server.items.delete(name)
    return names.length
  }
  /** As a full server does it, whose name is a hash: the record of the user is JSON with an epoch. */
  const dropEpochs = () => {
    for (const [name, { value }] of server.items) {
      if (value.includes('"epoch":') && !value.includes('"facts"')) server.items.delete(name)
    }
  }
  const signedIn = async (user: string) => {
    const one = browser()
    await one.get(`/login/${user}`)
    return one
  }
  const seen = async (one: CookieClient) => (await one.get('/who')).text()
  return { clock, server, store, sessions, drop, dropEpochs, browser, signedIn, seen }
}

describe('a store that may forget the sessions of a user', () => {
  it('is not waited for by a sign-out once the session has ended', async () => {
    const { store, sessions, signedIn, seen } = await forgetful()
    const ada = await signedIn('ada')
    const remove = store.destroy.bind(store)
    let resume = () => {}
    const gate = new Promise<void>((resolve) => {
      resume = resolve
    })
    const asked: string[] = []
    store.destroy = async (key) => {
      asked.push(key)
      await gate
      return remove(key)
    }
    expect((await ada.get('/logout')).status).toBe(200)
    expect(asked).toHaveLength(1)
    expect(await seen(ada)).toBe('undefined')
    resume()
    await sessions.settled()
    expect(await store.load(asked[0]!)).toBeUndefined()
  })

  it('ends all of them by revokeUser() although it has forgotten their list', async () => {
    const { sessions, drop, signedIn, seen } = await forgetful()
    const [ada, phone, eve] = [await signedIn('ada'), await signedIn('ada'), await signedIn('eve')]
    expect(drop('~u:')).toBe(2)
    expect(await sessions.revokeUser('ada')).toBe(0)
    expect([await seen(ada), await seen(phone), await seen(eve)]).toEqual([
      'undefined',
      'undefined',
      'eve',
    ])
    expect(await seen(await signedIn('ada'))).toBe('ada')
  })

  it('spares the session that is named, also after it was renewed', async () => {
    const { signedIn, seen, drop } = await forgetful()
    const [ada, phone] = [await signedIn('ada'), await signedIn('ada')]
    drop('~u:')
    await ada.get('/others')
    expect([await seen(ada), await seen(phone)]).toEqual(['ada', 'undefined'])
    await ada.get('/count')
    await ada.get('/others')
    expect(await seen(ada)).toBe('ada')
    expect((await ada.get('/count')).text()).toBe('2')
  })

  it('counts what it ends, where it has the list', async () => {
    const { sessions, signedIn, seen } = await forgetful()
    const [ada, phone] = [await signedIn('ada'), await signedIn('ada')]
    const ended: unknown[] = []
    sessions.on('destroy', ({ reason, user }) => ended.push([reason, user]))
    expect(await sessions.list('ada')).toHaveLength(2)
    expect((await ada.get('/others')).text()).toBe('1')
    expect(ended).toEqual([['revoked', 'ada']])
    expect(await sessions.list('ada')).toHaveLength(1)
    expect(await seen(phone)).toBe('undefined')
  })

  it('signs a user out whose epoch it has forgotten, and lets no old session in again', async () => {
    const { clock, dropEpochs, signedIn, seen } = await forgetful()
    const [ada, phone] = [await signedIn('ada'), await signedIn('ada')]
    dropEpochs()
    expect(await seen(phone)).toBe('undefined')
    await clock.advance(1000)
    const again = await signedIn('ada')
    expect([await seen(again), await seen(ada)]).toEqual(['ada', 'undefined'])
  })

  it('lets nobody in by a record that names no epoch', async () => {
    const { server, signedIn, seen } = await forgetful()
    const ada = await signedIn('ada')
    for (const item of server.items.values()) {
      const text = item.value.toString()
      if (text.includes('"facts"')) item.value = Buffer.from(text.replace(/,"epoch":\d+/, ''))
    }
    expect(await seen(ada)).toBe('undefined')
  })

  it('binds a session to the one who is signed in last', async () => {
    const { clock, sessions, signedIn, seen } = await forgetful()
    const one = await signedIn('ada')
    await clock.advance(1000)
    await one.get('/login/bob')
    expect(await seen(one)).toBe('bob')
    await sessions.revokeUser('ada')
    expect(await seen(one)).toBe('bob')
    await sessions.revokeUser('bob')
    expect(await seen(one)).toBe('undefined')
  })

  it('spares a session by the name that it had before it was renewed', async () => {
    const { sessions, signedIn, seen } = await forgetful()
    const ada = await signedIn('ada')
    const before = (await ada.get('/id')).text()
    await ada.get('/renew')
    expect((await ada.get('/id')).text()).not.toBe(before)
    await sessions.revokeUser('ada', { except: before })
    expect(await seen(ada)).toBe('ada')
  })

  it('takes nothing from who was revoked while a request was running', async () => {
    const { sessions, signedIn, seen } = await forgetful()
    const ada = await signedIn('ada')
    const [answer] = await Promise.all([ada.get('/count'), sessions.revokeUser('ada')])
    expect(answer.status).toBe(200)
    expect(await seen(ada)).toBe('undefined')
  })

  it('reads a signed-in session in two steps, and one of nobody in one', async () => {
    const { server, browser, signedIn, seen } = await forgetful()
    const nobody = browser()
    await nobody.get('/count')
    const ada = await signedIn('ada')
    const commands = async (one: CookieClient) => {
      const from = server.asked.length
      await seen(one)
      return server.asked.slice(from).map((line) => line.split(' ')[0])
    }
    expect(await commands(nobody)).toEqual(['mg'])
    expect(await commands(ada)).toEqual(['mg', 'mg'])
  })

  it('keeps the epoch of a user for longer than any session, without a word at each request', async () => {
    const { clock, server, signedIn, seen, sessions } = await forgetful()
    const ada = await signedIn('ada')
    for (let day = 0; day < 28; day++) {
      await clock.advance(23 * HOUR)
      expect(await seen(ada)).toBe('ada')
      await sessions.settled()
    }
    const phone = await signedIn('ada')
    await sessions.settled()
    for (let day = 0; day < 28; day++) {
      await clock.advance(23 * HOUR)
      expect(await seen(phone)).toBe('ada')
      await sessions.settled()
    }
    const key = epochKey('ada')
    const touches = server.asked.filter((line) => line.startsWith(`touch ${key} `))
    expect(touches.length).toBeGreaterThan(0)
    expect(touches.length).toBeLessThan(10)
  })

  it('ends a session by logging out, also with a store that forgets', async () => {
    const { signedIn, seen } = await forgetful()
    const ada = await signedIn('ada')
    const stolen = ada.clone()
    await ada.get('/logout')
    expect(await seen(stolen)).toBe('undefined')
  })
})
