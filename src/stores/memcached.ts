import type { Clock } from '../core/clock.js'
import type {
  ByUser,
  Closable,
  Entry,
  Lossy,
  Replaced,
  Reporting,
  Store,
  Stored,
  StoreReport,
} from '../core/store.js'
import type { MemcachedClient } from './internal/memcached-client.js'
import type { Commands, Item, Servers } from './internal/memcached-commands.js'
import { during, itemError } from './internal/memcached-errors.js'
import { ItemNames } from './internal/memcached-names.js'
import { oldExpiryIn } from './internal/memcached-old-session.js'
import type { MemcachedStoreOptions } from './internal/memcached-store-options.js'
import { memcachedStoreSettings } from './internal/memcached-store-options.js'
import { endAfter, exptimeOf } from './internal/memcached-times.js'
import { UserIndex } from './internal/memcached-user-index.js'
import { decodeItem, encodeItem, type ItemText, ownerOf } from './internal/memcached-value.js'
import { Reports } from './internal/reports.js'

export type { MemcachedClient, MemcachedStoreOptions }

/** What a load hands to the replace that follows it. */
interface Version {
  readonly cas: string
  /** Whose the record was. */
  readonly owner: string
}

/** A write that loses this many races in a row has met a bug, not a crowd. */
const MAX_TRIES = 40

/** How long the list of a user's keys is kept: browsers keep no cookie for longer (RFC 6265bis). */
const LIST_LIFE = 400 * 24 * 60 * 60 * 1000

/** What is assumed of a record whose end nobody tells: that it has to be touched now. */
const ASSUMED_LIFE = 1000

/**
 * Keeps records in Memcached, under the names and on the servers that the package
 * connect-memcached gives them.
 *
 * ```ts
 * const store = new MemcachedStore({ servers: ['10.0.0.1:11211', '10.0.0.2:11211'] })
 * ```
 *
 * The server ends records by itself, in whole seconds: never before their time, and up to two
 * seconds after it. It is a cache, and drops what was not used for longest when its memory is full;
 * nothing tells of that. The list of a user's sessions may be dropped so too; ending a user's
 * sessions is complete all the same, by the user's epoch.
 *
 * Errors: `ERR_STORE` for a server that cannot be reached or says no, `ERR_STORE_TIMEOUT` for one
 * that does not answer within `timeout`, `ERR_RECORD_TOO_LARGE` for what is over the server's limit,
 * after which nothing has changed.
 */
export class MemcachedStore implements Store, ByUser, Lossy, Closable, Reporting {
  /** Lists of keys are dropped as anything else is when the memory of a server is full. */
  readonly losesKeys = true
  readonly #servers: Servers
  readonly #names: ItemNames
  readonly #clock: Clock
  readonly #users: UserIndex
  readonly #reports = new Reports()

