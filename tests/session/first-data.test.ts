import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { gate } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const watched = () => new WatchedStore(new MemoryStore())

type Current = ReturnType<Awaited<ReturnType<typeof serveApp>>['sessions']['of']>['session']

/** An app whose one page does what a test wants with the session. */
async function appWith(act: (current: Current, req: { session?: unknown }) => unknown) {
  const store = watched()
  const made = await serveApp(
    (app, sessions) => {
      app.get('/set', (req, res) => {
        sessions.of(req).session.cart = true
        res.end()
      })
      app.get('/act', async (req, res) => {
        const given = await act(sessions.of(req).session, req as { session?: unknown })
        res.json(given ?? null)
      })
    },
    { store },
  )
  const visitor = made.browser()
  return {
    ...made,
    store,
    visitor,
    /** A visitor with a stored session, and no calls counted. */
    stored: async () => {
      await visitor.get('/set')
      store.calls.length = 0
      return visitor
    },
  }
}

describe('the first data', () => {
  it('is one create and one cookie', async () => {
    const { visitor, store } = await appWith((current) => {
      current.a = 1
    })
    expect((await visitor.get('/act')).setCookies).toHaveLength(1)
    expect(store.calls).toEqual(['create'])
  })

  it('is stored under the id that the handler has read', async () => {
    const { visitor, sessions } = await appWith((current) => {
      const { id } = current
      current.userId = 'ada'
      return id
    })
    const created: unknown[] = []
    sessions.on('create', ({ id }) => created.push(id))
    const id = (await visitor.get('/act')).json()
    expect(created).toEqual([id])
    expect((await visitor.get('/act')).json()).toBe(id)
  })

  it('is no undefined value', async () => {
    const { visitor, store } = await appWith((current) => {
      current.a = undefined
    })
    expect((await visitor.get('/act')).setCookies).toEqual([])
    expect(store.calls).toEqual([])
  })

  it('may be nothing, for who calls save()', async () => {
    const { visitor, store } = await appWith((current) => current.save())
    expect((await visitor.get('/act')).setCookies).toHaveLength(1)
    expect([store.count('create'), store.count('replace')]).toEqual([1, 0])
  })
})

describe('a stored session', () => {
  it('that is emptied stays, under its id', async () => {
    const { stored, store } = await appWith((current) => {
      delete current.cart
    })
    const visitor = await stored()
    expect((await visitor.get('/act')).setCookies).toEqual([])
    expect(store.calls).toEqual(['load', 'replace'])
    expect((await visitor.get('/')).json()).toEqual({})
    expect(store.calls.at(-1)).toBe('load')
  })

  it('holds only the data of a plain object that is assigned', async () => {
    const { stored, store } = await appWith((_current, req) => {
      req.session = { other: [1] }
    })
    const visitor = await stored()
    expect((await visitor.get('/act')).setCookies).toEqual([])
    expect((await visitor.get('/')).json()).toEqual({ other: [1] })
    expect(store.count('replace')).toBe(1)
  })

  it.each<[string, (current: AnyData) => void, number]>([
    [
      'a change deep inside is stored',
      (current) => {
        const [item] = current.items as { n: number }[]
        item!.n++
      },
      1,
    ],
    [
      'keys in another order are not',
      (current) => {
        const [item] = current.items as { n: number; name: string }[]
        current.items = [{ name: item!.name, n: item!.n }]
      },
      0,
    ],
    [
      'nor a value that is set back',
      (current) => {
        current.items = 'gone'
        current.items = [{ n: 1, name: 'a' }]
      },
      0,
    ],
  ])('%s', async (_name, act, writes) => {
    const { visitor, store, origin, sessions } = await appWith((current) => act(current))
    const token = await sessions.issue({ items: [{ n: 1, name: 'a' }] })
    visitor.jar.take(`sid=${token}; Path=/`, new URL(origin))
    store.calls.length = 0
    await visitor.get('/act')
    expect(store.calls).toEqual(['load', ...Array(writes).fill('replace')])
  })
})

describe('within one request', () => {
  it('a save() that has stored everything leaves the end nothing to write', async () => {
    const { stored, store } = await appWith(async (current) => {
      current.a = 1
      await current.save()
    })
    await (await stored()).get('/act')
    expect(store.calls).toEqual(['load', 'replace'])
  })

  it('what is set after a save() is written at the end', async () => {
    const { stored, store } = await appWith(async (current) => {
      current.a = 1
      await current.save()
      current.b = 2
    })
    const visitor = await stored()
    await visitor.get('/act')
    expect(store.calls).toEqual(['load', 'replace', 'replace'])
    expect((await visitor.get('/')).json()).toEqual({ cart: true, a: 1, b: 2 })
  })

  it('regenerate(), data and save() of a login are one create and one end', async () => {
    const { stored, store, sessions } = await appWith(async (current, req) => {
      await current.regenerate()
      req.session = { userId: 'ada' }
      await sessions.of(req).session.save()
    })
    const events: unknown[] = []
    for (const name of ['create', 'renew', 'destroy', 'commit'] as const) {
      sessions.on(name, () => events.push(name))
    }
    const visitor = await stored()
    events.length = 0
    expect((await visitor.get('/act')).setCookies).toHaveLength(1)
    // The old record is replaced by the mark of its end.
    expect([store.count('create'), store.count('replace')]).toEqual([1, 1])
    expect(events).toEqual(['renew'])
    expect((await visitor.get('/')).json()).toEqual({ userId: 'ada' })
  })

  it('overlapping calls run one after the other', async () => {
    const order: string[] = []
    const { stored } = await appWith(async (current) => {
      const go = gate()
      current.a = 1
      const calls = [
        current.update(async (data) => {
          await go.opened
          data.b = data.a
          order.push('updated')
        }),
        current.save().then(() => order.push('saved')),
        current.regenerate({ keep: true }).then(() => order.push('regenerated')),
      ]
      go.open()
      await Promise.all(calls)
    })
    const visitor = await stored()
    await visitor.get('/act')
    expect(order).toEqual(['updated', 'saved', 'regenerated'])
    expect((await visitor.get('/')).json()).toEqual({ cart: true, a: 1, b: 1 })
  })
})
