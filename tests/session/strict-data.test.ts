import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { type AnyData, serveApp } from '../support/serve.js'

/** Sets `cart` to a value that each request makes anew, in three ways. */
async function shop(value: unknown) {
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  const made = await serveApp(
    (app, sessions) => {
      app.get('/set', (req, res) => {
        sessions.of(req).session.before = true
        res.end()
      })
      app.get('/end', (req, res) => {
        Object.assign(sessions.of(req).session, { other: 'changed', cart: value })
        res.send('never seen')
      })
      app.get('/save', async (req, res) => {
        sessions.of(req).session.cart = value
        await sessions.of(req).session.save()
        res.send('never seen')
      })
      app.get('/update', async (req, res) => {
        await sessions.of(req).session.update((data) => {
          data.cart = value
        })
        res.send('never seen')
      })
    },
    { store, clock },
  )
  const visitor = made.browser()
  await visitor.get('/set')
  const dump = async () => {
    const all: unknown[] = []
    for await (const entry of store.entries()) all.push(entry)
    return all
  }
  return { ...made, visitor, dump }
}

const cycle: { self?: unknown } = {}
cycle.self = { again: cycle }

describe('data that JSON would lose', () => {
  it.each<[string, unknown, string]>([
    ['a BigInt', { items: [0, 1, 2, { price: 3n }] }, 'cart.items[3].price is a BigInt'],
    ['a function', { done() {} }, 'cart.done is a function'],
    ['a symbol', [Symbol('x')], 'cart[0] is a symbol'],
    ['a Map', new Map([['a', 1]]), 'cart is a Map'],
    ['a Set', { s: new Set([1]) }, 'cart.s is a Set'],
    ['a typed array', { bytes: new Uint8Array(2) }, 'cart.bytes is binary data'],
    ['a Buffer', { bytes: Buffer.from('a') }, 'cart.bytes is binary data'],
    ['NaN', { n: Number.NaN }, 'cart.n is NaN'],
    ['Infinity', [[Number.POSITIVE_INFINITY]], 'cart[0][0] is Infinity'],
    ['a cycle', cycle, 'cart.self.again is a cycle'],
    ['a promise', { user: Promise.resolve(1) }, 'cart.user is a Promise'],
  ])('%s is an error page before the headers that names its place', async (_name, value, place) => {
    const { visitor, dump } = await shop(value)
    const before = await dump()
    for (const page of ['/end', '/save', '/update']) {
      const failed = await visitor.get(page)
      expect(failed).toMatchObject({ status: 500, setCookies: [] })
      const { code, message } = failed.json<AnyData>()
      expect(code).toBe('ERR_NOT_SERIALIZABLE')
      expect(message).toContain(place)
      expect(await dump()).toEqual(before)
    }
    expect((await visitor.get('/')).json()).toEqual({ before: true })
  })
})

describe('data that JSON keeps', () => {
  it.each<[string, unknown, unknown]>([
    ['a Date, as a string', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['what toJSON gives', { toJSON: () => ({ n: 1 }) }, { n: 1 }],
    ['an object without its undefined members', { a: undefined, b: 1 }, { b: 1 }],
    ['members named like those of objects', JSON.parse('{"__proto__":1,"constructor":2}'), null],
    ['what no ASCII is', ['Zoë', '💥', '\u0000\u2028'], ['Zoë', '💥', '\u0000\u2028']],
  ])('comes back: %s', async (_name, value, expected) => {
    const { visitor } = await shop(value)
    expect((await visitor.get('/save')).status).toBe(200)
    const { cart } = (await visitor.get('/')).json<AnyData>()
    expect(cart).toEqual(expected ?? value)
  })
})
