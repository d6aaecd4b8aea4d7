import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeRecord, encodeRecord, encodeTombstone, type Facts } from '../../src/core/record.js'

const facts: Facts = { created: 1, started: 2, authenticated: 3, idle: 4, own: 5, user: 'ada' }

describe('the text of a record', () => {
  it('is one JSON object, which gives back facts and data', () => {
    const text = encodeRecord(
      facts,
      new Map([
        ['a', '1'],
        ['"', '{"b":[]}'],
      ]),
    )
    expect(text).toBe(
      '{"v":1,"facts":{"created":1,"started":2,"authenticated":3,"idle":4,"own":5,"user":"ada"},"data":{"a":1,"\\"":{"b":[]}}}',
    )
    expect(decodeRecord(text)).toEqual({
      kind: 'record',
      record: { facts, data: { a: 1, '"': { b: [] } } },
    })
  })

  it('may come back with other white space and order, as from a jsonb column', () => {
    const text = '{ "data": {"a": 1}, "facts": {"idle": null, "started": 2, "created": 1}, "v": 1 }'
    expect(decodeRecord(text)).toMatchObject({ kind: 'record', record: { data: { a: 1 } } })
  })

  it('stands for a renewed session, too', () => {
    expect(decodeRecord(encodeTombstone(9))).toEqual({ kind: 'tombstone', ended: 9 })
  })

  it.each([
    ['', 'json'],
    ['{', 'json'],
    ['null', 'shape'],
    ['[]', 'shape'],
    ['1', 'shape'],
    ['{}', 'shape'],
    ['{"v":2,"facts":{},"data":{}}', 'version'],
    ['{"v":0}', 'shape'],
    ['{"v":1,"facts":{"created":1,"started":1,"idle":1},"data":[]}', 'shape'],
    ['{"v":1,"facts":{"created":1,"started":1,"idle":0},"data":{}}', 'shape'],
    ['{"v":1,"facts":{"created":"1","started":1,"idle":1},"data":{}}', 'shape'],
    ['{"v":1,"facts":{"created":1,"started":1,"idle":1,"user":5},"data":{}}', 'shape'],
    ['{"cookie":{"originalMaxAge":null},"views":1}', 'shape'],
    ['not json at all', 'json'],
  ])('that is %j is corrupt: %s, and never a throw', (text, reason) => {
    expect(decodeRecord(text)).toEqual({ kind: 'corrupt', reason })
  })

  describe.each([
    ['lists', '[', ']'],
    ['objects', '{"":', '}'],
    ['both', '[{"a":', '}]'],
  ])('nested, with %s,', (_name, open, close) => {
    const nested = (levels: number) => {
      const times = (levels - 2) / (open.length === 6 ? 2 : 1)
      const value = `${open.repeat(times)}${open.endsWith(':') ? 1 : ''}${close.repeat(times)}`
      return `{"v":1,"facts":{"created":1,"started":1,"idle":1},"data":{"a":${value}}}`
    }

    it('is a record up to the thousandth level of its data, and corrupt beyond', () => {
      expect(decodeRecord(nested(1002)).kind).toBe('record')
      expect(decodeRecord(nested(1004))).toEqual({ kind: 'corrupt', reason: 'depth' })
    })
  })

  it('may have any number of brackets that are not nested, or that are text', () => {
    const data = `{"a":[${'{},[],'.repeat(2000)}"${'[{'.repeat(2000)}"]}`
    const text = `{"v":1,"facts":{"created":1,"started":1,"idle":1},"data":${data}}`
    expect(decodeRecord(text).kind).toBe('record')
  })

  it('decodes any text to a value', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void decodeRecord(text)))
  })
})
