import type { Clock } from '../../core/clock.js'
import { listIn, numberIn, refusalIn, textIn } from './redis-answers.js'
import type { RedisConnection } from './redis-client.js'
import { MARK_RANGE, type Owner } from './redis-owner.js'
import { ADD, PRUNE, runScript, runWhole } from './redis-scripts.js'

const DAY = 24 * 60 * 60 * 1000

/** The last moment that a date can hold, in ms since the epoch. */
const LAST_MOMENT = 8.64e15

/** How long a set is kept after the last write where nobody knows when the record ends. */
const LIFE_WITHOUT_END = 400 * DAY

/** Clocks of nodes differ, and a record may outlive its end by as much. */
const MARGIN = DAY

/** Younger entries may be those of records that are still to be written, in ms. */
const TOO_YOUNG_TO_PRUNE = 60_000

const PAGE = 500
/** Records looked at together. */
const BATCH = 100

/** Sets of so few entries are left alone by writes. */
const SMALL = 16
/** How many entries a write looks at, on average. */
const LOOKS_PER_WRITE = 2

export interface RedisUserIndexOptions {
  readonly connection: RedisConnection
  readonly prefix: string
  readonly indexPrefix: string
  readonly clock: Clock
  readonly random: () => number
  /** Of what nobody waits for. */
  readonly onError: (error: unknown) => void
}

/**
 * Which records are whose: a sorted set for each user. Its members are keys, and each score is the
 * moment at which the entry was written, before its record. What an entry is worth the record
 * tells, which is marked with its owner.
 *
 * Nothing is taken out when a record ends: entries of ended ones are found when the user's records
 * are asked for, and, some at a time, when entries are added. So a set stays in proportion to the
 * live records, and ends with the last of them.
 */
export class RedisUserIndex {
  readonly #options: RedisUserIndexOptions

  constructor(options: RedisUserIndexOptions) {
    this.#options = options
  }

  /** Notes `key` as one of the owner's. `endsAt`: when its record ends at the latest, if known. */
  async add(owner: Owner, key: string, endsAt: number | undefined): Promise<void> {
    const { connection, clock, random, onError } = this.#options
    const now = clock.now()
    const life = endsAt === undefined ? LIFE_WITHOUT_END : endsAt - now + MARGIN
    const ms = Math.ceil(Math.min(Math.max(life, MARGIN), LAST_MOMENT))
    const args = [String(Math.floor(now)), key, String(ms)]
    // Never by its hash: the record is on its way behind it, and must not come first.
    const size = numberIn(await runWhole(connection, ADD, this.#setOf(owner), args))
    if (size < SMALL || random() * size >= LOOKS_PER_WRITE) return
    this.keysOf(owner).catch(onError)
  }

  /** The keys of the owner's live records. Takes out what is none. */
  async keysOf(owner: Owner): Promise<string[]> {
    const { connection, onError } = this.#options
    const set = this.#setOf(owner)
    const theirs = new Set<string>()
    let cursor = '0'
    do {
      const args = ['ZSCAN', set, cursor, 'COUNT', String(PAGE)]
      const [next, members] = listIn(await connection.send(set, args))
      const entries = pairsIn(listIn(members))
      const dead: Pair[] = []
      for (let at = 0; at < entries.length; at += BATCH) {
        const some = entries.slice(at, at + BATCH)
        const marks = await Promise.all(some.map(([key]) => this.#markOf(key)))
        for (const [i, entry] of some.entries()) {
          if (marks[i] === owner.mark) theirs.add(entry[0])
          else dead.push(entry)
        }
      }
      await this.#prune(set, dead).catch(onError)
      cursor = textIn(next) ?? '0'
    } while (cursor !== '0')
    return [...theirs]
  }

  async #markOf(key: string): Promise<string | undefined> {
    const { connection, prefix } = this.#options
    const name = prefix + key
    try {
      return textIn(await connection.send(name, ['GETRANGE', name, ...MARK_RANGE]))
    } catch (error) {
      if (refusalIn(error) === 'WRONGTYPE') return undefined
      throw error
    }
  }

  /** An entry that was written anew since it was read has another score, and stays. */
  async #prune(set: string, dead: readonly Pair[]): Promise<void> {
    const { connection, clock } = this.#options
    const now = clock.now()
    const old = dead.filter(([, score]) => Math.abs(now - Number(score)) > TOO_YOUNG_TO_PRUNE)
    for (let at = 0; at < old.length; at += BATCH) {
      await runScript(connection, PRUNE, set, old.slice(at, at + BATCH).flat())
    }
  }

  #setOf(owner: Owner): string {
    return this.#options.indexPrefix + owner.name
  }
}

type Pair = [key: string, score: string]

function pairsIn(members: readonly unknown[]): Pair[] {
  const pairs: Pair[] = []
  for (let at = 0; at + 1 < members.length; at += 2) {
    pairs.push([textIn(members[at])!, textIn(members[at + 1])!])
  }
  return pairs
}
