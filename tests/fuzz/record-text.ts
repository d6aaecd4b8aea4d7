import fc from 'fast-check'
import { decodeRecord, encodeRecord, encodeTombstone, endOfRecord } from '../../src/core/record.js'
import { edited, edits } from './edited-text.js'
import {
  canonical,
  define,
  type Json,
  type JsonObject,
  json,
  jsonObject,
  key,
} from './json-values.js'
import { nothingPolluted, same, type Target, target } from './target.js'

const time = fc.oneof(fc.constantFrom(0, 1, 1.5, 8.64e15), fc.nat())
export const facts = fc.record(
  {
    created: time,
    started: time,
    idle: fc.option(time.map((ms) => ms + 1)).map((ms) => ms && Math.min(ms, 8.64e15)),
    authenticated: time,
    own: fc.integer({ min: 1 }),
    user: fc.constantFrom('', 'ada', '"},"data":{}}', '"data":{', '\ud800', '\\'),
    issued: time,
    seen: time,
  },
  { requiredKeys: ['created', 'started', 'idle'] },
)

const entriesOf = (data: JsonObject) =>
  new Map(Object.entries(data).map(([name, value]) => [name, JSON.stringify(value)]))

const pairs = fc.record({
  facts,
  data: jsonObject,
  other: jsonObject,
  near: fc.boolean(),
  key,
  json,
})

/** What is stored comes back as it was, and its end tells it from all other data. */
export const recordRoundTrip: Target = target('record round trip', 10, pairs, (one) => {
  const entries = entriesOf(one.data)
  const text = encodeRecord(one.facts, entries)
  const decoded = decodeRecord(text)
  const expected = {
    kind: 'record',
    record: { facts: one.facts, data: JSON.parse(JSON.stringify(one.data)) },
  }
  same(text, canonical(decoded), canonical(expected))
  if (decoded.kind === 'record') ownAndPlain(decoded.record.data)
  // Data that resembles: one key more, or a value that holds the text of a record.
  const otherData = one.near ? { ...one.data, [one.key]: one.json } : one.other
  const other = entriesOf(otherData)
  same(text, `${text.endsWith(endOfRecord(entries))}`, 'true')
  const isSame = JSON.stringify([...entries]) === JSON.stringify([...other])
  same(text, `${text.endsWith(endOfRecord(other))}`, `${isSame}`)
  nothingPolluted()
})

const SNIPPETS = [
  ...['{', '}', '[', ']', '"', ',', ':', '\\', '\\u0000', 'null', '1e999', '-1', 'true', ' '],
  ...[
    '"v":1',
    '"v":2',
    '"ended":5',
    '"ended":-1',
    '"next":"x"',
    '"data":{',
    '"facts":{',
    '"idle":0',
  ],
  ...['"__proto__":{"polluted":1},', '"constructor":{"prototype":{"polluted":1}},'],
]

/** A member that is not what it has to be. */
const odd = fc.record({
  in: fc.constantFrom('record', 'facts', 'facts'),
  name: fc.constantFrom(
    ...['v', 'facts', 'data', 'ended', 'next', 'created', 'started', 'idle', 'authenticated'],
    ...['own', 'user', 'issued', 'seen'],
  ),
  value: fc.constantFrom<Json>('1', -1, -0, 0, 1.5, 8.64e15 + 2, 1e300, null, true, [], {}, [1]),
})

const texts = fc.record({
  odd: fc.option(odd, { freq: 2 }),
  facts,
  data: jsonObject,
  other: json,
  tombstone: fc.boolean(),
  changes: edits(SNIPPETS),
  deep: fc.oneof(
    { weight: 30, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.constantFrom(990, 1001, 1100, 20_000) },
  ),
  whole: fc.oneof(
    { weight: 5, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.string({ maxLength: 12, unit: 'binary' }) },
  ),
})

/** Any text becomes one of three values, the one that a second reading of the format gives. */
export const recordGarbage: Target = target('record garbage', 12, texts, (one) => {
  const good = one.tombstone
    ? encodeTombstone(one.facts.created, one.facts.user)
    : encodeRecord(one.facts, entriesOf(one.data))
  const record = one.odd === null ? good : withOdd(good, one.odd)
  const sound = edited(one.whole ?? record, JSON.stringify(one.other), one.changes)
  const text = one.deep === 0 ? sound : nested(sound, one.deep)
  const decoded = decodeRecord(text)
  same(JSON.stringify(text).slice(0, 2000), decoded.kind, kindOf(text))
  if (decoded.kind === 'record') {
    const { facts: read, data } = decoded.record
    same(text, canonical({ facts: read, data }), canonical(picked(JSON.parse(text))))
    ownAndPlain(data)
  }
  nothingPolluted()
})

function withOdd(text: string, place: { in: string; name: string; value: Json }): string {
  const record = JSON.parse(text) as JsonObject
  const { facts: inside } = record
  define(place.in === 'facts' && isObject(inside) ? inside : record, place.name, place.value)
  return JSON.stringify(record)
}

function nested(text: string, depth: number): string {
  return text.replace(/\}$/, () => `,"deep":${'['.repeat(depth)}${']'.repeat(depth)}}`)
}

function picked({ facts: read, data }: { facts: Json; data: Json }) {
  return { facts: read, data }
}

/** The format as its description has it; deeper than a thousand is nobody's data. */
function kindOf(text: string): string {
  let parsed: Json
  try {
    parsed = JSON.parse(text)
  } catch {
    return 'corrupt'
  }
  if (depthOf(parsed) > 1002 || !isObject(parsed) || parsed.v !== 1) return 'corrupt'
  if (within(parsed.ended)) return 'tombstone'
  const { facts: read, data } = parsed
  if (!isObject(read) || !isObject(data)) return 'corrupt'
  const positive = (value: Json | undefined) => within(value) && value !== 0
  const optional = (value: Json | undefined, ok: boolean) => value === undefined || ok
  const valid =
    within(read.created) &&
    within(read.started) &&
    (read.idle === null || positive(read.idle)) &&
    optional(read.authenticated, within(read.authenticated)) &&
    optional(read.own, positive(read.own)) &&
    optional(read.user, typeof read.user === 'string') &&
    optional(read.issued, within(read.issued)) &&
    optional(read.seen, within(read.seen))
  return valid ? 'record' : 'corrupt'
}

function within(value: Json | undefined): boolean {
  return typeof value === 'number' && value >= 0 && value <= 8.64e15
}

function isObject(value: Json | undefined): value is JsonObject {
  return Object.prototype.toString.call(value) === '[object Object]'
}

function depthOf(value: Json): number {
  let deepest = 0
  const open: [Json, number][] = [[value, 1]]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [at, depth] = next
    if (typeof at !== 'object' || at === null) continue
    deepest = Math.max(deepest, depth)
    for (const member of Object.values(at)) open.push([member, depth + 1])
  }
  return deepest
}

function ownAndPlain(data: object): void {
  if (Object.getPrototypeOf(data) !== Object.prototype)
    throw new Error('data has another prototype')
}
