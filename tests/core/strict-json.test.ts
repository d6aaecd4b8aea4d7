import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeStrict, sameJson } from '../../src/core/strict-json.js'

class Product {
  name = 'coat'
  price = 3
  label() {
    return this.name
  }
}

const deep: unknown[] = []
for (let at = deep, depth = 0; depth < 60; depth++) {
  const next: unknown[] = [depth]
  at.push(next)
  at = next
}

describe('strict JSON', () => {
  it.each<[string, unknown]>([
    ['a string', 'Zoë "q" \u0000 \ud800'],
    ['a number', -0.5],
    ['null', null],
    ['a nested object', { a: { b: [1, { c: true }] } }],
    ['undefined members', { a: undefined, b: 1 }],
    ['undefined and holes in arrays', Object.assign(new Array(3), { 2: undefined })],
    ['a Date', { at: new Date(0) }],
    ['a class instance', new Product()],
    ['an error that says how it is stored', Object.assign(new Error('x'), { toJSON: () => 'x' })],
    ['a URL', { at: new URL('http://localhost/') }],
    ['boxed values', [new String('a'), new Number(1), new Boolean(false)]],
    ['an object without prototype', Object.assign(Object.create(null), { a: 1 })],
    ['an array with properties', Object.assign([1, 2], { extra: true })],
    ['sixty levels', deep],
    [
      'the same object twice',
      (() => {
        const x = { a: 1 }
        return [x, x]
      })(),
    ],
    ['a member named __proto__', JSON.parse('{"__proto__":{"admin":true}}')],
    ['undefined', undefined],
  ])('writes %s as JSON.stringify does', (_name, value) => {
    expect(encodeStrict(value, 'key')).toBe(JSON.stringify(value))
  })

  const cycle: { self?: unknown } = {}
  cycle.self = { again: cycle }
  it.each<[string, unknown, string]>([
    ['a BigInt', { items: [0, 1, 2, { price: 3n }] }, 'cart.items[3].price is a BigInt'],
    ['a function', { done() {} }, 'cart.done is a function'],
    ['a symbol', [Symbol('x')], 'cart[0] is a symbol'],
    ['a Map', { m: new Map() }, 'cart.m is a Map'],
    ['a Set', { 'a key': new Set() }, 'cart["a key"] is a Set'],
    ['a typed array', { bytes: new Uint8Array(2) }, 'cart.bytes is binary data'],
    ['a Buffer', { bytes: Buffer.from('a') }, 'cart.bytes is binary data'],
    ['a promise that nobody awaited', { user: Promise.resolve(1) }, 'cart.user is a Promise'],
    ['an Error', { failed: new TypeError('no') }, 'cart.failed is an Error'],
    ['a RegExp', [/x/], 'cart[0] is a RegExp'],
    ['URLSearchParams', { q: new URLSearchParams('a=1') }, 'cart.q is a URLSearchParams'],
    ['Headers', { h: new Headers() }, 'cart.h is a Headers'],
    ['FormData', { form: new FormData() }, 'cart.form is a FormData'],
    ['a Blob', { file: new Blob(['x']) }, 'cart.file is a Blob'],
    ['a WeakRef', { ref: new WeakRef({}) }, 'cart.ref is a WeakRef'],
    ['a WeakMap', { cache: new WeakMap() }, 'cart.cache is a WeakMap'],
    ['a WeakSet', { seen: new WeakSet() }, 'cart.seen is a WeakSet'],
    ['shared memory', { bytes: new SharedArrayBuffer(2) }, 'cart.bytes is binary data'],
    ['an iterator', { all: [1][Symbol.iterator]() }, 'cart.all is an Array Iterator'],
    ['the keys of a Map', { keys: new Map().keys() }, 'cart.keys is a Map Iterator'],
    ['a generator', { all: (function* () {})() }, 'cart.all is a Generator'],
    ['an invalid Date', { at: new Date(Number.NaN) }, 'cart.at is an invalid Date'],
    ['NaN', { n: Number.NaN }, 'cart.n is NaN'],
    ['Infinity', { n: -Infinity }, 'cart.n is Infinity'],
    ['a cycle', cycle, 'cart.self.again is a cycle'],
  ])('refuses %s and names its place', (_name, value, message) => {
    expect(() => encodeStrict(value, 'cart')).toThrow(
      expect.objectContaining({
        code: 'ERR_NOT_SERIALIZABLE',
        message: expect.stringContaining(message),
      }),
    )
  })

  it('calls toJSON once, with the key, as JSON.stringify does', () => {
    const calls: string[] = []
    const value = { at: { toJSON: (key: string) => calls.push(key) + 6 } }
    expect(encodeStrict(value, 'k')).toBe('{"at":7}')
    expect(calls).toEqual(['at'])
  })

  it('agrees with JSON.stringify on any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(encodeStrict(value, 'k')).toBe(JSON.stringify(value))
        expect(sameJson(value, JSON.parse(JSON.stringify(value)))).toBe(
          Object.is(value, -0) || true,
        )
      }),
    )
  })

  it('compares without regard to the order of keys, and only that', () => {
    expect(sameJson({ a: 1, b: [{ c: 1, d: 2 }] }, { b: [{ d: 2, c: 1 }], a: 1 })).toBe(true)
    expect(sameJson([1, 2], [2, 1])).toBe(false)
    expect(sameJson({ a: 1 }, { a: 1, b: undefined })).toBe(false)
    expect(sameJson({ a: 1 }, [1])).toBe(false)
    expect(sameJson({}, [])).toBe(false)
    expect(sameJson(1, '1')).toBe(false)
  })
})
