import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { dropIn, implementations } from './implementations.js'
import { type LooseCookie, program, recordOf } from './program.js'

type Done = (error: unknown, value?: unknown) => void

interface Memory {
  sessions: { [id: string]: string }
  get(id: string, done: Done): void
  set(id: string, session: object, done?: Done): void
  destroy(id: string, done?: Done): void
  touch(id: string, session: object, done?: Done): void
  all(done: Done): void
  length(done: Done): void
  clear(done?: Done): void
}

type Name = Exclude<keyof Memory, 'sessions'>

function ask(store: Memory, name: Name, ...given: unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const method = store[name] as (...all: unknown[]) => void
    method.call(store, ...given, (error: unknown, value: unknown) => {
      if (error) reject(error)
      else resolve(value)
    })
  })
}

function at(now: number): (later: number) => void {
  vi.useFakeTimers({ toFake: ['Date'], now })
  onTestFinished(() => void vi.useRealTimers())
  return (later) => void vi.setSystemTime(now + later)
}

describe.each(implementations)('the MemoryStore of $name', (implementation) => {
  const { Cookie, MemoryStore } = implementation.session
  const session = <Data extends object>(data: Data, options?: object) => {
    return { cookie: new Cookie(options) as LooseCookie, ...data }
  }
  const made = () => new MemoryStore() as Memory

  it('keeps JSON texts in sessions, and gives objects of their own', async () => {
    const store = made()
    const given = session({ user: { name: 'ada' } })
    await ask(store, 'set', 'id', given)
    given.user.name = 'bob'
    expect(store.sessions).toEqual({ id: recordOf({ user: { name: 'ada' } }) })
    const [one, two] = [await ask(store, 'get', 'id'), await ask(store, 'get', 'id')]
    expect(one).toEqual(two)
    expect(one).not.toBe(two)
    expect(Object.getPrototypeOf(store.sessions)).toBe(null)
  })

  it('shows all that live, and their number, and clears', async () => {
    const forward = at(Date.now())
    const store = made()
    await ask(store, 'set', 'long', session({ user: 'ada' }))
    await ask(store, 'set', 'short', session({ user: 'bob' }, { maxAge: 1000 }))
    expect(await ask(store, 'length')).toBe(2)
    forward(1001)
    expect(Object.keys((await ask(store, 'all')) as object)).toEqual(['long'])
    expect(await ask(store, 'length')).toBe(1)
    await ask(store, 'clear')
    expect(await ask(store, 'length')).toBe(0)
    expect(store.sessions).toEqual({})
  })

  it('gives none that has expired, and forgets it', async () => {
    const forward = at(Date.now())
    const store = made()
    await ask(store, 'set', 'id', session({ user: 'ada' }, { maxAge: 1000 }))
    forward(999)
    expect(await ask(store, 'get', 'id')).toMatchObject({ user: 'ada' })
    forward(1001)
    expect(await ask(store, 'get', 'id')).toBe(undefined)
    expect(store.sessions).toEqual({})
  })

  it('moves the date of a session by touch, and leaves its data', async () => {
    const forward = at(Date.now())
    const store = made()
    const given = session({ user: 'ada' }, { maxAge: 1000 })
    await ask(store, 'set', 'id', given)
    forward(900)
    given.cookie.maxAge = 1000
    await ask(store, 'touch', 'id', { ...given, user: 'bob' })
    forward(1800)
    expect(await ask(store, 'get', 'id')).toMatchObject({ user: 'ada' })
    forward(1901)
    expect(await ask(store, 'get', 'id')).toBe(undefined)
  })

  it.each([
    ['first', (cookie: object) => ({ cookie, user: 'ada', note: '"}' })],
    ['last', (cookie: object) => ({ user: 'ada', note: '"}', cookie })],
  ])('moves a date wherever the cookie stands in the text: %s', async (_, record) => {
    const forward = at(Date.now())
    const store = made()
    const cookie = new Cookie({ maxAge: 1000, path: '/a}"b{' }) as LooseCookie
    await ask(store, 'set', 'id', record(cookie))
    forward(900)
    cookie.maxAge = 1000
    await ask(store, 'touch', 'id', { cookie })
    const { cookie: kept, ...data } = JSON.parse(store.sessions.id!)
    expect(kept).toEqual(JSON.parse(JSON.stringify(cookie)))
    expect(data).toEqual({ user: 'ada', note: '"}' })
    forward(1901)
    expect(await ask(store, 'get', 'id')).toBe(undefined)
  })

  it('brings nothing back by touch', async () => {
    const store = made()
    await ask(store, 'touch', 'id', session({ user: 'ada' }))
    expect(store.sessions).toEqual({})
  })

  it('destroys what is there, and what is not', async () => {
    const store = made()
    await ask(store, 'set', 'id', session({}))
    await ask(store, 'destroy', 'id')
    await ask(store, 'destroy', 'id')
    expect(store.sessions).toEqual({})
  })

  it('answers after its caller, in the order of the calls', async () => {
    const store = made()
    const seen: string[] = []
    const last = new Promise<void>((resolve) => {
      store.set('id', session({}), () => seen.push('set'))
      store.get('id', () => seen.push('get'))
      store.destroy('id', () => {
        seen.push('destroy')
        resolve()
      })
    })
    seen.push('called')
    await last
    expect(seen).toEqual(['called', 'set', 'get', 'destroy'])
  })

  it('serves a program, also one that has put a method of its own in front', async () => {
    class Watched extends MemoryStore {
      asked: string[] = []
      get(id: string, done: Done): void {
        this.asked.push('get')
        super.get(id, done)
      }
    }
    const store = new Watched()
    const { browser } = await program({}, { store }, implementation)
    const ada = browser()
    await ada.get('/set?user=ada')
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
    expect(store.asked.length).toBeGreaterThan(0)
  })
})

