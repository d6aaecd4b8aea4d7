import { hash } from 'node:crypto'
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
} from '../core/store.js'
import { listIn, numberIn, refusalIn, textIn, wasSet } from './internal/redis-answers.js'
import type { RedisClient, RedisConnection } from './internal/redis-client.js'
import { redisError } from './internal/redis-error.js'
import { type Owner, ownerOf, withMark, withoutMark } from './internal/redis-owner.js'
import { keysUnder } from './internal/redis-scan.js'
import { LOAD, REPLACE, runScript } from './internal/redis-scripts.js'
import { type RedisStoreOptions, redisStoreSettings } from './internal/redis-store-options.js'
import { RedisUserIndex } from './internal/redis-user-index.js'
import { Reports } from './internal/reports.js'

export type { RedisClient, RedisStoreOptions }

/** The last moment that a date can hold, in ms since the epoch. */
const LAST_MOMENT = 8.64e15

/** What is told of a record without an end, which other packages can leave, in ms. */
const LIFE_WITHOUT_END = 400 * 24 * 60 * 60 * 1000

/** Records that `entries` loads together. */
const BATCH = 50

/**
 * Keeps each record as a string of a Redis or Valkey server, with its expiry, for any number of
 * processes: one server, a cluster, or behind sentinels.
 *
 * It takes the program's own client, opens nothing and closes nothing. The server's clock ends
 * records. What lies under the prefix is what connect-redis keeps there.
 *
 * Errors: `ERR_STORE` with the driver's error as its `cause`. Its `outcome` is `'failed'` if the
 * server has refused, and `'unknown'` if no answer came.
 */
