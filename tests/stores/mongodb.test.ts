import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { StoreReport } from '../../src/core/store.js'
import { OptionError } from '../../src/errors.js'
import { MongoStore, type MongoStoreOptions } from '../../src/stores/mongodb.js'
import { FakeClock } from '../../src/testing/index.js'
import { fatal } from '../support/process-events.js'
import { turns } from '../support/turns.js'
import { FakeCollection, noServer, serverError } from './mongo-collection.js'

const MINUTE = 60 * 1000
const entry = { text: '{"n":1}', expiresAt: Date.now() + MINUTE }

function open(answer?: FakeCollection['answer'], options: Partial<MongoStoreOptions> = {}) {
  const collection = new FakeCollection(answer)
  const clock = new FakeClock(Date.now())
  const store = new MongoStore({ collection, clock, ...options })
  const reports: StoreReport[] = []
  store.onReport((report) => reports.push(report))
  return { collection, clock, store, reports }
}

/** What a server says that has no index for us. */
const refusing = (op: string) => {
  if (op === 'createIndex') throw serverError(13, 'Unauthorized', 'not authorized on shop')
}

describe('options', () => {
  const collection = new FakeCollection()
  const wrong: readonly [string, unknown, RegExp][] = [
    ['none', undefined, /options must be an object/],
    ['neither', {}, /'collection' or 'client'/],
    ['both', { collection, client: { db: () => collection } }, /'collection' or 'client'/],
    ['an old driver', { collection: { findOne() {} } }, /lacks find, insertOne/],
    ['a name beside', { collection, dbName: 'shop' }, /'dbName' must be left out/],
    ['no client', { client: {} }, /'client' must be a MongoClient/],
    ['an empty name', { client: { db: () => ({}) }, collectionName: '' }, /'collectionName'/],
    ['no boolean', { collection, stringify: 'no' }, /'stringify' must be true or false/],
    ['no function', { collection, transformId: 'hash' }, /'transformId' must be a function/],
    ['no secret', { collection, crypto: { secret: '' } }, /'crypto.secret'/],
    ['a kind', { collection, crypto: { secret: 's', kind: 'other' } }, /'crypto.kind'/],
    ['a cipher', { collection, crypto: { secret: 's', algorithm: 'rot13' } }, /'crypto'/],
    ['a coding', { collection, crypto: { secret: 's', encodeas: 'latin1' } }, /'crypto.encodeas'/],
    [
      'rounds',
      { collection, crypto: { secret: 's', kind: 'webcrypto', iterations: 0 } },
      /'crypto.iterations'/,
    ],
    ['an old one', { collection, touchAfter: 60 }, /'touchAfter' is one of connect-mongo/],
  ]

  it.each(wrong)('are refused: %s', (_, options, message) => {
    const make = () => new MongoStore(options as MongoStoreOptions)
    expect(make).toThrow(OptionError)
    expect(make).toThrow(message)
  })

  it('send nothing, and name a collection of the client', () => {
    const names: unknown[] = []
    const client = {
      db(name?: string) {
        names.push(name)
        return {
          collection(given: string) {
            names.push(given)
            return collection
          },
        }
      },
    }
    new MongoStore({ client })
    new MongoStore({ client, dbName: 'shop', collectionName: 'visits' })
    expect(names).toEqual([undefined, 'sessions', 'shop', 'visits'])
    expect(collection.asked).toEqual([])
  })
})

