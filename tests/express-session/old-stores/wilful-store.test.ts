import { describe, expect, it, vi } from 'vitest'
import { FakeClock } from '../../../src/testing/index.js'
import { fatal } from '../../support/process-events.js'
import { turns } from '../../support/turns.js'
import { dropIn, implementations } from '../implementations.js'
import { cookieOf, idOf, oldApp } from './app.js'
import {
  failing,
  held,
  type Manner,
  rejecting,
  rejectingAfterwards,
  throwing,
  throwingAfterwards,
  twice,
  twiceLater,
  wilfulStore,
} from './wilful-store.js'

const OPERATIONS = ['get', 'set', 'touch', 'destroy'] as const
/** `storeTimeout`, where nobody has set it. */
const PATIENCE = 30_000

for (const implementation of implementations) {
  describe(`${implementation.name} on a store that fails`, () => {
    const start = async () => {
      const store = wilfulStore(implementation.session)
      const app = await oldApp(implementation, store)
      const ada = app.browser()
      await ada.get('/login/ada')
      return { ...app, store, ada }
    }

    it('shows the error page if the session cannot be read, and goes on afterwards', async () => {
      const { store, ada, errors } = await start()
      store.manners.get = failing
      expect(await ada.get('/')).toMatchObject({ status: 500, setCookies: [] })
      expect(errors).toEqual([new Error('lost')])
      store.manners.get = undefined
      expect((await ada.get('/')).json()).toMatchObject({ user: { name: 'ada' } })
    })

    it('answers, and tells next, if the session cannot be stored', async () => {
      const { store, ada, errors } = await start()
      store.manners.set = failing
      expect((await ada.get('/count')).json()).toEqual({ views: 1 })
      await vi.waitUntil(() => errors.length > 0)
      expect(errors).toEqual([new Error('lost')])
      store.manners.set = undefined
      expect((await ada.get('/count')).json()).toEqual({ views: 1 })
    })

    it('answers, and tells next, if the session cannot be touched', async () => {
      const { store, ada, errors } = await start()
      store.manners.touch = failing
      expect((await ada.get('/')).json()).toMatchObject({ user: { name: 'ada' } })
      await vi.waitUntil(() => errors.length > 0)
      expect(errors).toEqual([new Error('lost')])
    })

    it('tells the callback of a sign-out that has failed, and the session lives on', async () => {
      const { store, ada } = await start()
      store.manners.destroy = failing
      const old = cookieOf(ada)
      expect(await ada.get('/logout')).toMatchObject({ status: 500 })
      store.manners.destroy = undefined
      expect((await ada.get('/', old)).json()).toMatchObject({ user: { name: 'ada' } })
    })
  })
}