export class RedisStore implements Store, Enumerable, ByUser, Reporting {
  readonly #connection: RedisConnection
  readonly #prefix: string
  readonly #indexPrefix: string
  readonly #clock: Clock
  readonly #users: RedisUserIndex
  readonly #reports = new Reports()
  readonly #onIndexError = (error: unknown) => {
    this.#reports.send({ type: 'error', op: 'index', error: this.#errorOf('index', error) })
  }

  /** The second parameter is for tests: when a write also tidies up. */
  constructor(options: RedisStoreOptions, random: () => number = Math.random) {
    const { connection, prefix, indexPrefix, clock } = redisStoreSettings(options)
    this.#connection = connection
    this.#prefix = prefix
    this.#indexPrefix = indexPrefix
    this.#clock = clock
    const onError = this.#onIndexError
    this.#users = new RedisUserIndex({ connection, prefix, indexPrefix, clock, random, onError })
    if (connection.masters === undefined) {
      // Who looks for the capability is not to find it.
      Object.defineProperty(this, 'entries', { value: undefined })
    }
  }

  load(key: string): Promise<Stored | undefined> {
    return this.#coded('load', () => this.#find(key))
  }

  create(key: string, entry: Entry): Promise<boolean> {
    return this.#coded('create', async () => {
      const name = this.#prefix + key
      const life = this.#lifeUntil(entry.expiresAt)
      if (life === 0) return numberIn(await this.#connection.send(name, ['EXISTS', name])) === 0
      const owner = entry.user === undefined ? undefined : ownerOf(entry.user)
      const text = withMark(entry.text, owner)
      const write = async () =>
        wasSet(await this.#connection.send(name, ['SET', name, text, 'PX', String(life), 'NX']))
      if (owner === undefined) return await write()
      const noting = this.#users.add(owner, key, entry.endsAt)
      if (!this.#connection.inOrder) await noting
      const [written, noted] = await Promise.allSettled([write(), noting])
      if (written.status === 'rejected') throw written.reason
      if (noted.status === 'fulfilled') return written.value
      // Nobody was given its id, and nobody would find it among the user's.
      if (written.value) await this.#takeBack(name, entry.text)
      throw noted.reason
    })
  }

  replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    return this.#coded('replace', async () => {
      const name = this.#prefix + key
      const owner = entry.user === undefined ? undefined : ownerOf(entry.user)
      const { text, version } = seen
      const args = [
        hash('sha1', typeof version === 'string' ? text + version : text),
        withMark(entry.text, owner),
        String(this.#lifeUntil(entry.expiresAt)),
        // connect-redis may have written the same text meanwhile, which is noted no longer then.
        ...(typeof version === 'string' ? ['marked'] : []),
      ]
      if (owner !== undefined) await this.#note(key, entry, owner, seen)
      const result = numberIn(await runScript(this.#connection, REPLACE, name, args))
      return result === 1 ? 'replaced' : result === 0 ? 'changed' : 'gone'
    })
  }

  touch(key: string, expiresAt: number): Promise<boolean> {
    return this.#coded('touch', async () => {
      const name = this.#prefix + key
      const life = this.#lifeUntil(expiresAt)
      const args = life === 0 ? ['DEL', name] : ['PEXPIRE', name, String(life)]
      return numberIn(await this.#connection.send(name, args)) === 1
    })
  }

  destroy(key: string): Promise<boolean> {
    return this.#coded('destroy', async () => {
      const name = this.#prefix + key
      return numberIn(await this.#connection.send(name, ['DEL', name])) === 1
    })
  }

  /**
   * By SCAN, a page of each master at a time. A record may come twice if the server is growing or
   * its slots are moving meanwhile; of each 5,000 in a row none does.
   */
  async *entries(): AsyncGenerator<{ key: string } & Stored, void, undefined> {
    try {
      for await (const page of keysUnder(this.#connection, this.#prefix)) {
        const keys = page.filter((key) => !(this.#prefix + key).startsWith(this.#indexPrefix))
        for (let at = 0; at < keys.length; at += BATCH) {
          const some = keys.slice(at, at + BATCH)
          const found = await Promise.all(some.map((key) => this.#find(key)))
          for (const [i, stored] of found.entries()) {
            if (stored === undefined) continue
            yield { key: some[i]!, text: stored.text, expiresAt: stored.expiresAt }
          }
        }
      }
    } catch (error) {
      throw this.#errorOf('entries', error)
    }
  }

  keysOfUser(user: string): Promise<string[]> {
    return this.#coded('keysOfUser', () => this.#users.keysOf(ownerOf(user)))
  }

  /** Reports `unreadable`, and `error` for what failed although the operation succeeded. */
  onReport(listener: (report: StoreReport) => void): () => void {
    return this.#reports.listen(listener)
  }

  async #find(key: string): Promise<Stored | undefined> {
    const name = this.#prefix + key
    let answer: unknown
    try {
      answer = await runScript(this.#connection, LOAD, name, [])
    } catch (error) {
      if (refusalIn(error) !== 'WRONGTYPE') throw error
      this.#reports.send({ type: 'unreadable', key })
    }
    if (answer === null || answer === undefined) return undefined
    const [found, left] = listIn(answer)
    const stored = textIn(found)
    if (stored === undefined) return undefined
    const life = numberIn(left)
    // -1: it has no end, as connect-redis leaves it if told to.
    const expiresAt = this.#clock.now() + (life === -1 ? LIFE_WITHOUT_END : life)
    const { text, mark } = withoutMark(stored)
    return mark === undefined ? { text, expiresAt } : { text, expiresAt, version: mark }
  }

  /**
   * The index names a record before its mark does, whatever happens in between: one that is marked
   * is not noted again.
   */
  async #note(key: string, { endsAt }: Entry, owner: Owner, seen: Stored): Promise<void> {
    if (seen.version !== owner.mark) return await this.#users.add(owner, key, endsAt)
    // Loaded as this user's, so it is noted, and for long enough if its end was known.
    if (endsAt === undefined) this.#users.add(owner, key, endsAt).catch(this.#onIndexError)
  }

  async #takeBack(name: string, text: string): Promise<void> {
    await runScript(this.#connection, REPLACE, name, [hash('sha1', text), '', '0']).catch(
      this.#onIndexError,
    )
  }

  /** In whole ms, for a server that takes nothing else; 0: it is over. */
  #lifeUntil(expiresAt: number): number {
    const now = this.#clock.now()
    return Math.max(Math.ceil(Math.min(expiresAt, LAST_MOMENT) - now), 0)
  }

  async #coded<T>(op: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw this.#errorOf(op, error)
    }
  }

  #errorOf(op: string, error: unknown) {
    return redisError(op, error, this.#connection.isClosed())
  }
}
