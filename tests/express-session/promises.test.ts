import { describe, expect, it } from 'vitest'
import { fatal } from '../support/process-events.js'
import { turns } from '../support/turns.js'
import { failing, handStore } from './hand-store.js'
import { dropIn } from './implementations.js'
import { at, dataOf, idOf, type LooseSession, program, recordOf } from './program.js'

const methods = ['save', 'reload', 'destroy', 'regenerate'] as const

/** Which operation of the store each method needs. */
const needs = { save: 'set', reload: 'get', destroy: 'destroy', regenerate: 'destroy' } as const

describe.each(methods)('%s without a callback', (method) => {
  it('is a promise', async () => {
    const { visitor } = await program({
      '/ask': async (req, res) => {
        const { session } = at(req)
        session.views = 1
        const done = session[method]()
        const isPromise = done instanceof Promise
        res.json([isPromise, (await done) === undefined, dataOf(req)])
      },
    })
    const left = { save: { user: 'ada', views: 1 }, reload: { user: 'ada' }, destroy: null }
    expect((await (await visitor()).get('/ask')).json()).toEqual([
      true,
      true,
      method === 'regenerate' ? {} : left[method],
    ])
  })

  it('rejects with what failed', async () => {
    const { store, visitor } = await program({
      '/ask': async (req, res) => {
        store.ways[needs[method]] = failing
        at(req).session.views = 1
        const failed = await at(req)
          .session[method]()
          .then(
            () => null,
            (error: Error) => error.message,
          )
        delete at(req).session?.views
        res.json(failed)
      },
    })
    expect((await (await visitor()).get('/ask')).json()).toBe('lost')
  })

  it('ends no process if it fails and nobody awaits it', async () => {
    const rejections = fatal('unhandledRejection')
    const { store, visitor, events } = await program({
      '/ask': (req, res) => {
        store.ways[needs[method]] = failing
        at(req).session.views = 1
        at(req).session[method]()
        res.json({})
      },
    })
    expect((await (await visitor()).get('/ask')).status).toBe(200)
    await turns(10)
    expect(rejections).toEqual([])
    expect(events.filter(({ name }) => name === 'error').length).toBeGreaterThan(0)
  })

  it('works on a session that no request has', async () => {
    const rejections = fatal('unhandledRejection')
    const store = handStore(dropIn)
    store.kept.set('id', recordOf({ user: 'ada' }))
    Object.assign(store, { generate: () => {} })
    const load = (store as unknown as Loading).load.bind(store)
    const session = await new Promise<LooseSession>((resolve) => {
      load('id', (_error, found) => resolve(found))
    })
    expect(await session[method]()).toBe(undefined)
    store.ways[needs[method]] = failing
    await expect(session[method]()).rejects.toThrow('lost')
    session[method]()
    await turns(10)
    expect(rejections).toEqual([])
  })
})

interface Loading {
  load(id: string, done: (error: unknown, found: LooseSession) => void): void
}

describe('calls that a handler makes without waiting', () => {
  it('are carried out one after the other', async () => {
    const { store, visitor } = await program({
      '/many': async (req, res) => {
        const { session } = at(req)
        session.views = 1
        session.save()
        session.regenerate()
        await session.save()
        res.json(Object.keys(dataOf(req)!))
      },
    })
    const ada = await visitor()
    const old = idOf(ada)
    expect((await ada.get('/many')).json()).toEqual([])
    // The last is that of the new session, which is stored though it is empty, as ever.
    expect(store.taken()).toEqual(['get', 'get', 'set', 'destroy', 'set'])
    expect([...store.kept.keys()]).toEqual([idOf(ada)])
    expect(idOf(ada)).not.toBe(old)
  })

  it('go on after one that fails', async () => {
    const { store, visitor } = await program({
      '/many': async (req, res) => {
        store.ways.set = failing
        at(req).session.views = 1
        at(req).session.save()
        await at(req).session.destroy()
        res.json({})
      },
    })
    const ada = await visitor()
    expect((await ada.get('/many')).status).toBe(200)
    expect(store.kept.size).toBe(0)
  })
})
