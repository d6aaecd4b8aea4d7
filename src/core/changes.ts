import { type Data, endOfRecord } from './record.js'
import { encodeStrict, sameJson } from './strict-json.js'

/** What one request did to the data: per top-level key, as JSON. */
export interface Changes {
  /** Key → JSON text of its new value. */
  readonly set: ReadonlyMap<string, string>
  readonly deleted: ReadonlySet<string>
}

/** The data as it was when it was loaded or last stored: what changes are measured against. */
export interface Base {
  /** Its own top-level primitives can be trusted; objects in it are shared with the handler. */
  readonly loaded: Data
  /** The same data in objects that no handler has touched. Parsed only when it is asked for. */
  readonly untouched: Data
  /** The text of the record it came from, if there is one. */
  readonly text?: string
}

export const EMPTY_BASE: Base = { loaded: {}, untouched: {} }

export const NO_CHANGES: Changes = { set: new Map(), deleted: new Set() }

/** The part of a base that a session keeps under a new id. */
export function narrowed(base: Base, kept: (key: string) => boolean): Base {
  const part = (data: Data) => Object.fromEntries(Object.entries(data).filter(([key]) => kept(key)))
  return { loaded: part(base.loaded), untouched: part(base.untouched) }
}

/** What was just written: no handler has its objects. */
export function storedBase(held: Base): Base {
  return {
    ...(held.text === undefined ? {} : { text: held.text }),
    get loaded() {
      return held.untouched
    },
    get untouched() {
      return held.untouched
    },
  }
}

/**
 * What changed since `base`. Changes deep inside a value are seen; the order of keys and a value
 * that was set back are no changes. Each value is encoded once at most.
 *
 * @param names members of the session: such a key of the record is kept, and is no deletion
 * @throws CoatcheckError `ERR_NOT_SERIALIZABLE`
 */
export function changesSince(base: Base, current: Data, names: ReadonlySet<string>): Changes {
  const encoded = new Map<string, string>()
  for (const key of Object.keys(current)) {
    const json = encodeStrict(current[key], key)
    if (json !== undefined) encoded.set(key, json)
  }
  // Most sessions are read and left as they are: one comparison tells, and nothing is parsed again.
  if (base.text?.endsWith(endOfRecord(encoded))) return NO_CHANGES
  const set = new Map<string, string>()
  const deleted = new Set<string>()
  const { loaded } = base
  for (const [key, json] of encoded) {
    const value = current[key]
    const known = Object.hasOwn(loaded, key)
    if (known && value === loaded[key] && (typeof value !== 'object' || value === null)) continue
    if (!known || !isSame(json, base.untouched[key])) set.set(key, json)
  }
  for (const key of Object.keys(loaded)) {
    if (!encoded.has(key) && !names.has(key)) deleted.add(key)
  }
  return { set, deleted }
}

function isSame(json: string, before: unknown): boolean {
  if (json === JSON.stringify(before)) return true
  return typeof before === 'object' && before !== null && sameJson(JSON.parse(json), before)
}

export function hasChanges({ set, deleted }: Changes): boolean {
  return set.size > 0 || deleted.size > 0
}

/** Data with changes put onto it, key → JSON text, in the order of the data. */
export function applied(data: Data, changes: Changes): Map<string, string> {
  const entries = new Map<string, string>()
  for (const key of Object.keys(data)) {
    if (changes.deleted.has(key)) continue
    entries.set(key, changes.set.get(key) ?? JSON.stringify(data[key]))
  }
  for (const [key, json] of changes.set) entries.set(key, json)
  return entries
}

/**
 * The keys that both sides changed, to different results. A three-way comparison per top-level key:
 * what must change together belongs in one key.
 */
export function conflictsWith(base: Base, theirs: Data, mine: Changes): string[] {
  const conflicts: string[] = []
  for (const [key, json] of mine.set) {
    if (!sameMember(base.untouched, theirs, key) && !isSameMember(theirs, key, json)) {
      conflicts.push(key)
    }
  }
  for (const key of mine.deleted) {
    if (Object.hasOwn(theirs, key) && !sameMember(base.untouched, theirs, key)) conflicts.push(key)
  }
  return conflicts
}

/** Whether a key holds the same in both, or is in neither. */
export function sameMember(a: Data, b: Data, key: string): boolean {
  const has = Object.hasOwn(a, key)
  return has === Object.hasOwn(b, key) && (!has || sameJson(a[key], b[key]))
}

function isSameMember(data: Data, key: string, json: string): boolean {
  return Object.hasOwn(data, key) && sameJson(data[key], JSON.parse(json))
}

/** Data with changes put onto it, as the next request will load it. Shares what did not change. */
export function plainAfter(data: Data, { set, deleted }: Changes): Data {
  const after = { ...data }
  for (const key of deleted) delete after[key]
  for (const [key, json] of set) define(after, key, JSON.parse(json))
  return after
}

/** Plain data from JSON texts, as the next request will load it. */
export function parseEntries(entries: ReadonlyMap<string, string>): Data {
  const data: Data = {}
  for (const [key, json] of entries) define(data, key, JSON.parse(json))
  return data
}

/** Sets an own property, also one named `__proto__`. */
function define(data: Data, key: string, value: unknown): void {
  if (key !== '__proto__') data[key] = value
  else
    Object.defineProperty(data, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
}