describe('indexes', () => {
  it('are made in the background with the first write, once', async () => {
    const { collection, store } = open()
    await store.load('k')
    expect(collection.argsOf('createIndex')).toEqual([])
    for (const key of ['a', 'b']) await store.create(key, entry)
    await turns()
    expect(collection.argsOf('createIndex')).toEqual([
      [{ expires: 1 }, { expireAfterSeconds: 0 }],
      [{ user: 1 }, { sparse: true }],
    ])
    await store.create('c', entry)
    expect(collection.argsOf('createIndex')).toHaveLength(2)
  })

  it('that a user may not make are a report, and the store works', async () => {
    const crashes = fatal('unhandledRejection')
    const { store, reports } = open(refusing)
    expect(await store.create('k', entry)).toBe(true)
    await store.migrate()
    await turns()
    expect(crashes).toEqual([])
    expect(reports).toMatchObject([
      { type: 'error', op: 'migrate', error: { code: 'ERR_STORE' } },
      { type: 'error', op: 'migrate', error: { code: 'ERR_STORE' } },
    ])
    const [first] = reports as { error: Error }[]
    expect(first!.error.message).toMatch(/index on expires failed .*13 Unauthorized.*may not/)
  })

  it('that are refused are tried again: by each sweep, and by a write after ten minutes', async () => {
    const { collection, store, reports, clock } = open(refusing)
    const tries = () => collection.argsOf('createIndex').length / 2
    await store.create('k', entry)
    await turns()
    await store.create('k', entry)
    await turns()
    expect(tries()).toBe(1)
    await store.sweep()
    expect(tries()).toBe(2)
    await clock.advance(11 * MINUTE)
    await store.create('k', entry)
    await turns()
    expect(tries()).toBe(3)
    expect(reports).toHaveLength(2)
    collection.answer = () => undefined
    await clock.advance(11 * MINUTE)
    await store.create('k', entry)
    await turns()
    expect(tries()).toBe(4)
    await clock.advance(11 * MINUTE)
    await store.create('k', entry)
    await turns()
    expect(tries()).toBe(4)
  })

  it('that nobody could make for want of a server fail migrate(), and end no process', async () => {
    const crashes = fatal('unhandledRejection')
    const down = (op: string) => {
      if (op === 'createIndex') throw noServer()
    }
    const { collection, store, reports } = open(down)
    await expect(store.migrate()).rejects.toMatchObject({ code: 'ERR_STORE', retryable: true })
    const other = open(down)
    await other.store.create('k', entry)
    await turns()
    expect(other.reports).toMatchObject([{ type: 'error', op: 'migrate' }])
    expect(reports).toEqual([])
    collection.answer = () => undefined
    await store.migrate()
    expect(crashes).toEqual([])
  })

  it('are left alone with autoMigrate: false', async () => {
    const { collection, store } = open(undefined, { autoMigrate: false })
    await store.create('k', entry)
    await store.sweep()
    expect(collection.argsOf('createIndex')).toEqual([])
    await store.migrate()
    expect(collection.argsOf('createIndex')).toHaveLength(2)
  })
})

