import { describe, expect, it } from 'vitest'
import { LegacyStore, MemoryStore } from '../../src/express-session/index.js'
import { MemoryStore as TextMemoryStore } from '../../src/stores/memory.js'
import { handStore, held } from './hand-store.js'
import { dropIn } from './implementations.js'
import { at, idOf, program } from './program.js'

const user = (data: Record<string, unknown>) => data.user
const stores = [
  ['memory', () => new MemoryStore()],
  ['texts', () => new LegacyStore(new TextMemoryStore())],
  ['by hand', () => handStore(dropIn)],
] as const

describe.each(stores)('renewal by user on a store of %s', (_, make) => {
  it('a login that is saved and reloaded has a new id', async () => {
    const { browser } = await program(
      {
        '/login': async (req, res) => {
          at(req).session.user = 'ada'
          await at(req).session.save()
          await at(req).session.reload()
          res.json({})
        },
      },
      { store: make(), user },
    )
    const ada = browser()
    await ada.get('/set?cart=1')
    const before = idOf(ada)
    await ada.get('/login')
    expect((await ada.get('/')).json()).toEqual({ cart: '1', user: 'ada' })
    expect(idOf(ada)).not.toBe(before)
  })

  it('a login after the headers does not sign the old id in', async () => {
    const { browser } = await program(
      {
        '/login': async (req, res) => {
          res.write('x')
          at(req).session.user = 'ada'
          res.end()
        },
      },
      { store: make(), user },
    )
    const ada = browser()
    await ada.get('/set?cart=1')
    await ada.get('/login')
    expect((await ada.get('/')).json()).toEqual({ cart: '1' })
  })

  it('a save right after the response does not lose the login', async () => {
    const { browser } = await program(
      {
        '/login': (req, res) => {
          at(req).session.user = 'ada'
          res.json({})
          at(req).session.save()
        },
      },
      { store: make(), user },
    )
    const ada = browser()
    await ada.get('/set?cart=1')
    const before = idOf(ada)
    await ada.get('/login')
    expect((await ada.get('/')).json()).toEqual({ cart: '1', user: 'ada' })
    expect(idOf(ada)).not.toBe(before)
  })

  it('a save with a login in it does not sign the old id in', async () => {
    let go = () => {}
    let saved = () => {}
    const isSaved = new Promise<void>((r) => {
      saved = r
    })
    const { browser } = await program(
      {
        '/login': async (req, res) => {
          at(req).session.user = 'ada'
          await at(req).session.save()
          saved()
          await new Promise<void>((r) => {
            go = r
          })
          res.json({})
        },
      },
      { store: make(), user },
    )
    const ada = browser()
    await ada.get('/set?cart=1')
    const thief = browser()
    thief.jar.set(ada.jar.get('connect.sid')!)
    const login = ada.get('/login')
    await isSaved
    const seen = (await thief.get('/')).json()
    go()
    await login
    expect(seen).toEqual({})
    expect((await ada.get('/')).json()).toEqual({ cart: '1', user: 'ada' })
  })
})

it('a sign-out while a switch of users is being stored stays a sign-out', async () => {
  const store = handStore(dropIn)
  const { browser } = await program(
    {
      '/switch': (req, res) => {
        at(req).session.user = 'bob'
        res.json({})
      },
      '/out': async (req, res) => {
        await at(req).session.destroy()
        res.json({})
      },
    },
    { store, user },
  )
  const ada = browser()
  await ada.get('/set?user=ada')
  const other = browser()
  other.jar.set(ada.jar.get('connect.sid')!)
  const late = held()
  store.ways.set = late.way
  const switching = ada.get('/switch')
  await late.reached
  store.ways.set = undefined
  expect((await other.get('/out')).status).toBe(200)
  late.answer()
  await switching
  expect((await ada.get('/')).json()).toEqual({})
})

it('two switches at once from one session: one winner', async () => {
  const store = handStore(dropIn)
  const { browser } = await program(
    {
      '/switch': (req, res) => {
        at(req).session.user = req.query.to
        res.json({})
      },
    },
    { store, user },
  )
  const ada = browser()
  await ada.get('/set?user=ada')
  const other = browser()
  other.jar.set(ada.jar.get('connect.sid')!)
  await Promise.all([ada.get('/switch?to=b'), other.get('/switch?to=c')])
  expect(store.kept.size).toBe(1)
})
