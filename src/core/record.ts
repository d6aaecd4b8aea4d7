/**
 * What is kept about a session, and its text.
 *
 * The native text is one JSON object, so that it also fits a `json` or `jsonb` column:
 *
 *     {"v":1,"facts":{"created":…,"started":…,"idle":…},"data":{…}}
 *     {"v":1,"ended":…,"next":…}                                     a tombstone
 *
 * The expiry is not in it: it lives beside the text in the store, so a touch moves nothing else.
 */

/** What the engine knows about a session apart from the application's data. Times in ms. */
export interface Facts {
  /** When the session was made. */
  readonly created: number
  /** When its clocks last started: at creation, login, logout, switch or re-authentication. */
  readonly started: number
  /** When its user last proved to be that user. */
  readonly authenticated?: number
  /** The idle time its expiry was computed with; null: the idle clock was off. */
  readonly idle: number | null
  /** The session's own lifetime ("remember me"), which replaces the idle time of the settings. */
  readonly own?: number
  /** Whose session it is. */
  readonly user?: string
  /** The epoch of that user when the session became the user's, where epochs are kept. */
  readonly epoch?: number
  /** When a cookie that outlives half of its 400 days was last sent. */
  readonly issued?: number
  /** Its own lifetime was changed where no cookie could tell the browser. */
  readonly untold?: true
  /** The session is in a store: a token of it only leads there. */
  readonly stored?: true
  /** The last write, noted only while the idle clock is off: then the expiry cannot tell. */
  readonly seen?: number
}

/** Data of a session as parsed from its text: own, plain JSON values. */
export type Data = Record<string, unknown>

export interface SessionRecord {
  readonly facts: Facts
  readonly data: Data
}

/** What a text turned out to be. Garbage is a value: a bad record must not fail a request. */
export type Decoded =
  | { readonly kind: 'record'; readonly record: SessionRecord }
  | { readonly kind: 'tombstone'; readonly ended: number; readonly next: string | undefined }
  | { readonly kind: 'corrupt'; readonly reason: CorruptReason }

export type CorruptReason = 'json' | 'shape' | 'version' | 'depth'

/** Deeper data is refused when it is stored, so a text that has it was written by somebody else. */
export const MAX_DEPTH = 1000

const VERSION = 1

/** The latest moment a Date can hold (ECMA-262, section 21.4.1.1). */
const LATEST = 8.64e15

const BEFORE_FACTS = `{"v":${VERSION},"facts":`
const BEFORE_DATA = ',"data":'

/** The text of a record, from its facts and the JSON text of each top-level key. */
export function encodeRecord(facts: Facts, entries: ReadonlyMap<string, string>): string {
  return `${BEFORE_FACTS}${JSON.stringify(facts)},${endOfRecord(entries)}`
}

/** The text of a record, from the JSON texts of its facts and of its data. */
export function joinRecord(facts: string, data: string): string {
  return `${BEFORE_FACTS}${facts}${BEFORE_DATA}${data}}`
}

/** The JSON texts of facts and data in a text that was written here; undefined: it was not. */
export function splitRecord(text: string): { facts: string; data: string } | undefined {
  // Facts are flat, and in a string the quotes would be escaped: the first one is the key.
  const at = text.indexOf(BEFORE_DATA)
  if (at === -1 || !text.startsWith(BEFORE_FACTS) || !text.endsWith('}}')) return undefined
  const facts = text.slice(BEFORE_FACTS.length, at)
  return { facts, data: text.slice(at + BEFORE_DATA.length, -1) }
}

/**
 * How the text of every record with this data ends, as written here. No other data ends a text so:
 * the last brace but one closes the data, and it has one opening brace.
 */
export function endOfRecord(entries: ReadonlyMap<string, string>): string {
  let data = ''
  for (const [key, json] of entries) {
    data += `${data === '' ? '' : ','}${JSON.stringify(key)}:${json}`
  }
  return `"data":{${data}}}`
}

/**
 * The text that stands in for a renewed session until its last late requests are over.
 *
 * @param next the handle under which the same session goes on, so that a logout or a revoke that
 * names the old one still ends it. None after a login or logout: there the old id must lead nowhere.
 */
export function encodeTombstone(now: number, next?: string): string {
  return JSON.stringify({ v: VERSION, ended: now, next })
}

export function decodeRecord(text: string): Decoded {
  if (mayBeTooDeep(text) && isTooDeep(text)) return { kind: 'corrupt', reason: 'depth' }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return { kind: 'corrupt', reason: 'json' }
  }
  if (!isObject(parsed)) return { kind: 'corrupt', reason: 'shape' }
  const { v, facts, data, ended, next } = parsed
  if (v !== VERSION) {
    return { kind: 'corrupt', reason: typeof v === 'number' && v > VERSION ? 'version' : 'shape' }
  }
  if (isTime(ended)) {
    return { kind: 'tombstone', ended, next: typeof next === 'string' ? next : undefined }
  }
  if (!isFacts(facts) || !isObject(data)) return { kind: 'corrupt', reason: 'shape' }
  return { kind: 'record', record: { facts, data } }
}

/** Whether there are brackets enough for that: a look that costs a tenth of the exact one. */
function mayBeTooDeep(text: string): boolean {
  // Each has another that closes it.
  if (text.length <= 2 * MAX_DEPTH) return false
  let left = MAX_DEPTH + 2
  for (const bracket of ['[', '{']) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      if (--left < 0) return true
    }
  }
  return false
}

/** Whether brackets nest deeper than any record of ours; brackets inside strings do not count. */
function isTooDeep(text: string): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: // "
        at = endOfString(text, at)
        break
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > MAX_DEPTH + 2) return true
        break
      case 0x5d: // ]
      case 0x7d: // }
        depth--
        break
    }
  }
  return false
}

/** Where the string that begins at `start` ends. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote === -1) return text.length
    let backslashes = 0
    while (text[quote - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return quote
    at = quote + 1
  }
}

function isFacts(value: unknown): value is Facts {
  if (!isObject(value)) return false
  const { created, started, authenticated, idle, own, user, epoch, issued, untold, stored, seen } =
    value
  return (
    isTime(created) &&
    isTime(started) &&
    (idle === null || (isTime(idle) && idle > 0)) &&
    (authenticated === undefined || isTime(authenticated)) &&
    (own === undefined || (isTime(own) && own > 0)) &&
    (user === undefined || typeof user === 'string') &&
    (epoch === undefined || isTime(epoch)) &&
    (issued === undefined || isTime(issued)) &&
    (untold === undefined || untold === true) &&
    (stored === undefined || stored === true) &&
    (seen === undefined || isTime(seen))
  )
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= LATEST
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
