import type { Clock } from '../core/clock.js'
import type {
  ByUser,
  Entry,
  Enumerable,
  Replaced,
  Reporting,
  Store,
  Stored,
  StoreReport,
  Sweepable,
} from '../core/store.js'
import { CoatcheckError, type ErrorCode } from '../errors.js'
import type {
  MongoClientLike,
  MongoCollection,
  SessionDocument,
} from './internal/mongo-collection.js'
import { isDuplicate, mongoError } from './internal/mongo-errors.js'
import { MongoIndexes } from './internal/mongo-indexes.js'
import type { Payloads } from './internal/mongo-payloads.js'
import { isWellFormed } from './internal/mongo-session.js'
import {
  type MongoCrypto,
  type MongoStoreOptions,
  mongoStoreSettings,
} from './internal/mongodb-store-options.js'
import { Reports } from './internal/reports.js'

export type { MongoClientLike, MongoCollection, MongoCrypto, MongoStoreOptions }

/** The last moment that a date can hold, in ms since the epoch. */
const LAST_MOMENT = 8.64e15

/** What is told of a document without `expires`, which lives until somebody ends it, in ms. */
const LIFE_WITHOUT_END = 400 * 24 * 60 * 60 * 1000

/** Documents that `entries` reads together. */
const PAGE = 100

/** Documents that a step of `sweep` removes at most, and the mean wait between two steps in ms. */
const STEP = 500
const PAUSE = 20

/** A document holds 16 MiB, and names and dates are in it too. */
const MOST_BYTES = 16 * 1024 * 1024 - 64 * 1024

/**
 * A member of a replica set that lags behind would undo a sign-out, so only the first one is read.
 * The other options are the driver's own defaults, which a client may have changed.
 */
const READ = {
  readPreference: 'primary',
  promoteValues: true,
  promoteLongs: true,
  promoteBuffers: false,
  useBigInt64: false,
} as const

/**
 * Keeps each record in a document of a MongoDB collection (4.4 or later): that of connect-mongo,
 * which may work on it at the same time, or one of its own.
 *
 * It takes the program's own collection or client, opens nothing and closes nothing, and has no
 * timer. The clock of this process says what has expired.
 *
 * Errors: `ERR_STORE` with the driver's error as its `cause`, without what that tells of the data;
 * `ERR_RECORD_TOO_LARGE` and `ERR_UNSUPPORTED` for what MongoDB cannot hold.
 */
export class MongoStore implements Store, Sweepable, Enumerable, ByUser, Reporting {
  readonly #collection: MongoCollection
  readonly #payloads: Payloads
  readonly #transformId: ((key: string) => string) | undefined
  readonly #clock: Clock
  readonly #autoMigrate: boolean
  readonly #indexes: MongoIndexes
  readonly #reports = new Reports()

