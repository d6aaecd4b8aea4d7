import fc from 'fast-check'
import { encodeStrict } from '../../src/core/strict-json.js'
import { define, json, key, objectOf } from './json-values.js'
import { nothingPolluted, same, type Target, target } from './target.js'

/** A value for a session as programs make them, with what JSON would lose marked by its kind. */
const LOSSY: readonly (() => unknown)[] = [
  () => 10n,
  () => Symbol('s'),
  () => () => 1,
  () => new Map([[1, 2]]),
  () => new Set(),
  () => new WeakMap(),
  () => new Uint8Array(2),
  () => Buffer.from('a'),
  () => new ArrayBuffer(1),
  () => new DataView(new ArrayBuffer(1)),
  () => Promise.resolve(),
  () => Number.NaN,
  () => Number.NEGATIVE_INFINITY,
  () => new Number(Number.NaN),
  () => new Date(Number.NaN),
  () => /a/g,
  () => new TypeError('e'),
  () => new URLSearchParams('a=1'),
  () => [1].values(),
  () => Object(1n),
  () => Object(Symbol('s')),
]

const ODD: readonly (() => unknown)[] = [
  () => undefined,
  () => new Date(0),
  () => new String('a'),
  () => new Number(1),
  () => new Boolean(false),
  () => Object.create(null),
  () => Object.create({ inherited: 1 }),
  () =>
    new (class Product {
      name = 'coat'
      #hidden = 1
      price() {
        return this.#hidden
      }
    })(),
  () => Object.assign([1, 2], { extra: () => 1 }),
  () => Object.assign([1], { toJSON: () => 'own' }),
  () => new Array(3),
  () => Object.freeze({ a: [1] }),
]

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 6, arbitrary: json },
    { weight: 1, arbitrary: fc.constantFrom(...LOSSY).map((make) => make()) },
    { weight: 2, arbitrary: fc.constantFrom(...ODD).map((make) => make()) },
    { weight: 3, arbitrary: fc.array(tie('value'), { maxLength: 3 }) },
    { weight: 4, arbitrary: fc.array(fc.tuple(key, tie('value')), { maxLength: 3 }).map(plain) },
    { weight: 1, arbitrary: tie('value').map((kept) => ({ toJSON: () => kept })) },
    { weight: 1, arbitrary: tie('value').map((kept) => withGetter(() => kept)) },
    { weight: 1, arbitrary: tie('value').map((kept) => [kept, kept]) },
    { weight: 1, arbitrary: tie('value').map(looped) },
    { weight: 1, arbitrary: fc.constantFrom(failing('toJSON'), failing('get')) },
  ),
}))

/** `toJSON` of JSON data is no function, so it stays a member. */
function plain(pairs: readonly (readonly [string, unknown])[]): object {
  return objectOf(pairs)
}

function withGetter(get: () => unknown): object {
  return Object.defineProperty({}, 'got', { get, enumerable: true, configurable: true })
}

function looped(inside: unknown): object {
  const self: Record<string, unknown> = { inside }
  define(self, 'self', [self])
  return self
}

function failing(how: 'toJSON' | 'get'): object {
  const fail = () => {
    throw new Error('mine')
  }
  const made = how === 'get' ? withGetter(fail) : { toJSON: fail }
  // For reports: fast-check would read the getter.
  return Object.assign(made, { [fc.toStringMethod]: () => `failing ${how}` })
}

/** Where the first value is that cannot be stored; undefined: there is none. */
function firstLoss(given: unknown, name: string, path: string, above: readonly object[]): Loss {
  let at = given
  if (
    (typeof at === 'object' || typeof at === 'bigint') &&
    at !== null &&
    !ArrayBuffer.isView(at)
  ) {
    const { toJSON } = at as { toJSON?: unknown }
    if (typeof toJSON === 'function') {
      if (at instanceof Date && Number.isNaN(at.getTime())) return path
      try {
        at = toJSON.call(at, name)
      } catch {
        return path
      }
    }
  }
  if (at instanceof Number) at = Number(at)
  if (typeof at === 'number') return Number.isFinite(at) ? undefined : path
  if (['bigint', 'symbol', 'function'].includes(typeof at)) return path
  if (typeof at !== 'object' || at === null) return undefined
  if (at instanceof String || at instanceof Boolean) return undefined
  if (LOST.some((kind) => at instanceof kind) || ArrayBuffer.isView(at) || isIterator(at))
    return path
  if (above.includes(at)) return path
  const inside = [...above, at]
  const names = Array.isArray(at) ? [...at.keys()] : Object.keys(at)
  for (const member of names) {
    const place = path + step(member)
    let found: unknown
    try {
      found = (at as Record<string | number, unknown>)[member]
    } catch {
      return place
    }
    const loss = firstLoss(found, String(member), place, inside)
    if (loss !== undefined) return loss
  }
  return undefined
}

type Loss = string | undefined

function isIterator(value: object): boolean {
  return typeof (value as { next?: unknown }).next === 'function'
}
const LOST = [
  Map,
  Set,
  WeakMap,
  WeakSet,
  Promise,
  ArrayBuffer,
  BigInt,
  Symbol,
  RegExp,
  Error,
  URLSearchParams,
]

function step(name: string | number): string {
  if (typeof name === 'number') return `[${name}]`
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)
    ? `.${name}`
    : `[${JSON.stringify(name)}]`
}

/** Any value becomes exactly what JSON.stringify writes, or an error that names the place. */
export const strictJson: Target = target('strict JSON', 20, value, (given) => {
  const loss = firstLoss(given, 'cart', 'cart', [])
  const expected = loss === undefined ? JSON.stringify(given) : `ERR_NOT_SERIALIZABLE at ${loss}`
  same('the text', `${written(given)}`, `${expected}`)
  nothingPolluted()
})

function written(given: unknown): string | undefined {
  try {
    return encodeStrict(given, 'cart')
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    const place =
      /^Session data is JSON: (?<place>.*) is (?:an? |NaN|Infinity|binary|nested)/s.exec(message)
    return `${code} at ${place?.groups?.place ?? message}`
  }
}
