import { createHash } from 'node:crypto'
import MongoStoreOfOld from 'connect-mongo'
import { Decimal128, Long, MongoClient, ObjectId } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StoreReport } from '../../../src/core/store.js'
import { session } from '../../../src/index.js'
import { MongoStore, type MongoStoreOptions } from '../../../src/stores/mongodb.js'
import { FakeClock } from '../../../src/testing/index.js'
import { mongo } from '../../support/servers/mongo.js'
import { hasServer, type RunningServer } from '../../support/servers/server.js'

interface Document {
  _id: string | ObjectId
  [name: string]: unknown
}

const HOUR = 60 * 60 * 1000
const SECRET = 'Of-the-2-stores-at-rest!'
const COOKIE = '"cookie":{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}'

let server: RunningServer
let client: MongoClient
let collections = 0

const later = () => Date.now() + HOUR
const texts = (n: number) => `{${COOKIE},"n":${n}}`

function open(options: Partial<MongoStoreOptions> = {}, name = `c${collections++}`) {
  const collection = client.db().collection<Document>(name)
  // The stand-in for MongoDB may fail a write while an index is made.
  const store = new MongoStore({ collection, autoMigrate: false, ...options })
  const reports: StoreReport[] = []
  store.onReport((report) => reports.push(report))
  return { collection, store, reports, name }
}

/** connect-mongo on the same collection, with promises. */
function old(name: string, options: Partial<Parameters<typeof MongoStoreOfOld.create>[0]> = {}) {
  const store = MongoStoreOfOld.create({ client, collectionName: name, ...options } as never)
  const call = <T>(run: (done: (error: unknown, value?: T) => void) => void) =>
    new Promise<T | undefined>((resolve, reject) => {
      run((error, value) => (error ? reject(error) : resolve(value)))
    })
  return {
    get: (key: string) => call<object>((done) => store.get(key, done as never)),
    set: (key: string, text: string) => call((done) => store.set(key, JSON.parse(text), done)),
    touch: (key: string, text: string) => call((done) => store.touch(key, JSON.parse(text), done)),
    destroy: (key: string) => call((done) => store.destroy(key, done)),
    clear: () => call((done) => store.clear(done)),
  }
}

