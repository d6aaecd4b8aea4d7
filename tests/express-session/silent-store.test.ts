import { describe, expect, it, vi } from 'vitest'
import { fatal } from '../support/process-events.js'
import { turns } from '../support/turns.js'
import { held, type Operation, silent } from './hand-store.js'
import { at, idOf, keptFor, program } from './program.js'

const PATIENCE = 30_000

const asks: [string, Operation, (session: ReturnType<typeof at>['session'], done: Done) => void][] =
  [
    ['save', 'set', (session, done) => void session.save(done)],
    ['reload', 'get', (session, done) => void session.reload(done)],
    ['destroy', 'destroy', (session, done) => void session.destroy(done)],
    ['regenerate', 'destroy', (session, done) => void session.regenerate(done)],
  ]

type Done = (error?: Error) => void

describe('a store that does not answer', () => {
  it.each(asks)('is an error to the callback of %s, once', async (_, operation, ask) => {
    const crashes = fatal('uncaughtException')
    const rejections = fatal('unhandledRejection')
    const told: unknown[] = []
    const late = held()
    const { store, clock, visitor } = await program({
      '/ask': (req, res) => {
        store.ways[operation] = late.way
        at(req).session.views = 1
        ask(at(req).session, (error) => {
          told.push(error)
          if (told.length === 1) res.json({})
        })
      },
    })
    const ada = await visitor()
    const answer = ada.get('/ask')
    await late.reached
    await clock.advance(PATIENCE - 1)
    expect(told).toEqual([])
    await clock.advance(1)
    store.ways[operation] = undefined
    await clock.advance(PATIENCE)
    expect((await answer).status).toBe(200)
    expect(told).toMatchObject([{ code: 'ERR_STORE_TIMEOUT' }])
    late.answer()
    await turns(10)
    expect(told).toHaveLength(1)
    expect([...crashes, ...rejections]).toEqual([])
  })

  it('to get is an error page, and a late answer changes nothing', async () => {
    const { store, clock, visitor, errors } = await program()
    const ada = await visitor()
    const late = held()
    store.ways.get = late.way
    const answer = ada.get('/set?late=1')
    await late.reached
    await clock.advance(PATIENCE - 1)
    expect(errors).toEqual([])
    await clock.advance(1)
    expect(await answer).toMatchObject({ status: 503, setCookies: [] })
    late.answer()
    await turns()
    expect(store.taken()).toEqual(['get'])
    expect(keptFor(store, ada)).toEqual({ user: 'ada' })
    expect(errors).toMatchObject([{ code: 'ERR_STORE_TIMEOUT' }])
  })

  it('to a touch holds nothing up, and is an event', async () => {
    const { store, clock, visitor, events } = await program()
    const ada = await visitor()
    store.ways.touch = silent
    expect((await ada.get('/')).json()).toEqual({ user: 'ada' })
    expect(events).toEqual([])
    await clock.advance(PATIENCE)
    expect(events).toMatchObject([{ name: 'error', error: { code: 'ERR_STORE_TIMEOUT' } }])
  })

  it('to the end by unset lets the response go after storeTimeout', async () => {
    const { store, clock, visitor, errors } = await program(
      {
        '/end': (req, res) => {
          Object.assign(req, { session: null })
          res.json({})
        },
      },
      { unset: 'destroy', storeTimeout: 500 },
    )
    const ada = await visitor()
    const late = held()
    store.ways.destroy = late.way
    const answer = ada.get('/end')
    await late.reached
    await clock.advance(500)
    expect((await answer).status).toBe(200)
    await vi.waitUntil(() => errors.length > 0)
    expect(errors).toMatchObject([{ code: 'ERR_STORE_TIMEOUT' }])
  })

  it.each(['save', 'destroy'] as const)(
    'to a %s that nobody awaits lets the response go in the end',
    async (method) => {
      const { store, clock, visitor, events } = await program({
        '/ask': (req, res) => {
          store.ways.set = silent
          store.ways.destroy = silent
          at(req).session.views = 1
          at(req).session[method]()
          res.json({})
        },
      })
      const ada = await visitor()
      let status = 0
      void ada.get('/ask').then((answer) => {
        status = answer.status
      })
      await vi.waitUntil(() => store.taken().some((name) => name !== 'get'))
      // Once for the call, and once more for what it has left to store.
      for (let count = 0; count < 2; count++) await clock.advance(PATIENCE)
      await vi.waitUntil(() => status > 0)
      expect(status).toBe(200)
      expect(events).toContainEqual(
        expect.objectContaining({
          name: 'error',
          error: expect.objectContaining({ code: 'ERR_STORE_TIMEOUT' }),
        }),
      )
    },
  )

  it('answers the second request of its session after that', async () => {
    const { store, clock, visitor } = await program()
    const ada = await visitor()
    const late = held()
    store.ways.set = late.way
    const first = ada.get('/set?a=1')
    await late.reached
    store.ways.set = undefined
    const second = ada.get('/set?b=1')
    await vi.waitUntil(() => store.calls.filter((call) => call === `get ${idOf(ada)}`).length === 3)
    await clock.advance(PATIENCE)
    expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual([200, 200])
  })

  it.each([0, -1, Number.NaN, '30'])('takes no storeTimeout of %s', async (storeTimeout) => {
    await expect(program({}, { storeTimeout })).rejects.toThrow(/storeTimeout/)
  })

  it('has all the time of a timer where storeTimeout is longer than one', async () => {
    const times: number[] = []
    const { clock, browser } = await program({}, { storeTimeout: 2 ** 40 })
    const { setTimeout } = clock
    clock.setTimeout = (run, ms) => {
      times.push(ms)
      return setTimeout.call(clock, run, ms)
    }
    await browser().get('/set?user=ada')
    // Node takes a longer one for 1 ms.
    expect(new Set(times)).toEqual(new Set([2 ** 31 - 1]))
  })
})

describe('a callback of the program that throws', () => {
  it.each(asks)(
    'ends the process by its own error, and is not called again: %s',
    async (_, __, ask) => {
      const crashes = fatal('uncaughtException')
      const rejections = fatal('unhandledRejection')
      const told: unknown[] = []
      const { visitor } = await program({
        '/ask': (req, res) => {
          ask(at(req).session, (error) => {
            told.push(error ?? undefined)
            res.json({})
            throw new Error('mine')
          })
        },
      })
      await (await visitor()).get('/ask')
      await turns(10)
      expect(told).toEqual([undefined])
      expect(crashes).toEqual([new Error('mine')])
      expect(rejections).toEqual([])
    },
  )
})
