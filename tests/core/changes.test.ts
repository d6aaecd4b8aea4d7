import { describe, expect, it } from 'vitest'
import {
  applied,
  type Base,
  changesSince,
  conflictsWith,
  hasChanges,
  parseEntries,
} from '../../src/core/changes.js'
import type { Data } from '../../src/core/record.js'

const none: ReadonlySet<string> = new Set()

/** A base as a load makes it, and the handler's data, which shares the objects of the base. */
function loaded(data: Data): { base: Base; current: Data } {
  const first = structuredClone(data)
  const base = { loaded: first, untouched: structuredClone(data) }
  return { base, current: { ...first } }
}

function changed(data: Data, edit: (current: Data) => void): string[] {
  const { base, current } = loaded(data)
  edit(current)
  const { set, deleted } = changesSince(base, current, none)
  return [...set.keys(), ...[...deleted].map((key) => `-${key}`)]
}

describe('what a request has changed', () => {
  const before = { n: 1, text: 'a', cart: { items: [{ n: 1 }, { n: 2 }] }, list: [1, 2] }

  it('is nothing if nothing was touched', () => {
    expect(changed(before, () => {})).toEqual([])
  })

  it('is seen deep inside a value', () => {
    expect(changed(before, (s) => (s.cart as typeof before.cart).items[0]!.n++)).toEqual(['cart'])
  })

  it('is not a value that was set back', () => {
    expect(
      changed(before, (s) => {
        s.n = 2
        s.n = 1
        s.cart = structuredClone(before.cart)
      }),
    ).toEqual([])
  })

  it('is not the order of keys, on top or inside', () => {
    expect(
      changed({ a: 1, o: { x: 1, y: 2 } }, (s) => {
        const a = s.a
        delete s.a
        s.a = a
        s.o = { y: 2, x: 1 }
      }),
    ).toEqual([])
  })

  it('is the order of an array', () => {
    expect(changed(before, (s) => (s.list as number[]).reverse())).toEqual(['list'])
  })

  it('is a deletion, also by setting undefined', () => {
    expect(changed(before, (s) => delete s.n)).toEqual(['-n'])
    expect(changed(before, (s) => (s.n = undefined))).toEqual(['-n'])
  })

  it('is a change of type', () => {
    expect(
      changed({ a: 1, b: null, c: '1' }, (s) => Object.assign(s, { a: '1', b: 0, c: 1 })),
    ).toEqual(['a', 'b', 'c'])
  })

  it('is not a key set and deleted again', () => {
    expect(
      changed(before, (s) => {
        s.x = 1
        delete s.x
      }),
    ).toEqual([])
  })

  it('treats __proto__ and constructor as data', () => {
    const data = JSON.parse('{"__proto__":{"a":1},"constructor":2}') as Data
    const { base } = loaded(data)
    const current = JSON.parse('{"__proto__":{"a":2},"constructor":2}') as Data
    const changes = changesSince(
      { loaded: data, untouched: structuredCloneJson(data) },
      current,
      none,
    )
    expect([...changes.set.keys()]).toEqual(['__proto__'])
    const next = parseEntries(applied(base.untouched, changes))
    expect(Object.getPrototypeOf(next)).toBe(Object.prototype)
    expect(({} as { a?: unknown }).a).toBeUndefined()
    expect(JSON.stringify(next)).toContain('"__proto__":{"a":2}')
  })

  it('encodes each value once', () => {
    let calls = 0
    const { base, current } = loaded({})
    current.a = { toJSON: () => ++calls }
    changesSince(base, current, none)
    expect(calls).toBe(1)
  })
})

function structuredCloneJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

describe('the three-way merge', () => {
  const base: Base = { loaded: {}, untouched: { a: 1, b: 1, c: { x: 1 } } }
  const mine = (set: Data, deleted: string[] = []) => ({
    set: new Map(Object.entries(set).map(([key, value]) => [key, JSON.stringify(value)])),
    deleted: new Set(deleted),
  })

  it('keeps what each side changed on its own', () => {
    const theirs = { a: 2, b: 1, c: { x: 1 }, theirs: true }
    const changes = mine({ b: 2, mine: true })
    expect(conflictsWith(base, theirs, changes)).toEqual([])
    expect(parseEntries(applied(theirs, changes))).toEqual({
      a: 2,
      b: 2,
      c: { x: 1 },
      theirs: true,
      mine: true,
    })
  })

  it('lets the later writer win a key that both changed, and says so', () => {
    const changes = mine({ a: 3 })
    expect(conflictsWith(base, { a: 2, b: 1, c: { x: 1 } }, changes)).toEqual(['a'])
    expect(parseEntries(applied({ a: 2 }, changes))).toEqual({ a: 3 })
  })

  it('calls equal results no conflict', () => {
    expect(conflictsWith(base, { a: 2, b: 1, c: { x: 1 } }, mine({ a: 2 }))).toEqual([])
  })

  it('sees a deletion against a change, from either side', () => {
    expect(conflictsWith(base, { b: 1, c: { x: 1 } }, mine({ a: 2 }))).toEqual(['a'])
    expect(conflictsWith(base, { a: 2, b: 1, c: { x: 1 } }, mine({}, ['a']))).toEqual(['a'])
    expect(conflictsWith(base, { b: 1, c: { x: 1 } }, mine({}, ['a']))).toEqual([])
  })

  it('sees the same new key on both sides', () => {
    expect(conflictsWith(base, { a: 1, b: 1, c: { x: 1 }, n: 1 }, mine({ n: 2 }))).toEqual(['n'])
  })

  it('keeps a key that is a member of the session, although no handler can see it', () => {
    const { base: from } = loaded({ id: 'kept', a: 1 })
    const changes = changesSince(from, { a: 2 }, new Set(['id']))
    expect(hasChanges(changes)).toBe(true)
    expect(parseEntries(applied(from.untouched, changes))).toEqual({ id: 'kept', a: 2 })
  })
})
