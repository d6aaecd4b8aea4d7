import fc from 'fast-check'
import { RESERVED } from '../../src/core/session.js'

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

/** Names that mean something to JavaScript, to the engine or to nobody. */
export const key: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', '0', '10', '') },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      ...[
        '__proto__',
        'constructor',
        'prototype',
        'toString',
        'toJSON',
        'hasOwnProperty',
        'length',
      ],
      ...[
        'data',
        'facts',
        'v',
        'ended',
        '"data":{',
        '}}',
        '\\"data\\":{',
        '\u2028',
        '\ud800',
        'ключ',
      ],
    ),
  },
  {
    weight: 1,
    // Names of a session's members are no keys of its data.
    arbitrary: fc.string({ maxLength: 6 }).filter((name) => !RESERVED.has(name)),
  },
)

const leaf: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(null, true, false, 0, -0, 1, -1, 0.1, 1e21, 5e-324, 2 ** 53, '', 'a', 'b'),
  fc.constantFrom('"}', '}}', '{"data":{}}', '\\', '\\"', '\u0000', '\u2028', '\ud800', '😀'),
  fc.string({ maxLength: 6 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)

/** Objects as `JSON.parse` makes them: `__proto__` is a member like any other. */
export function objectOf<Value>(
  pairs: readonly (readonly [string, Value])[],
): Record<string, Value> {
  const object: Record<string, Value> = {}
  for (const [name, value] of pairs) define(object, name, value)
  return object
}

export function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  })
}

export const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 4, arbitrary: leaf },
    { weight: 1, arbitrary: fc.array(tie('json'), { maxLength: 3 }) },
    { weight: 2, arbitrary: fc.array(fc.tuple(key, tie('json')), { maxLength: 3 }).map(objectOf) },
  ),
}))

export const jsonObject: fc.Arbitrary<JsonObject> = fc
  .array(fc.tuple(key, json), { maxLength: 5 })
  .map(objectOf)

/**
 * One text for everything that is the same JSON, whatever the order of keys: written here a second
 * time, so that the engine's own comparison is not asked about itself.
 */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`)}}`
  }
  return JSON.stringify(value) ?? 'undefined'
}