describe('what is sent', () => {
  it('reads from the first of a replica set, and what is live', async () => {
    const { collection, store, clock } = open()
    const live = [{ expires: { $exists: false } }, { expires: { $gt: new Date(clock.now()) } }]
    await store.load('k')
    await store.keysOfUser('ada')
    for await (const _ of store.entries()) expect.unreachable()
    const asked = [...collection.argsOf('findOne'), ...collection.argsOf('find')]
    expect(asked).toHaveLength(3)
    for (const [filter, options] of asked) {
      expect(filter).toMatchObject({ $or: live })
      expect(options).toMatchObject({ readPreference: 'primary' })
    }
  })

  it('inserts or changes, and never upserts', async () => {
    const { collection, store } = open((op) => {
      if (op === 'insertOne') throw serverError(11000, 'DuplicateKey')
    })
    await store.create('k', entry)
    await store.replace('k', entry, { text: '{}', expiresAt: 0 })
    await store.touch('k', 0)
    expect(collection.asked.map(({ op }) => op)).toEqual(
      expect.arrayContaining(['insertOne', 'replaceOne', 'bulkWrite', 'updateOne']),
    )
    expect(inspect(collection.asked, { depth: 9 })).not.toContain('upsert')
  })

  it('takes what comes from outside as a value, never as an operator', async () => {
    const { collection, store } = open()
    await store.replace('k', entry, { text: '{}', expiresAt: 0, version: { $gt: '' } })
    await store.keysOfUser('{"$gt":""}')
    const [[operations]] = collection.argsOf('bulkWrite') as [[unknown[]]]
    expect(operations.at(-1)).toMatchObject({
      updateOne: { filter: { session: { $eq: { $gt: '' } } } },
    })
    expect(collection.argsOf('find')[0]).toMatchObject([{ user: { $eq: '{"$gt":""}' } }, {}])
  })

  it('looks into no type of BSON that it keeps', async () => {
    class Ref {
      readonly $ref = 'users'
      toJSON() {
        return { $ref: this.$ref }
      }
    }
    const session = { ref: new Ref(), n: 1 }
    const { collection, store } = open(
      (op) => (op === 'findOne' ? { session, expires: new Date(entry.expiresAt) } : undefined),
      { stringify: false },
    )
    const seen = (await store.load('k'))!
    const change = async (data: object) => {
      await store.replace('k', { ...entry, text: JSON.stringify(data) }, seen)
      const [operations] = collection.argsOf('bulkWrite').at(-1) as [
        { updateOne: { update: { $set: { session: unknown } } } }[],
      ]
      return operations.at(-1)!.updateOne.update.$set.session
    }
    expect(await change({ ref: { $ref: 'users' }, n: 2 })).toEqual({ ref: session.ref, n: 2 })
    expect(await change({ ref: { $ref: 'others' }, n: 2 })).toBe('{"ref":{"$ref":"others"},"n":2}')
  })

  it('tells a replace that was done from one that was not, whoever came in between', async () => {
    const counts = { matchedCount: 0, modifiedCount: 0 }
    const { store } = open((op) => (op === 'bulkWrite' ? counts : undefined))
    const replaced = () => store.replace('k', entry, { text: '{}', expiresAt: 0 })
    expect(await replaced()).toBe('gone')
    counts.matchedCount = 1
    expect(await replaced()).toBe('changed')
    // Gone for the first half, there for the second.
    counts.modifiedCount = 1
    expect(await replaced()).toBe('replaced')
    // The same text, and the same end.
    Object.assign(counts, { matchedCount: 2, modifiedCount: 0 })
    expect(await replaced()).toBe('replaced')
  })

  it('takes what every driver gives for a document that it has removed', async () => {
    const document = { _id: 'k', expires: new Date(entry.expiresAt) }
    const { collection, store } = open()
    const answers: [unknown, boolean][] = [
      [document, true],
      [null, false],
      [{ ok: 1, value: document, lastErrorObject: {} }, true],
      [{ ok: 1, value: null, lastErrorObject: {} }, false],
      [{ _id: 'k' }, true],
      [{ _id: 'k', expires: new Date(0) }, false],
    ]
    for (const [answer, was] of answers) {
      collection.answer = () => answer
      expect(await store.destroy('k')).toBe(was)
    }
  })
})

describe('a sweep', () => {
  it('goes in steps of 500, with others let in between', async () => {
    let left = 1200
    const { collection, store, clock, reports } = open((op, args) => {
      if (op === 'find') {
        const { limit } = args[1] as { limit: number }
        return Array.from({ length: Math.min(limit, left) }, (_, n) => ({ _id: `${n}` }))
      }
      if (op !== 'deleteMany') return undefined
      const [{ _id }] = args as [{ _id: { $in: string[] } }]
      left -= _id.$in.length
      return { deletedCount: _id.$in.length }
    })
    const pauses: number[] = []
    Object.assign(clock, { pause: async (ms: number) => void pauses.push(ms) })
    expect(await store.sweep()).toBe(1200)
    const steps = collection.argsOf('deleteMany').map(([filter]) => filter) as [
      { _id: { $in: string[] }; expires: object },
    ]
    expect(steps.map(({ _id }) => _id.$in.length)).toEqual([500, 500, 200])
    // An old process may have brought one back in between.
    for (const { expires } of steps) expect(expires).toEqual({ $lte: new Date(clock.now()) })
    expect(pauses).toHaveLength(2)
    expect(new Set(pauses).size).toBe(2)
    expect(reports).toHaveLength(1200)
    left = 1200
    expect(await store.sweep({ limit: 700 })).toBe(700)
  })
})

