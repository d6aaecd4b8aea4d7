import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LegacyStore } from '../../src/express-session/index.js'
import { FileStore } from '../../src/stores/file.js'
import { MemoryStore as TextMemoryStore } from '../../src/stores/memory.js'
import { gate, turns } from '../support/turns.js'
import { handStore, held } from './hand-store.js'
import { dropIn, implementations } from './implementations.js'
import { at, dataOf, idOf, keptFor, program } from './program.js'

type Routes = NonNullable<Parameters<typeof program>[0]>

/** Requests that wait at a door each, by name, with the session that they have loaded. */
function doors() {
  const all = new Map<string, { inside: ReturnType<typeof gate>; door: ReturnType<typeof gate> }>()
  const doorOf = (name: string) => {
    const known = all.get(name) ?? { inside: gate(), door: gate() }
    all.set(name, known)
    return known
  }
  const routes: Routes = {
    '/slow/:name': async (req, res) => {
      const { inside, door } = doorOf(String(req.params.name))
      inside.open()
      await door.opened
      const { without, ...data } = req.query
      if (typeof without === 'string') delete at(req).session[without]
      Object.assign(at(req).session, data)
      res.json({})
    },
  }
  return {
    routes,
    inside: (name: string) => doorOf(name).inside.opened,
    go: (name: string) => doorOf(name).door.open(),
  }
}

/** A store that another process writes to, before each write of this one. */
class BusyStore extends TextMemoryStore {
  readonly changes: object[] = []

  override replace(...given: Parameters<TextMemoryStore['replace']>) {
    const [key, , seen] = given
    const change = this.changes.shift()
    if (change !== undefined) {
      const text = JSON.stringify({ ...JSON.parse(seen.text), ...change })
      super.replace(key, { text, expiresAt: seen.expiresAt }, seen)
    }
    return super.replace(...given)
  }
}

const ownStores: [string, () => Promise<object> | object][] = [
  ['an old store', () => handStore(dropIn)],
  ['MemoryStore', () => new dropIn.session.MemoryStore()],
  ['LegacyStore over memory', () => new LegacyStore(new TextMemoryStore())],
  [
    'LegacyStore over files',
    () => {
      const path = mkdtempSync(join(tmpdir(), 'coatcheck-parallel-'))
      onTestFinished(() => rmSync(path, { recursive: true, force: true, maxRetries: 10 }))
      return new LegacyStore(new FileStore({ path }))
    },
  ],
  ['a store of this package itself', () => new TextMemoryStore()],
]

describe.each(ownStores)('parallel requests on %s', (_, make) => {
  it('keep the keys that each of them has set, changed and deleted', async () => {
    const { routes, inside, go } = doors()
    const { visitor, events } = await program(routes, { store: await make() })
    const ada = await visitor({ user: 'ada', old: 1, views: 1 })
    const slow = [ada.get('/slow/a?cart=coat&views=2'), ada.get('/slow/b?without=old&theme=dark')]
    await Promise.all([inside('a'), inside('b')])
    go('b')
    await slow[1]
    go('a')
    await slow[0]
    expect((await ada.get('/')).json()).toEqual({
      user: 'ada',
      views: '2',
      cart: 'coat',
      theme: 'dark',
    })
    expect(events.filter(({ name }) => name === 'conflict')).toEqual([])
  })

  it('that change one key leave the later value, and an event names the key', async () => {
    const { routes, inside, go } = doors()
    const { visitor, events } = await program(routes, { store: await make() })
    const ada = await visitor({ views: 1 })
    const slow = [ada.get('/slow/a?views=2'), ada.get('/slow/b?views=3')]
    await Promise.all([inside('a'), inside('b')])
    go('b')
    await slow[1]
    go('a')
    await slow[0]
    expect((await ada.get('/')).json()).toEqual({ views: '2' })
    const conflicts = events.filter(({ name }) => name === 'conflict')
    expect(conflicts).toMatchObject([{ keys: ['views'] }])
    // A name for logs, not the id.
    expect(conflicts[0]?.id).not.toBe(idOf(ada))
  })

  it('that all commit at once keep every key', async () => {
    const { routes, inside, go } = doors()
    const { visitor } = await program(routes, { store: await make() })
    const ada = await visitor({ user: 'ada' })
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const slow = names.map((name) => ada.get(`/slow/${name}?${name}=1`))
    await Promise.all(names.map(inside))
    for (const name of names) go(name)
    await Promise.all(slow)
    const data = (await ada.get('/')).json<object>()
    expect(Object.keys(data).toSorted()).toEqual([...names, 'user'])
  })
})