  /** @throws OptionError */
  constructor(options: MongoStoreOptions) {
    const { collection, payloads, transformId, autoMigrate, clock } = mongoStoreSettings(options)
    this.#collection = collection
    this.#payloads = payloads
    this.#transformId = transformId
    this.#autoMigrate = autoMigrate
    this.#clock = clock
    this.#indexes = new MongoIndexes(collection, clock, (error) => {
      this.#reports.send({ type: 'error', op: 'migrate', error })
    })
    if (transformId !== undefined) {
      // Who looks for the capabilities is not to find them: no key can be told from an _id.
      for (const name of ['entries', 'keysOfUser']) {
        Object.defineProperty(this, name, { value: undefined })
      }
    }
  }

  /**
   * Makes the indexes that are missing. What the server refuses, for want of a right or because
   * there is another index like it, is reported and no error: the store works without.
   */
  migrate(): Promise<void> {
    return this.#coded('migrate', () => this.#indexes.make())
  }

  load(key: string): Promise<Stored | undefined> {
    return this.#coded('load', async () => {
      const _id = this.#idOf(key)
      const found = _id === undefined ? undefined : await this.#find(_id)
      return found && (await this.#stored(key, found))
    })
  }

  create(key: string, { text, expiresAt, user }: Entry): Promise<boolean> {
    return this.#coded('create', async () => {
      const _id = this.#idOf(key)
      if (_id === undefined)
        throw refused('create', 'ERR_UNSUPPORTED', 'the key has a lone surrogate')
      if (user !== undefined) checkUser('create', user)
      const session = await this.#payload('create', text)
      const document = {
        _id,
        session,
        expires: dateOf(expiresAt),
        ...(user !== undefined && { user }),
      }
      if (await this.#insert(document)) return true
      const { matchedCount } = (await this.#collection.replaceOne(
        { _id, $nor: this.#live() },
        document as never,
      )) as { matchedCount: number }
      // Live; or the server has removed it in between.
      return matchedCount > 0 || (await this.#insert(document))
    })
  }

  replace(key: string, { text, expiresAt, user }: Entry, seen: Stored): Promise<Replaced> {
    return this.#coded('replace', async () => {
      const _id = this.#idOf(key)
      if (_id === undefined) return 'gone'
      if (user !== undefined) checkUser('replace', user)
      let before: unknown = seen.version ?? this.#payloads.exact?.(seen.text)
      if (before === undefined) {
        // After a write of our own, of which nobody has looked at what is kept.
        const found = await this.#find(_id, { session: 1 })
        if (found === undefined) return 'gone'
        before = found.session
        if ((await this.#payloads.read(before)) !== seen.text) return 'changed'
      }
      const session = await this.#payload('replace', text, before)
      const $set = { session, expires: dateOf(expiresAt), ...(user !== undefined && { user }) }
      const live = { _id, $or: this.#live() }
      const { matchedCount, modifiedCount } = await this.#collection.bulkWrite([
        // Changes nothing, and tells in the same answer whether there is a live one.
        { updateOne: { filter: live, update: { $setOnInsert: { user: '' } } } },
        {
          updateOne: {
            filter: { ...live, session: { $eq: before } },
            update: user === undefined ? { $set, $unset: { user: '' } } : { $set },
          },
        },
      ] as never)
      this.#prepare()
      if (matchedCount > 1 || modifiedCount > 0) return 'replaced'
      return matchedCount === 1 ? 'changed' : 'gone'
    })
  }

  touch(key: string, expiresAt: number): Promise<boolean> {
    return this.#coded('touch', async () => {
      const _id = this.#idOf(key)
      if (_id === undefined) return false
      const { matchedCount } = await this.#collection.updateOne(
        { _id, $or: this.#live() },
        { $set: { expires: dateOf(expiresAt) } },
      )
      return matchedCount > 0
    })
  }

  destroy(key: string): Promise<boolean> {
    return this.#coded('destroy', async () => {
      const _id = this.#idOf(key)
      if (_id === undefined) return false
      const found = await this.#collection.findOneAndDelete(
        { _id },
        { projection: { expires: 1 }, includeResultMetadata: false },
      )
      return this.#isLive(documentIn(found))
    })
  }

  /**
   * Removes expired documents, 500 at a time with pauses between, where the index on `expires` has
   * not done so. It also makes the indexes if that has failed before.
   */
  async sweep({ limit = Number.POSITIVE_INFINITY }: { limit?: number } = {}): Promise<number> {
    if (this.#autoMigrate) await this.migrate()
    let removed = 0
    while (removed < limit) {
      if (removed > 0) await this.#pause()
      const most = Math.min(STEP, limit - removed)
      const [found, count] = await this.#coded('sweep', () => this.#sweepStep(most))
      removed += count
      if (found < most) break
    }
    return removed
  }

  /** In the order of the keys, a page at a time. */
  async *entries(): AsyncGenerator<{ key: string } & Stored, void, undefined> {
    let page = await this.#page({ $gte: '' })
    while (page.length > 0) {
      for (const document of page) {
        const key = document._id as string
        const stored = await this.#coded('entries', () => this.#stored(key, document))
        if (stored !== undefined) {
          yield { key, text: stored.text, expiresAt: stored.expiresAt }
        }
      }
      page = page.length < PAGE ? [] : await this.#page({ $gt: page.at(-1)?._id })
    }
  }

  keysOfUser(user: string): Promise<string[]> {
    return this.#coded('keysOfUser', async () => {
      if (!isWellFormed(user)) return []
      const found = (await this.#collection
        .find({ user: { $eq: user }, $or: this.#live() }, { ...READ, projection: { _id: 1 } })
        .toArray()) as readonly SessionDocument[]
      return found.flatMap(({ _id }) => (typeof _id === 'string' ? [_id] : []))
    })
  }

  /**
   * Reports `unreadable`, `expired` from sweeps, and `error` for an index that the server refuses or
   * that could not be made in the background.
   */
  onReport(listener: (report: StoreReport) => void): () => void {
    return this.#reports.listen(listener)
  }

  async #insert(document: object): Promise<boolean> {
    try {
      await this.#collection.insertOne(document as never)
      this.#prepare()
      return true
    } catch (error) {
      if (isDuplicate(error)) return false
      throw error
    }
  }

  async #find(_id: string, projection?: object): Promise<SessionDocument | undefined> {
    const options = projection === undefined ? READ : { ...READ, projection }
    const found = await this.#collection.findOne({ _id, $or: this.#live() }, options)
    return (found as SessionDocument | null) ?? undefined
  }

  async #page(_id: object): Promise<readonly SessionDocument[]> {
    const options = { ...READ, sort: { _id: 1 }, limit: PAGE }
    return (await this.#coded('entries', () =>
      this.#collection.find({ _id, $or: this.#live() }, options).toArray(),
    )) as readonly SessionDocument[]
  }

  async #stored(key: string, { session, expires }: SessionDocument): Promise<Stored | undefined> {
    const text = await this.#payloads.read(session)
    if (text === undefined) {
      this.#reports.send({ type: 'unreadable', key })
      return undefined
    }
    const expiresAt = timeIn(expires) ?? this.#clock.now() + LIFE_WITHOUT_END
    const isExact = session === text && this.#payloads.exact !== undefined
    return isExact ? { text, expiresAt } : { text, expiresAt, version: session }
  }

  async #payload(op: string, text: string, before?: unknown): Promise<unknown> {
    const session = await this.#payloads.write(text, before)
    const kept = typeof session === 'string' ? session : text
    // Each of its characters takes three bytes at most.
    if (kept.length > MOST_BYTES / 3 && Buffer.byteLength(kept) > MOST_BYTES) {
      throw refused(op, 'ERR_RECORD_TOO_LARGE', 'a document holds 16 MB at most')
    }
    return session
  }

  /** How many were found, and how many of them removed. */
  async #sweepStep(most: number): Promise<[found: number, removed: number]> {
    const over = { $lte: dateOf(this.#clock.now()) }
    const options = { ...READ, projection: { _id: 1 }, sort: { expires: 1 }, limit: most }
    const found = (await this.#collection
      .find({ expires: over }, options)
      .toArray()) as readonly SessionDocument[]
    if (found.length === 0) return [0, 0]
    const ids = found.map(({ _id }) => _id)
    // An old process may have brought one back in between.
    const answer = await this.#collection.deleteMany({ _id: { $in: ids }, expires: over })
    // Otherwise another sweeper has been at it, and which of them is whose nobody knows.
    if (answer.deletedCount === ids.length && this.#transformId === undefined) {
      for (const id of ids) {
        if (typeof id === 'string') this.#reports.send({ type: 'expired', key: id })
      }
    }
    return [ids.length, answer.deletedCount]
  }

  /** In between others get at the database. It may keep a process alive: somebody waits for its end. */
  async #pause(): Promise<void> {
    const ms = PAUSE * 2 * Math.random()
    if (this.#clock.pause !== undefined) await this.#clock.pause(ms)
    else await new Promise((resolve) => void setTimeout(resolve, ms))
  }

  #prepare(): void {
    if (this.#autoMigrate) this.#indexes.start()
  }

  /** Branches of a filter. What is removed at its end is so about once a minute, or never. */
  #live(): object[] {
    return [{ expires: { $exists: false } }, { expires: { $gt: dateOf(this.#clock.now()) } }]
  }

  #isLive(found: SessionDocument | undefined): boolean {
    if (found === undefined) return false
    if (!('expires' in found)) return true
    return (timeIn(found.expires) ?? Number.NEGATIVE_INFINITY) > this.#clock.now()
  }

  /** undefined: no document can have it. */
  #idOf(key: string): string | undefined {
    if (!isWellFormed(key)) return undefined
    if (this.#transformId === undefined) return key
    const id = this.#transformId(key)
    if (typeof id === 'string' && isWellFormed(id)) return id
    throw refused('transformId', 'ERR_UNSUPPORTED', 'transformId has not given a string')
  }

  async #coded<T>(op: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw mongoError(op, error)
    }
  }
}

/** Of version 6 on, drivers give the document; before, an object around it. */
function documentIn(answer: unknown): SessionDocument | undefined {
  const found = answer as (SessionDocument & { ok?: unknown; value?: unknown }) | null
  if (found !== null && 'ok' in found && 'value' in found) {
    return (found.value as SessionDocument | null) ?? undefined
  }
  return found ?? undefined
}

function checkUser(op: string, user: string): void {
  if (isWellFormed(user)) return
  throw refused(op, 'ERR_UNSUPPORTED', "the user's name has a lone surrogate")
}

function dateOf(ms: number): Date {
  return new Date(Math.min(Math.max(Math.ceil(ms), -LAST_MOMENT), LAST_MOMENT))
}

function timeIn(expires: unknown): number | undefined {
  if (Object.prototype.toString.call(expires) !== '[object Date]') return undefined
  const time = Number(expires)
  return Number.isNaN(time) ? undefined : time
}

function refused(op: string, code: ErrorCode, why: string): CoatcheckError {
  const details = { op, store: 'MongoStore', outcome: 'failed' } as const
  return new CoatcheckError(code, `MongoStore: ${op} failed: ${why}.`, details)
}