describe('errors', () => {
  const SECRETS = ['k3y', 'hunter2', 'ada@shop']

  it.each([
    [serverError(13, 'Unauthorized'), 'ERR_STORE', /may not do so/],
    [serverError(10107, 'NotWritablePrimary'), 'ERR_STORE', /takes no writes/],
    [serverError(121, 'DocumentValidationFailure'), 'ERR_STORE', /validator/],
    [serverError(10334, 'BSONObjectTooLarge'), 'ERR_RECORD_TOO_LARGE', /16 MB/],
    [noServer(), 'ERR_STORE', /MongoServerSelectionError/],
    [noServer('MongoNotConnectedError'), 'ERR_STORE', /client is closed/],
    ['no error at all', 'ERR_STORE', /no Error/],
  ])('are coded and say what to do: %s', async (thrown, code, message) => {
    const { store } = open(() => {
      throw thrown
    })
    const error = await store.load('k').catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code, store: 'MongoStore', op: 'load' })
    expect((error as Error).message).toMatch(message)
  })

  it('say whether it may have been done', async () => {
    const outcomes = [
      [noServer(), 'failed'],
      [noServer('MongoNetworkError'), 'unknown'],
      [noServer('MongoNetworkTimeoutError'), 'unknown'],
      [noServer('MongoWriteConcernError'), 'unknown'],
      [serverError(11600, 'InterruptedAtShutdown'), 'unknown'],
      [serverError(13, 'Unauthorized'), 'failed'],
    ] as const
    for (const [thrown, outcome] of outcomes) {
      const { store } = open(() => {
        throw thrown
      })
      await expect(store.touch('k', 0), thrown.name).rejects.toMatchObject({ outcome })
    }
  })

  it('of a change say the same: a bulk write gives them another name', async () => {
    const wrapped = Object.assign(new Error('connect ECONNREFUSED'), { errorResponse: noServer() })
    wrapped.name = 'MongoBulkWriteError'
    const { store } = open(() => {
      throw wrapped
    })
    const replaced = store.replace('k', entry, { text: '{}', expiresAt: 0 })
    await expect(replaced).rejects.toMatchObject({
      message: expect.stringContaining('MongoServerSelectionError'),
      outcome: 'failed',
      retryable: true,
    })
  })

  it('are without what drivers and servers put in of the data', async () => {
    const thrown = Object.assign(
      serverError(121, 'DocumentValidationFailure', `of { _id: "k3y", pass: "hunter2" }`),
      {
        errInfo: { failingDocumentId: 'k3y' },
        writeErrors: [{ op: { user: 'ada@shop' } }],
        errorResponse: { errmsg: 'hunter2' },
      },
    )
    for (const error of [thrown, Object.assign(new TypeError('key "hunter2"'), { k: 'k3y' })]) {
      const { store } = open(() => {
        throw error
      })
      const told = await store.create('k3y', { ...entry, user: 'ada@shop' }).catch((e) => e)
      const shown = inspect(told, { depth: 9, showHidden: true }) + String(told.stack)
      for (const secret of SECRETS) expect(shown).not.toContain(secret)
    }
  })

  it('tell of what a document cannot hold', async () => {
    const { store, collection } = open()
    const large = { ...entry, text: JSON.stringify('x'.repeat(17e6)) }
    await expect(store.create('k', large)).rejects.toMatchObject({ code: 'ERR_RECORD_TOO_LARGE' })
    await expect(store.create('\ud800', entry)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
    await expect(store.create('k', { ...entry, user: '\ud800' })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    })
    expect(await store.load('\ud800')).toBeUndefined()
    expect(collection.asked).toEqual([])
  })
})

describe('keys that are transformed', () => {
  it('are in no answer, so such a store neither lists nor finds those of a user', async () => {
    const { collection, store } = open(undefined, { transformId: (key) => `hash of ${key}` })
    expect(store).toMatchObject({ entries: undefined, keysOfUser: undefined })
    await store.load('k')
    expect(collection.argsOf('findOne')[0]).toMatchObject([{ _id: 'hash of k' }, {}])
  })

  it('have to be texts', async () => {
    const { store } = open(undefined, { transformId: (() => 7) as never })
    await expect(store.load('k')).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
  })
})