describe('the MemoryStore of this package', () => {
  const { Cookie, MemoryStore } = dropIn.session
  const made = () => new MemoryStore() as Memory

  it('gives a promise where there is no callback', async () => {
    const store = made() as unknown as Record<Name, (...given: unknown[]) => Promise<unknown>>
    const kept = { cookie: new Cookie(), user: 'ada' }
    expect(await store.set('id', kept)).toBe(undefined)
    expect(await store.get('id')).toMatchObject({ user: 'ada' })
    expect(await store.touch('id', kept)).toBe(undefined)
    expect(await store.length()).toBe(1)
    expect(Object.keys((await store.all()) as object)).toEqual(['id'])
    expect(await store.destroy('id')).toBe(undefined)
    expect(await store.clear()).toBe(undefined)
    expect(await store.get('id')).toBe(undefined)
    await expect(store.set('id', { cookie: null, bad: 1n })).rejects.toThrow(TypeError)
  })

  it('removes expired sessions that nobody asks for', () => {
    const forward = at(Date.now())
    const store = made()
    for (let count = 0; count < 900; count++) {
      store.set(`old${count}`, { cookie: new Cookie({ maxAge: 1000 }) })
    }
    forward(1001)
    for (let count = 0; count < 200; count++) store.set(`new${count}`, { cookie: new Cookie() })
    expect(Object.keys(store.sessions)).toHaveLength(200)
  })

  it('keeps 64 Mi characters at most, of which the oldest go first', () => {
    const store = made()
    const data = 'x'.repeat(1024 * 1024)
    store.set('first', { cookie: new Cookie() })
    store.set('used', { cookie: new Cookie() })
    for (let count = 0; count < 63; count++) {
      store.set(`big${count}`, { cookie: new Cookie(), data })
    }
    expect(store.sessions.first).toBeDefined()
    store.set('used', { cookie: new Cookie(), again: true })
    store.set('last', { cookie: new Cookie(), data })
    expect(store.sessions.first).toBe(undefined)
    expect(store.sessions.big0).toBe(undefined)
    expect([store.sessions.used, store.sessions.last].map(Boolean)).toEqual([true, true])
    const length = Object.values(store.sessions).reduce((sum, text) => sum + text.length, 0)
    expect(length).toBeLessThan(64 * 1024 * 1024)
  })

  it('counts what it keeps after a destroy, a touch and a clear', () => {
    const store = made()
    const data = 'x'.repeat(1024 * 1024)
    const put = (name: string) => store.set(name, { cookie: new Cookie(), data })
    for (let round = 0; round < 3; round++) {
      for (let count = 0; count < 40; count++) put(`${round}of${count}`)
      expect(Object.keys(store.sessions)).toHaveLength(40)
      for (let count = 0; count < 40; count++) {
        store.touch(`${round}of${count}`, { cookie: new Cookie({ maxAge: 1e6 + round }) })
      }
      if (round === 0) for (let count = 0; count < 40; count++) store.destroy(`${round}of${count}`)
      if (round === 1) store.clear()
    }
  })
})
