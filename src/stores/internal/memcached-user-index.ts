import { Recent } from '../../crypto/recent.js'
import { hasCode } from '../../errors.js'
import type { Item, Servers } from './memcached-commands.js'
import { itemError, tooLarge } from './memcached-errors.js'
import type { ItemNames } from './memcached-names.js'

/** A key that was entered, and when, in s since the epoch. */
interface Entered {
  readonly key: string
  readonly at: number
}

export interface UserIndexOptions {
  readonly servers: Servers
  readonly names: ItemNames
  /** The `exptime` of a list: it has to outlive every session that it names. */
  exptime(): number
  now(): number
  /** Whether the live record under this key is the user's. */
  isOf(key: string, user: string): Promise<boolean>
  /** Hears of what nobody waits for. */
  onError(op: string, error: unknown): void
}

/** A key stands in the list before its record is there: a younger one may be just that. */
const SETTLED = 10 * 60

/** As many keys a process adds to the list of a user before it looks for dead ones among them. */
const BETWEEN_CLEARINGS = 32

/** Records looked at together. */
const BATCH = 64

/** How often a key is appended to a list that others may be making, or dropping, just then. */
const MAX_TRIES = 8

const REMEMBERED = 5_000

/**
 * The keys of each user, in one item: a list that sign-ins append to, which needs no look at it and
 * loses to nobody, and from which dead keys are taken by compare-and-set. It may name dead keys, and
 * is verified against the records. The server may drop it: it is a cache.
 */
export class UserIndex {
  readonly #options: UserIndexOptions
  /** How many keys may still be added to the list of a user until it is cleared. */
  readonly #left = new Recent<number>(REMEMBERED)
  /** When the list of a user was last found full, in s since the epoch. */
  readonly #full = new Recent<number>(REMEMBERED)

  constructor(options: UserIndexOptions) {
    this.#options = options
  }

  /** Enters a key, before its record is written. */
  async add(user: string, key: string): Promise<void> {
    try {
      await this.#append(user, key)
    } catch (error) {
      if (!hasCode(error, 'ERR_RECORD_TOO_LARGE')) throw error
      await this.#appendToFull(user, key, error)
      return
    }
    const left = this.#left.get(user) ?? BETWEEN_CLEARINGS
    this.#left.set(user, left - 1)
    if (left > 0) return
    this.#clear(user).catch((error) => this.#options.onError('index', error))
  }

  /** The keys of live records that are the user's. */
  async keysOf(user: string): Promise<string[]> {
    const { servers, names } = this.#options
    const name = names.keysOf(user)
    const commands = await servers.of(name.ring)
    const item = await commands.get(name.wire)
    if (item === undefined) return []
    const entered = entriesIn(item.value)
    const live = await this.#live(entered, user)
    await this.#shorten(user, item, entered, live).catch((error) =>
      this.#options.onError('index', error),
    )
    return live.map(({ key }) => key)
  }

  /** A list that is full of live keys stays so: that session works, and is not listed. */
  async #appendToFull(user: string, key: string, error: unknown): Promise<void> {
    const { now, onError } = this.#options
    const at = now() / 1000
    // To look at all of them takes long: not with each sign-in.
    if (at - (this.#full.get(user) ?? Number.NEGATIVE_INFINITY) < SETTLED) {
      onError('index', error)
      return
    }
    this.#full.set(user, at)
    await this.#clear(user)
    await this.#append(user, key).catch((error) => onError('index', error))
  }

  /** @throws `ERR_RECORD_TOO_LARGE` if the list is full */
  async #append(user: string, key: string): Promise<void> {
    const { servers, names, exptime, now } = this.#options
    const name = names.keysOf(user)
    const commands = await servers.of(name.ring)
    const entry = entryOf({ key, at: Math.floor(now() / 1000) })
    let isThere = false
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      // Sent together: one wait. The first makes a list where there is none; appending leaves the
      // end of a list where it was.
      const [isMade, isAppended, isTouched] = await Promise.all([
        commands.add(name.wire, '', 0, exptime()),
        commands.append(name.wire, entry),
        commands.touch(name.wire, exptime()),
      ])
      if (isAppended) return
      isThere = isTouched && !isMade
    }
    // To append what an item has no room for gets the answer of an item that is not there.
    throw isThere ? tooLarge() : itemError("the list of a user's sessions cannot be kept.", true)
  }

  async #clear(user: string): Promise<void> {
    await this.keysOf(user)
  }

  async #live(entered: readonly Entered[], user: string): Promise<Entered[]> {
    const live: Entered[] = []
    for (let at = 0; at < entered.length; at += BATCH) {
      const batch = entered.slice(at, at + BATCH)
      const isLive = await Promise.all(batch.map(({ key }) => this.#options.isOf(key, user)))
      live.push(...batch.filter((_, index) => isLive[index]))
    }
    return live
  }

  /** Writes the list again without what is dead, unless somebody has just added to it. */
  async #shorten(
    user: string,
    item: Item,
    entered: readonly Entered[],
    live: readonly Entered[],
  ): Promise<void> {
    const { servers, names, exptime, now } = this.#options
    const oldest = now() / 1000 - SETTLED
    const alive = new Set(live.map(({ key }) => key))
    const kept = entered.filter(({ key, at }) => alive.has(key) || at > oldest)
    this.#left.set(user, Math.max(BETWEEN_CLEARINGS, kept.length))
    if (kept.length === entered.length) return
    const name = names.keysOf(user)
    const commands = await servers.of(name.ring)
    const end = kept.length === 0 ? -1 : exptime()
    await commands.cas(name.wire, kept.map(entryOf).join(''), 0, end, item.cas)
  }
}

/** No white space stands in an entry, so that a space ends it. */
function entryOf({ key, at }: Entered): string {
  const text = JSON.stringify(key).replace(/\s/g, (space) => {
    return `\\u${space.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return `${text}${at.toString(36)} `
}

/** What can be read of a list; each key once, as it was entered last. */
function entriesIn(value: string): Entered[] {
  const found = new Map<string, Entered>()
  for (const entry of value.split(' ')) {
    const end = entry.lastIndexOf('"') + 1
    const at = Number.parseInt(entry.slice(end), 36)
    if (end === 0 || Number.isNaN(at)) continue
    try {
      const key: unknown = JSON.parse(entry.slice(0, end))
      if (typeof key === 'string') found.set(key, { key, at })
    } catch {
      // Half an entry: somebody else has written here.
    }
  }
  return [...found.values()]
}
