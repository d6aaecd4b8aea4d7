import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { failing, handStore, held } from './hand-store.js'
import { dropIn } from './implementations.js'
import { at, cookieFor, program, recordOf } from './program.js'

const routes = {
  '/out': async (req: never, res: { json(x: object): void }) => {
    await at(req).session.destroy()
    res.json({})
  },
}

it('a sign-out while a record is being moved stays a sign-out', async () => {
  const store = handStore(dropIn)
  store.kept.set('old', recordOf({ user: 'ada' }))
  const { browser } = await program(routes as never, { store, hashIds: true })
  const ada = browser()
  const headers = { cookie: cookieFor('old') }
  // The second look of the mover, at the raw id, is slow.
  let count = 0
  const late = held()
  store.ways.get = (work, done) => {
    count++
    if (count === 2) {
      const value = work()
      return late.way(() => value, done)
    }
    const value = work()
    setImmediate(() => done(null, value))
  }
  const slow = ada.get('/', { headers })
  await late.reached
  expect((await browser().get('/out', { headers })).status).toBe(200)
  late.answer()
  await slow
  expect((await browser().get('/', { headers })).json()).toEqual({})
  expect([...store.kept.keys()]).toEqual([])
})

it('a sign-out is one, also if the old record could not be removed when it was moved', async () => {
  const store = handStore(dropIn)
  store.kept.set('old', recordOf({ user: 'ada' }))
  const { browser } = await program(routes as never, { store, hashIds: true })
  const headers = { cookie: cookieFor('old') }
  store.ways.destroy = failing
  expect((await browser().get('/', { headers })).status).toBe(500)
  store.ways.destroy = undefined
  expect((await browser().get('/', { headers })).json()).toEqual({ user: 'ada' })
  expect((await browser().get('/out', { headers })).status).toBe(200)
  expect((await browser().get('/', { headers })).json()).toEqual({})
})

it('moves ids of 32 random bytes', async () => {
  const store = handStore(dropIn)
  const id = randomBytes(32).toString('base64url')
  store.kept.set(id, recordOf({ user: 'ada' }))
  const { browser } = await program(
    {},
    { store, hashIds: true, genid: () => randomBytes(32).toString('base64url') },
  )
  expect((await browser().get('/', { headers: { cookie: cookieFor(id) } })).json()).toEqual({
    user: 'ada',
  })
})

it('moves objects of a class with what they are', async () => {
  class ObjectId {
    readonly #hex: string
    constructor(hex: string) {
      this.#hex = hex
    }
    toJSON() {
      return this.#hex
    }
  }
  const store = handStore(dropIn)
  const kept = new Map<string, object>([
    ['old', { ...JSON.parse(recordOf({})), user: new ObjectId('abc') }],
  ])
  Object.assign(store, {
    get: (id: string, done: (e: unknown, v?: unknown) => void) => done(null, kept.get(id)),
    set: (id: string, s: object, done: () => void) => {
      kept.set(id, { ...s })
      done()
    },
    destroy: (id: string, done: () => void) => {
      kept.delete(id)
      done()
    },
  })
  const { browser } = await program({}, { store, hashIds: true })
  expect((await browser().get('/', { headers: { cookie: cookieFor('old') } })).json()).toEqual({
    user: 'abc',
  })
})