describe('the drop-in on a store with bad manners', () => {
  const start = async (options: object = {}) => {
    const clock = new FakeClock(Date.now())
    const store = wilfulStore(dropIn.session)
    const app = await oldApp(dropIn, store, { clock, ...options })
    const ada = app.browser()
    await ada.get('/login/ada')
    return { ...app, clock, store, ada }
  }

  it.each<[string, Manner]>([
    ['calls back twice', twice],
    ['calls back once more later', twiceLater],
    ['throws after it has called back', throwingAfterwards],
    ['rejects after it has called back', rejectingAfterwards],
  ])('takes the first answer of one that %s', async (_, manner) => {
    const [crashes, rejections] = [fatal('uncaughtException'), fatal('unhandledRejection')]
    const { store, ada, browser, errors, settled } = await start()
    for (const operation of OPERATIONS) store.manners[operation] = manner
    expect((await ada.get('/count')).json()).toEqual({ views: 1 })
    expect((await ada.get('/count')).json()).toEqual({ views: 2 })
    expect((await ada.get('/')).json()).toMatchObject({ user: { name: 'ada' }, views: 2 })
    await settled()
    const old = cookieOf(ada)
    expect(await ada.get('/logout')).toMatchObject({ status: 200 })
    expect((await browser().get('/', old)).json()).toEqual({})
    await turns()
    expect(store.kept.size).toBe(0)
    expect([...errors, ...crashes, ...rejections]).toEqual([])
  })

  it.each<[string, Manner, string]>([
    ['throws', throwing, 'thrown'],
    ['rejects', rejecting, 'rejected'],
  ])('takes it for a failure if one %s in place of an answer', async (_, manner, message) => {
    const [crashes, rejections] = [fatal('uncaughtException'), fatal('unhandledRejection')]
    const { store, ada, errors } = await start()
    store.manners.get = manner
    expect(await ada.get('/')).toMatchObject({ status: 500 })
    store.manners.get = undefined
    store.manners.set = manner
    expect((await ada.get('/count')).json()).toEqual({ views: 1 })
    await vi.waitUntil(() => errors.length === 2)
    store.manners.set = undefined
    store.manners.destroy = manner
    expect(await ada.get('/logout')).toMatchObject({ status: 500 })
    expect(errors).toEqual([new Error(message), new Error(message)])
    expect((await ada.get('/')).json()).toMatchObject({ user: { name: 'ada' } })
    await turns()
    expect([...crashes, ...rejections]).toEqual([])
  })

  it('waits for a store that is slow', async () => {
    const { clock, store, ada } = await start()
    const slow = held()
    store.manners.get = slow.manner
    const answer = ada.get('/')
    await slow.asked
    await clock.advance(PATIENCE - 1)
    slow.answer()
    expect((await answer).json()).toMatchObject({ user: { name: 'ada' } })
  })

  it('does not wait for a touch', async () => {
    const { store, ada } = await start()
    const silent = held()
    store.manners.touch = silent.manner
    expect((await ada.get('/')).json()).toMatchObject({ user: { name: 'ada' } })
    await silent.asked
    silent.answer()
  })

  it('shows the error page if a session is never read, and a late answer is nothing', async () => {
    const { clock, store, ada, errors } = await start()
    const silent = held()
    store.manners.get = silent.manner
    const answer = ada.get('/count')
    await silent.asked
    await clock.advance(PATIENCE)
    expect(await answer).toMatchObject({ status: 503, setCookies: [] })
    expect(errors).toMatchObject([{ code: 'ERR_STORE_TIMEOUT' }])
    silent.answer()
    store.manners.get = undefined
    expect((await ada.get('/count')).json()).toEqual({ views: 1 })
  })

  it('answers if a session is never stored, and tells next', async () => {
    const { clock, store, ada, errors } = await start()
    const silent = held()
    store.manners.set = silent.manner
    const answer = ada.get('/count')
    await silent.asked
    await clock.advance(PATIENCE)
    expect((await answer).json()).toEqual({ views: 1 })
    await vi.waitUntil(() => errors.length > 0)
    expect(errors).toMatchObject([{ code: 'ERR_STORE_TIMEOUT' }])
  })

  it('shows the error page in place of the answer, with onStoreError fail', async () => {
    const { clock, store, ada, errors } = await start({ onStoreError: 'fail' })
    const silent = held()
    store.manners.set = silent.manner
    const answer = ada.get('/count')
    await silent.asked
    await clock.advance(PATIENCE)
    expect((await answer).status).toBeGreaterThanOrEqual(500)
    expect(errors).toMatchObject([{ code: 'ERR_STORE_TIMEOUT' }])
  })

  it('tells the callback of a sign-out that is never answered', async () => {
    const { clock, store, ada } = await start()
    const silent = held()
    store.manners.destroy = silent.manner
    const answer = ada.get('/logout')
    await silent.asked
    await clock.advance(PATIENCE)
    expect(await answer).toMatchObject({ status: 500 })
  })

  it('has the time of storeTimeout for each operation', async () => {
    const { clock, store, ada, errors } = await start({ storeTimeout: 500 })
    const silent = held()
    store.manners.get = silent.manner
    const answer = ada.get('/')
    await silent.asked
    await clock.advance(500)
    expect((await answer).status).toBeGreaterThanOrEqual(500)
    expect(errors).toMatchObject([{ code: 'ERR_STORE_TIMEOUT' }])
  })

  it('lets a write that lands late undo nothing that came after it', async () => {
    const { clock, store, ada, settled } = await start()
    const late = held()
    store.manners.set = late.manner
    const first = ada.get('/count')
    await late.asked
    await clock.advance(PATIENCE)
    await first
    store.manners.set = undefined
    await ada.get('/cart/coat')
    late.answer()
    await settled()
    await turns(20)
    expect((await ada.get('/')).json()).toMatchObject({ cart: { items: [{ name: 'coat' }] } })
  })

  it('lets a write that lands after the sign-out bring nothing back', async () => {
    const { clock, store, ada, settled } = await start()
    const [id, old] = [idOf(ada), cookieOf(ada)]
    const late = held()
    store.manners.set = late.manner
    const first = ada.get('/count')
    await late.asked
    await clock.advance(PATIENCE)
    await first
    store.manners.set = undefined
    await ada.get('/logout')
    expect(store.kept.has(id)).toBe(false)
    late.answer()
    await settled()
    await turns(20)
    expect(store.kept.has(id)).toBe(false)
    expect((await ada.get('/', old)).json()).toEqual({})
  })
})