describe.skipIf(!hasServer(mongo))('MongoStore', () => {
  beforeAll(async () => {
    server = await mongo.start()
    client = await new MongoClient(server.url).connect()
  })
  afterAll(async () => {
    await client?.close()
    await server?.stop()
  })

  describe('the indexes', () => {
    it('are those of connect-mongo and one of ours, whoever comes first', async () => {
      const [ours, theirs] = [open(), open()]
      await ours.store.migrate()
      await old(ours.name).set('k', texts(1))
      await old(theirs.name).set('k', texts(1))
      await theirs.store.migrate()
      await theirs.store.migrate()
      for (const { collection, reports } of [ours, theirs]) {
        const indexes = await collection.indexes()
        // The stand-in lists one twice that connect-mongo has asked for with `background: true`.
        const names = new Set(indexes.map(({ name }) => name))
        expect([...names]).toEqual(['_id_', 'expires_1', 'user_1'])
        expect(indexes.find(({ name }) => name === 'expires_1')).toMatchObject({
          key: { expires: 1 },
          expireAfterSeconds: 0,
        })
        expect(indexes.find(({ name }) => name === 'user_1')).toMatchObject({
          key: { user: 1 },
          sparse: true,
        })
        expect(reports).toEqual([])
      }
    })

    it('are not needed: who may not make them signs in and out, and sweeps', async () => {
      const { collection, store: any } = open()
      await any.create('over', { text: texts(1), expiresAt: Date.now() - HOUR })
      const refusal = Object.assign(new Error('not authorized'), { code: 13 })
      const mayNot = new Proxy(collection, {
        get(target, name) {
          if (name === 'createIndex') return () => Promise.reject(refusal)
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
      const store = new MongoStore({ collection: mayNot })
      const sessions = session<{ userId?: string }>({ secret: 's'.repeat(32), store })
      const errors: unknown[] = []
      sessions.on('error', ({ error }) => void errors.push(error))
      await sessions.issue({ userId: 'ada' })
      expect(await sessions.list('ada')).toHaveLength(1)
      expect(await sessions.sweep()).toBe(1)
      expect(await sessions.revokeUser('ada')).toBe(1)
      expect(await collection.countDocuments()).toBe(0)
      await sessions.close()
      // One for each of the two indexes.
      expect(errors).toMatchObject([{ code: 'ERR_STORE' }, { code: 'ERR_STORE' }])
    })
  })

  describe('documents', () => {
    it('are a text, a date, and whose they are', async () => {
      const { collection, store } = open()
      const expiresAt = later()
      await store.create('k', { text: texts(1), expiresAt, user: 'ada' })
      const document = { _id: 'k', session: texts(1), expires: new Date(expiresAt), user: 'ada' }
      expect(await collection.findOne()).toEqual(document)
      await store.replace('k', { text: texts(2), expiresAt }, (await store.load('k'))!)
      expect(await collection.findOne()).toEqual({
        _id: 'k',
        session: texts(2),
        expires: new Date(expiresAt),
      })
    })

    it('with stringify: false have an object, with a date and null in its cookie', async () => {
      const { collection, store, name } = open({ stringify: false })
      const expires = new Date(later()).toISOString()
      const cookie = { originalMaxAge: HOUR, expires, httpOnly: true, path: '/' }
      const text = JSON.stringify({ cookie, at: expires, list: [1, { a: null }] })
      await store.create('k', { text, expiresAt: later() })
      await old(name, { stringify: false }).set('theirs', text)
      const [ours, theirs] = await collection.find().sort({ _id: 1 }).toArray()
      const kept = {
        cookie: {
          ...cookie,
          expires: new Date(expires),
          partitioned: null,
          priority: null,
          secure: null,
          domain: null,
          sameSite: null,
        },
        at: expires,
        list: [1, { a: null }],
      }
      expect(ours?.session).toEqual(kept)
      expect((await store.load('k'))?.text).toBe(text)
      expect(await old(name, { stringify: false }).get('k')).toEqual(kept)
      expect((await store.load('theirs'))?.text).toBe(text)
      expect(theirs?.session).toMatchObject({ at: expires })
    })

    it('keep the types of others in what did not change', async () => {
      const { collection, store } = open({ stringify: false })
      const [when, id] = [new Date(0), new ObjectId()]
      const big = Long.fromString('9007199254740991')
      const price = Decimal128.fromString('1.10')
      const theirs = { cookie: {}, when, big, id, price, list: [when, { when }], n: 1 }
      await collection.insertOne({ _id: 'k', session: theirs, expires: new Date(later()) })
      const seen = (await store.load('k'))!
      const data = JSON.parse(seen.text)
      expect(data).toMatchObject({ when: when.toISOString(), id: id.toHexString(), n: 1 })
      const next = { ...data, n: 2 }
      const entry = { text: JSON.stringify(next), expiresAt: later() }
      expect(await store.replace('k', entry, seen)).toBe('replaced')
      const raw = await collection.findOne({ _id: 'k' }, { promoteLongs: false })
      expect(raw?.session).toMatchObject({ when, id, price, list: [when, { when }] })
      expect((await store.load('k'))?.text).toBe(entry.text)
    })

    it('of both forms are read, and written in the one that is set', async () => {
      const { collection, store, name } = open()
      const objects = new MongoStore({ collection, stringify: false, autoMigrate: false })
      await old(name, { stringify: false }).set('object', texts(1))
      await old(name).set('text', texts(1))
      for (const [one, type] of [
        [store, 'string'],
        [objects, 'object'],
      ] as const) {
        for (const key of ['object', 'text']) {
          const seen = (await one.load(key))!
          expect(JSON.parse(seen.text)).toMatchObject({ n: 1 })
          const entry = { text: seen.text, expiresAt: later() }
          expect(await one.replace(key, entry, seen)).toBe('replaced')
          expect(typeof (await collection.findOne({ _id: key }))?.session).toBe(type)
        }
      }
    })

    it('without an end live until somebody ends them', async () => {
      const { collection, store } = open()
      await collection.insertOne({ _id: 'k', session: texts(1) })
      expect((await store.load('k'))?.text).toBe(texts(1))
      expect(await store.create('k', { text: texts(2), expiresAt: later() })).toBe(false)
      expect(await store.sweep()).toBe(0)
      expect(await store.destroy('k')).toBe(true)
    })

    it('whose text is none are told of as unreadable, and are no error', async () => {
      const { collection, store, reports } = open()
      const expires = new Date(later())
      for (const [_id, value] of [
        ['date', new Date()],
        ['list', [1]],
        ['number', 7],
        ['null', null],
      ] as const) {
        await collection.insertOne({ _id, session: value, expires })
        expect(await store.load(_id)).toBeUndefined()
      }
      await collection.insertOne({ _id: 'none', expires })
      expect(await store.load('none')).toBeUndefined()
      const keys = ['date', 'list', 'number', 'null', 'none']
      expect(reports).toEqual(keys.map((key) => ({ type: 'unreadable', key })))
    })

    it('with an _id of another type are left alone by a listing and swept', async () => {
      const { collection, store } = open()
      const at = { session: texts(1), expires: new Date(later()), user: 'ada' }
      await collection.insertMany([
        { _id: new ObjectId(), ...at },
        { _id: new ObjectId(), ...at, expires: new Date(0) },
        { _id: 'k', ...at },
      ])
      const keys: string[] = []
      for await (const { key } of store.entries()) keys.push(key)
      expect(keys).toEqual(['k'])
      expect(await store.keysOfUser('ada')).toEqual(['k'])
      expect(await store.sweep()).toBe(1)
    })

    it('are listed page by page in the order of their keys', async () => {
      const { collection, store } = open()
      const expires = new Date(later())
      const ids = Array.from({ length: 250 }, (_, n) => `k${String(n).padStart(3, '0')}`)
      await collection.insertMany(ids.toReversed().map((_id) => ({ _id, session: '{}', expires })))
      const keys: string[] = []
      for await (const { key } of store.entries()) keys.push(key)
      expect(keys).toEqual(ids)
    })
  })

  describe('beside connect-mongo', () => {
    it('its touch, its removals and its clear are those of ours', async () => {
      const { store, name } = open()
      const theirs = old(name)
      await store.create('k', { text: texts(1), expiresAt: later(), user: 'ada' })
      const seen = (await store.load('k'))!
      const expires = new Date(Date.now() + 3 * HOUR).toISOString()
      await theirs.touch('k', `{"cookie":{"expires":"${expires}"}}`)
      expect((await store.load('k'))?.expiresAt).toBe(Date.parse(expires))
      expect(await store.replace('k', { text: texts(2), expiresAt: later() }, seen)).toBe(
        'replaced',
      )
      await theirs.destroy('k')
      const entry = { text: texts(3), expiresAt: later() }
      expect(await store.replace('k', entry, { text: texts(2), expiresAt: 0 })).toBe('gone')
      expect(await store.touch('k', later())).toBe(false)
      await store.create('other', entry)
      await theirs.clear()
      expect(await store.load('other')).toBeUndefined()
      expect(await store.create('other', entry)).toBe(true)
    })

    it('fields of others, and whose a session is, stay where either writes', async () => {
      const { collection, store, name } = open()
      const theirs = old(name, { timestamps: true, touchAfter: 3600 })
      await theirs.set('k', texts(1))
      const before = (await collection.findOne())!
      expect(before).toHaveProperty('lastModified')
      const seen = (await store.load('k'))!
      expect(seen.text).toBe(texts(1))
      await store.replace('k', { text: texts(2), expiresAt: later(), user: 'ada' }, seen)
      const { createdAt, lastModified } = before
      expect(await collection.findOne()).toMatchObject({ createdAt, lastModified, user: 'ada' })
      await theirs.set('k', texts(3))
      expect(await store.keysOfUser('ada')).toEqual(['k'])
    })

    it('finds keys by the same transformId', async () => {
      const transformId = (key: string) => createHash('sha256').update(key).digest('hex')
      const { collection, store, name } = open({ transformId })
      await old(name, { transformId }).set('theirs', texts(1))
      expect((await store.load('theirs'))?.text).toBe(texts(1))
      await store.create('ours', { text: texts(2), expiresAt: later() })
      expect(await old(name, { transformId }).get('ours')).toEqual(JSON.parse(texts(2)))
      expect(await collection.findOne({ _id: 'ours' })).toBeNull()
      const clock = new FakeClock(Date.now() + 2 * HOUR)
      const sweeping = new MongoStore({ collection, transformId, clock, autoMigrate: false })
      const reports: StoreReport[] = []
      sweeping.onReport((report) => reports.push(report))
      expect(await sweeping.sweep()).toBe(1)
      // Whose keys cannot be told.
      expect(reports).toEqual([])
    })
  })

  describe('with a secret', () => {
    const kinds = [{ secret: SECRET }, { secret: SECRET, kind: 'webcrypto' as const }]

    it.each(kinds)('never takes a plain text for a session: $kind', async (crypto) => {
      const { collection, store, reports } = open({ crypto })
      const expires = new Date(later())
      for (const [_id, value] of [
        ['text', texts(1)],
        ['object', JSON.parse(texts(1))],
      ] as const) {
        await collection.insertOne({ _id, session: value, expires })
        expect(await store.load(_id)).toBeUndefined()
      }
      expect(reports).toEqual([
        { type: 'unreadable', key: 'text' },
        { type: 'unreadable', key: 'object' },
      ])
    })

    it.each(kinds)('a session of another secret is unreadable: $kind', async (crypto) => {
      const { store, collection } = open({ crypto })
      await store.create('k', { text: texts(1), expiresAt: later() })
      expect(JSON.stringify(await collection.findOne())).not.toContain('cookie')
      const other = open({ crypto: { ...crypto, secret: 'another' } }, collection.collectionName)
      expect(await other.store.load('k')).toBeUndefined()
      expect(other.reports).toEqual([{ type: 'unreadable', key: 'k' }])
      expect((await store.load('k'))?.text).toBe(texts(1))
    })
  })

  it('a sweep removes 2,000 documents 500 at a time, with requests let in between', async () => {
    const clock = new FakeClock(Date.now())
    const { collection, store } = open({ clock })
    await store.create('live', { text: texts(1), expiresAt: clock.now() + HOUR })
    const expires = new Date(clock.now() - HOUR)
    const old = Array.from({ length: 2000 }, (_, n) => ({ _id: `k${n}`, session: '{}', expires }))
    await collection.insertMany(old)
    const left: number[] = []
    Object.assign(clock, {
      async pause() {
        expect((await store.load('live'))?.text).toBe(texts(1))
        left.push(await collection.countDocuments())
      },
    })
    expect(await store.sweep()).toBe(2000)
    expect(left).toEqual(Array.from({ length: 4 }, (_, n) => 2001 - 500 * (n + 1)))
    expect(await collection.countDocuments()).toBe(1)
  })

  it('a collection that is dropped is made again', async () => {
    const { collection, store } = open()
    const entry = { text: texts(1), expiresAt: later() }
    await store.create('k', entry)
    const seen = (await store.load('k'))!
    await collection.drop()
    expect(await store.load('k')).toBeUndefined()
    expect(await store.replace('k', entry, seen)).toBe('gone')
    expect(await store.create('k', entry)).toBe(true)
    expect((await store.load('k'))?.text).toBe(texts(1))
  })

  it('a closed client is an error that says so', async () => {
    const other = await new MongoClient(server.url).connect()
    const collectionName = `c${collections++}`
    const store = new MongoStore({ client: other, collectionName, autoMigrate: false })
    await store.create('k', { text: texts(1), expiresAt: later() })
    await other.close()
    const loaded = await store.load('k').then(
      (found) => found?.text,
      (error: Error) => error.message,
    )
    // Some drivers connect again by themselves.
    expect([texts(1), expect.stringMatching(/client is closed/)]).toContainEqual(loaded)
    await other.close()
  })
})
