import type { Clock } from '../../src/core/clock.js'
import type {
  ByUser,
  Entry,
  Enumerable,
  Replaced,
  Store,
  Stored,
  Sweepable,
} from '../../src/core/store.js'
import {
  FakeClock,
  runProgram,
  type StoreHarness,
  type StoreUnderTest,
} from '../../src/testing/index.js'

export interface Row {
  text: string
  expiresAt: number
  user?: string
}

/** A backend in memory: rows as texts, each operation on it one wait away. */
export class Place {
  readonly rows = new Map<string, string>()
  trips = 0
  /** During an outage every trip fails. */
  down = false
  /** While somebody holds it, no trip comes to its end. */
  silence: Promise<void> | undefined

  async trip(): Promise<void> {
    this.trips++
    await undefined
    if (this.down) throw new Error('connection refused')
    await this.silence
  }
}

/** What a store of these tests is made of. */
export interface Setting {
  place: Place
  prefix: string
  clock: Clock
}

/** The smallest honest store. Everything after a trip happens at once, as in a database. */
export class ReferenceStore implements Store, Sweepable, Enumerable, ByUser {
  readonly place: Place
  readonly prefix: string
  readonly clock: Clock

  constructor({ place, prefix, clock }: Setting) {
    this.place = place
    this.prefix = prefix
    this.clock = clock
  }

  async load(key: string): Promise<Stored | undefined> {
    await this.place.trip()
    const row = this.live(key)
    return row && { text: row.text, expiresAt: row.expiresAt }
  }

  async create(key: string, entry: Entry): Promise<boolean> {
    await this.place.trip()
    if (this.live(key)) return false
    this.put(key, entry)
    return true
  }

  async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    await this.place.trip()
    const row = this.live(key)
    if (!row) return 'gone'
    if (!this.same(row, seen)) return 'changed'
    this.put(key, entry)
    return 'replaced'
  }

  same(row: Row, seen: Stored): boolean {
    return row.text === seen.text
  }

  async touch(key: string, expiresAt: number): Promise<boolean> {
    await this.place.trip()
    const row = this.live(key)
    if (!row) return false
    this.put(key, { ...row, expiresAt })
    return true
  }

  async destroy(key: string): Promise<boolean> {
    await this.place.trip()
    const live = this.live(key) !== undefined
    this.place.rows.delete(this.prefix + key)
    return live
  }

  async sweep({ limit = Number.POSITIVE_INFINITY } = {}): Promise<number> {
    await this.place.trip()
    const expired = this.keys().filter((key) => {
      const row = this.row(key)
      return row !== undefined && !this.isLive(row)
    })
    const swept = expired.slice(0, limit)
    for (const key of swept) this.place.rows.delete(this.prefix + key)
    return swept.length
  }

  async *entries(): AsyncGenerator<{ key: string } & Stored> {
    for (const key of this.keys()) {
      await this.place.trip()
      const row = this.live(key)
      if (row) yield { key, text: row.text, expiresAt: row.expiresAt }
    }
  }

  async keysOfUser(user: string): Promise<string[]> {
    await this.place.trip()
    return this.keys().filter((key) => this.live(key)?.user === user)
  }

  keys(): string[] {
    const all = [...this.place.rows.keys()]
    return all
      .filter((key) => key.startsWith(this.prefix))
      .map((key) => key.slice(this.prefix.length))
  }

  /** The row under a key, dead or alive. Garbage is none. */
  row(key: string): Row | undefined {
    try {
      const row: unknown = JSON.parse(this.place.rows.get(this.prefix + key) ?? '')
      return isRow(row) ? row : rowOfOld(row)
    } catch {
      return undefined
    }
  }

  live(key: string): Row | undefined {
    const row = this.row(key)
    return row && this.isLive(row) ? row : undefined
  }

  isLive(row: Row): boolean {
    return row.expiresAt > this.clock.now()
  }

  put(key: string, { text, expiresAt, user }: Entry): void {
    this.place.rows.set(this.prefix + key, JSON.stringify({ text, expiresAt, user }))
  }
}

function isRow(value: unknown): value is Row {
  const { text, expiresAt, user } = (value ?? {}) as Partial<Record<keyof Row, unknown>>
  const named = user === undefined || typeof user === 'string'
  return typeof text === 'string' && Number.isFinite(expiresAt) && named
}

/** What the package wrote that this store replaces: the session itself, and whole seconds. */
function rowOfOld(value: unknown): Row | undefined {
  const { sess, expires } = (value ?? {}) as Partial<Record<string, unknown>>
  if (typeof sess !== 'object' || sess === null || typeof expires !== 'number') return undefined
  return { text: JSON.stringify(sess), expiresAt: expires * 1000 }
}

/** The harness of a store in the manner of {@link ReferenceStore}, with everything to offer. */
export function harnessOf(
  make: (setting: Setting) => Store,
  options: Omit<StoreHarness, 'open'> = {},
): StoreHarness {
  function open(): StoreUnderTest {
    const clock = new FakeClock()
    const place = new Place()
    const setting = { place, clock, prefix: 'sess:' }
    const row = (key: string) => setting.prefix + key
    const store = make(setting)
    let speak = () => {}
    return {
      store,
      clock,
      advance: (ms) => clock.advance(ms),
      another: () => make(setting),
      elsewhere: () => make({ place, clock, prefix: 's*:' }),
      plant(key, garbage) {
        place.rows.set(row(key), garbage)
      },
      trips: () => place.trips,
      // Memory is of one process: several instances stand in for several processes.
      processes: (programs) =>
        Promise.all(programs.map((program) => runProgram(make(setting), program))),
      outage: {
        begin() {
          place.down = true
        },
        end() {
          place.down = false
        },
      },
      blackHole: {
        begin() {
          place.silence = new Promise((resolve) => {
            speak = resolve
          })
        },
        end() {
          speak()
          place.silence = undefined
        },
      },
      // What would hold a process open does so in this one too.
      async exits(program) {
        const before = timers()
        await runProgram(make(setting), program)
        return timers() > before ? null : 0
      },
      skewed: (ms) => make({ ...setting, clock: ahead(clock, ms) }),
      predecessor: {
        forms: ['seconds', 'without a user'],
        write(form, key, text, expiresAt) {
          const seconds = { sess: JSON.parse(text), expires: Math.ceil(expiresAt / 1000) }
          place.rows.set(
            row(key),
            JSON.stringify(form === 'seconds' ? seconds : { text, expiresAt }),
          )
        },
        read(key) {
          const kept = place.rows.get(row(key))
          return kept === undefined ? undefined : (JSON.parse(kept) as Row).text
        },
      },
    }
  }
  // Nothing here takes longer than a few turns of the event loop.
  return { patience: 10, ...options, open }
}

/** How many timers would hold this process open. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}

/** The same time, on a machine whose clock is `ms` ahead. */
export function ahead(clock: Clock, ms: number): Clock {
  return {
    now: () => clock.now() + ms,
    setTimeout: (run, after) => clock.setTimeout(run, after),
    clearTimeout: (timer) => clock.clearTimeout(timer),
  }
}
