import { types } from 'node:util'
import { CoatcheckError } from '../errors.js'
import { MAX_DEPTH } from './record.js'

/**
 * The JSON text of a value that is kept in a session, as `JSON.stringify` writes it, except that
 * what JSON would lose in silence is an error that names its place: BigInt, function, symbol, Map,
 * Set, typed array, promise, Error, RegExp, invalid Date, NaN, Infinity, cycle, and the like. Undefined members are left out and `toJSON`
 * applies.
 *
 * @returns undefined for undefined, as `JSON.stringify` does.
 * @throws CoatcheckError `ERR_NOT_SERIALIZABLE` with the key path in the message, never the value.
 */
export function encodeStrict(value: unknown, key: string): string | undefined {
  if (isPlainForSure(value)) return JSON.stringify(value)
  return encode(value, key, [{ at: '', key }])
}

/** A getter of the application may fail: then the exact way names its place. */
function isPlainForSure(value: unknown): boolean {
  try {
    return isPlain(value, 0)
  } catch {
    return false
  }
}

/** Deeper than this the fast check gives up, which also ends it on a cycle. */
const FAST_DEPTH = 24

/** Whether native `JSON.stringify` keeps all of it and calls no code of the application. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value)
    case 'object':
      break
    default:
      return false
  }
  if (value === null) return true
  if (depth === FAST_DEPTH) return false
  if (Array.isArray(value)) {
    if (value.length !== Object.keys(value).length || 'toJSON' in value) return false
    return value.every((member) => isPlain(member, depth + 1))
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return false
  if ('toJSON' in value) return false
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined && !isPlain(member, depth + 1)) return false
  }
  return true
}

interface Step {
  at: unknown
  key: string | number
}

/** The slow, exact way: one walk that calls each `toJSON` once and knows the path. */
function encode(given: unknown, key: string, path: Step[]): string | undefined {
  let value = given
  if (hasToJson(value)) {
    value = callToJson(value, key, path)
    if (value === null && isInvalidDate(given)) throw refused('an invalid Date', path)
  }
  switch (typeof value) {
    case 'undefined':
      return undefined
    case 'string':
    case 'boolean':
      return JSON.stringify(value)
    case 'number':
      if (!Number.isFinite(value)) throw refused(Number.isNaN(value) ? 'NaN' : 'Infinity', path)
      return JSON.stringify(value)
    case 'object':
      break
    default:
      throw refused(typeof value === 'bigint' ? 'a BigInt' : `a ${typeof value}`, path)
  }
  if (value === null) return 'null'
  if (value instanceof String || value instanceof Number || value instanceof Boolean) {
    return encode(value.valueOf(), key, path)
  }
  const kind = lossyKind(value)
  if (kind !== undefined) throw refused(kind, path)
  if (path.some((step) => step.at === value)) throw refused('a cycle', path)
  if (path.length > MAX_DEPTH) throw refused(`nested more than ${MAX_DEPTH} deep`, path.slice(0, 8))
  const holder = value
  const inside = (at: string | number): string | undefined => {
    path.push({ at: holder, key: at })
    const text = encode(read(holder, at, path), String(at), path)
    path.pop()
    return text
  }
  if (Array.isArray(value)) {
    const parts = Array.from({ length: value.length }, (_, index) => inside(index) ?? 'null')
    return `[${parts.join(',')}]`
  }
  const parts: string[] = []
  for (const name of Object.keys(value)) {
    const text = inside(name)
    if (text !== undefined) parts.push(`${JSON.stringify(name)}:${text}`)
  }
  return `{${parts.join(',')}}`
}

function read(holder: object, at: string | number, path: readonly Step[]): unknown {
  try {
    return (holder as Record<string | number, unknown>)[at]
  } catch (cause) {
    throw refused('a value whose getter failed', path, cause)
  }
}

function callToJson(value: { toJSON(key: string): unknown }, key: string, path: Step[]): unknown {
  try {
    return value.toJSON(key)
  } catch (cause) {
    throw refused('a value whose toJSON failed', path, cause)
  }
}

/** BigInt too: programs put `toJSON` on its prototype, and JSON.stringify honours that. */
function hasToJson(value: unknown): value is { toJSON(key: string): unknown } {
  if (value === null || (typeof value !== 'object' && typeof value !== 'bigint')) return false
  if (ArrayBuffer.isView(value)) return false
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
}

/** What JSON writes as `{}` whatever is in it, by `Object.prototype.toString`. */
const LOSSY = new Set([
  'Map',
  'Set',
  'WeakMap',
  'WeakSet',
  'WeakRef',
  'Promise',
  'BigInt',
  'Symbol',
  'Error',
  'RegExp',
  'URLSearchParams',
  'Headers',
  'FormData',
  'Blob',
  'File',
  'Generator',
  'AsyncGenerator',
])

/** Objects whose content JSON drops, so that they would come back empty. */
export function lossyKind(value: object): string | undefined {
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return 'binary data'
  const tag = Object.prototype.toString.call(value).slice(8, -1)
  // Such as `Map Iterator`. A class of the application may use any other name for itself.
  if (!LOSSY.has(tag) && !tag.endsWith(' Iterator')) return undefined
  return `${/^[AEIOU](?!RL)/.test(tag) ? 'an' : 'a'} ${tag}`
}

function isInvalidDate(value: unknown): boolean {
  return value instanceof Date && Number.isNaN(value.getTime())
}

function refused(what: string, path: readonly Step[], cause?: unknown): CoatcheckError {
  return new CoatcheckError(
    'ERR_NOT_SERIALIZABLE',
    `Session data is JSON: ${pathText(path)} is ${what}. Nothing was stored.`,
    { cause },
  )
}

function pathText(path: readonly Step[]): string {
  let text = ''
  for (const { key } of path) {
    if (typeof key === 'number') text += `[${key}]`
    else if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key))
      text += text === '' ? key : `.${key}`
    else text += `[${JSON.stringify(key)}]`
  }
  return text
}

/** Whether two values that came out of `JSON.parse` are the same, whatever the order of keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((member, index) => sameJson(member, b[index]))
    )
  }
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) &&
        sameJson((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
    )
  )
}