it.each(implementations)(
  'parallel requests on $name: whether the key of the first one stays',
  async (implementation) => {
    const { routes, inside, go } = doors()
    const { store, visitor } = await program(routes, {}, implementation)
    const ada = await visitor({ user: 'ada' })
    const slow = ada.get('/slow/a?late=1')
    await inside('a')
    await ada.get('/set?cart=coat')
    go('a')
    await slow
    const kept = { user: 'ada', late: '1' }
    expect(keptFor(store, ada)).toEqual(
      implementation === dropIn ? { ...kept, cart: 'coat' } : kept,
    )
  },
)

describe('a write of a loaded session', () => {
  it('looks at the store once more, and shows the handler what others have changed', async () => {
    const [inside, door] = [gate(), gate()]
    const { store, visitor } = await program({
      '/save': async (req, res) => {
        inside.open()
        await door.opened
        at(req).session.mine = true
        await at(req).session.save()
        res.json(dataOf(req))
      },
    })
    const ada = await visitor({ user: 'ada' })
    const slow = ada.get('/save')
    await inside.opened
    await ada.get('/set?cart=coat')
    store.taken()
    door.open()
    expect((await slow).json()).toEqual({ user: 'ada', cart: 'coat', mine: true })
    expect(store.taken()).toEqual(['get', 'set', 'touch'])
  })

  it('of one id waits for the one before', async () => {
    const inside = gate()
    const { store, visitor } = await program({
      '/second': (req, res) => {
        at(req).session.b = '2'
        res.json({})
        inside.open()
      },
    })
    const ada = await visitor({ user: 'ada' })
    const slow = held()
    store.ways.set = slow.way
    const first = ada.get('/set?a=1')
    await slow.reached
    store.ways.set = undefined
    store.taken()
    const second = ada.get('/second')
    await inside.opened
    await turns()
    expect(store.taken()).toEqual(['get'])
    slow.answer()
    await Promise.all([first, second])
    expect(store.taken()).toEqual(['get', 'set'])
    expect(keptFor(store, ada)).toEqual({ user: 'ada', a: '1', b: '2' })
  })

  it('takes what it has saved for what it started from', async () => {
    const [inside, door] = [gate(), gate()]
    const { store, visitor, events } = await program({
      '/save': async (req, res) => {
        at(req).session.views = '1'
        await at(req).session.save()
        inside.open()
        await door.opened
        at(req).session.mine = true
        res.json({})
      },
    })
    const ada = await visitor({ user: 'ada' })
    const slow = ada.get('/save')
    await inside.opened
    await ada.get('/set?views=2')
    door.open()
    await slow
    expect(keptFor(store, ada)).toEqual({ user: 'ada', views: '2', mine: true })
    expect(events.filter(({ name }) => name === 'conflict')).toEqual([])
  })

  it('takes in what others have changed twice, between its tries', async () => {
    const store = new BusyStore()
    const { visitor, events } = await program({}, { store })
    const ada = await visitor({ user: 'ada' })
    store.changes.push({ views: 1 }, { views: 2 })
    expect((await ada.get('/set?late=1')).status).toBe(200)
    expect(store.changes).toEqual([])
    expect((await ada.get('/')).json()).toEqual({ user: 'ada', views: 2, late: '1' })
    expect(events.filter(({ name }) => name === 'conflict')).toEqual([])
  })

  it('takes no key from the store that would hide a method', async () => {
    const { routes, inside, go } = doors()
    const { store, visitor } = await program(routes)
    const ada = await visitor({ user: 'ada' })
    const slow = ada.get('/slow/a?late=1')
    await inside('a')
    const record = JSON.parse(store.kept.get(idOf(ada))!)
    store.kept.set(idOf(ada), JSON.stringify({ ...record, save: 'no', cart: 'coat' }))
    go('a')
    expect((await slow).status).toBe(200)
    expect(keptFor(store, ada)).toEqual({ user: 'ada', late: '1', cart: 'coat' })
  })
})