  /** @throws OptionError naming option, value and what is allowed */
  constructor(options: MemcachedStoreOptions) {
    const { servers, prefix, clock } = memcachedStoreSettings(options)
    this.#servers = servers
    this.#names = new ItemNames(prefix)
    this.#clock = clock
    this.#users = new UserIndex({
      servers,
      names: this.#names,
      now: () => clock.now(),
      exptime: () => exptimeOf(clock.now() + LIST_LIFE, clock.now()),
      isOf: async (key, user) => {
        const [commands, wire] = await this.#at(key)
        const item = await commands.get(wire)
        return item !== undefined && decodeItem(item.value).owner === ownerOf(user)
      },
      onError: (op, error) => this.#reports.send({ type: 'error', op, error }),
    })
  }

  load(key: string): Promise<Stored | undefined> {
    return this.#as('load', () => this.#load(key))
  }

  create(key: string, entry: Entry): Promise<boolean> {
    return this.#as('create', () => this.#create(key, entry))
  }

  replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    return this.#as('replace', () => this.#replace(key, entry, seen))
  }

  touch(key: string, expiresAt: number): Promise<boolean> {
    return this.#as('touch', () => this.#touch(key, expiresAt))
  }

  destroy(key: string): Promise<boolean> {
    return this.#as('destroy', async () => {
      const [commands, wire] = await this.#at(key)
      return commands.remove(wire)
    })
  }

  /** Best effort: the server may have dropped the list. What it gives is live and the user's. */
  keysOfUser(user: string): Promise<string[]> {
    return this.#as('keysOfUser', () => this.#users.keysOf(user))
  }

  /** Reports as `error` what failed in the upkeep of a user's list, which nobody waits for. */
  onReport(listener: (report: StoreReport) => void): () => void {
    return this.#reports.listen(listener)
  }

  /** Closes the connections that the store has made. A client that was passed in stays open. */
  close(): Promise<void> {
    return this.#servers.close()
  }

  async #as<T>(op: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw during(op, error)
    }
  }

  async #load(key: string): Promise<Stored | undefined> {
    const [commands, wire] = await this.#at(key)
    const item = await commands.get(wire)
    if (item === undefined) return undefined
    const { text, owner, expiresAt } = decodeItem(item.value)
    const version: Version = { cas: item.cas, owner }
    return { text, expiresAt: this.#endOf(item, text, expiresAt), version }
  }

  async #create(key: string, entry: Entry): Promise<boolean> {
    const [commands, wire] = await this.#at(key)
    if (entry.user !== undefined) await this.#users.add(entry.user, key)
    return commands.add(wire, ...this.#sent(commands, entry))
  }

  async #replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    const [commands, wire] = await this.#at(key)
    let version = seen.version as Version | undefined
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      if (version === undefined) {
        const item = await commands.get(wire)
        if (item === undefined) return 'gone'
        const { text, owner } = decodeItem(item.value)
        if (text !== seen.text) return 'changed'
        version = { cas: item.cas, owner }
      }
      if (entry.user !== undefined && version.owner !== ownerOf(entry.user)) {
        await this.#users.add(entry.user, key)
      }
      const result = await commands.cas(wire, ...this.#sent(commands, entry), version.cas)
      // Where the expiry is kept beside the text, a touch is a write.
      if (result !== 'changed' || commands.tellsLife) return result
      version = undefined
    }
    return 'changed'
  }

  async #touch(key: string, expiresAt: number): Promise<boolean> {
    const [commands, wire] = await this.#at(key)
    const exptime = exptimeOf(expiresAt, this.#clock.now())
    if (commands.tellsLife) return commands.touch(wire, exptime)
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const item = await commands.get(wire)
      if (item === undefined) return false
      const value = encodeItem({ ...decodeItem(item.value), expiresAt })
      const result = await commands.cas(wire, value, flagsOf(value), exptime, item.cas)
      if (result !== 'changed') return result === 'replaced'
    }
    throw itemError('a record was written too often to be touched.', false)
  }

  async #at(key: string): Promise<[Commands, string]> {
    const { ring, wire } = this.#names.record(key)
    return [await this.#servers.of(ring), this.#servers.shortens ? ring : wire]
  }

  /** The arguments of a write. */
  #sent({ tellsLife }: Commands, entry: Entry): [value: string, flags: number, exptime: number] {
    const { text, expiresAt, user } = entry
    const item: ItemText = {
      text,
      owner: ownerOf(user),
      expiresAt: tellsLife ? undefined : expiresAt,
    }
    return [encodeItem(item), flagsOf(text), exptimeOf(expiresAt, this.#clock.now())]
  }

  /** When a record ends, by the server's word, by what stands beside it, or by the old session. */
  #endOf({ life }: Item, text: string, beside: number | undefined): number {
    const now = this.#clock.now()
    if (life !== undefined) return endAfter(life, now)
    const known = beside ?? oldExpiryIn(text) ?? 0
    // The server has it still: whoever touched it last could not write that down.
    return known > now ? known : now + ASSUMED_LIFE
  }
}

/** To the `memcached` package 2 is JSON, which it parses; a text that is none would break it. */
function flagsOf(text: string): number {
  return text.startsWith('{') ? 2 : 0
}
