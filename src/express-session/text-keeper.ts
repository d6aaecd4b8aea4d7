import type {
  LegacyKeeper,
  LegacyKeeperOptions,
  Loaded,
  Sight,
  Snapshot,
} from '../core/legacy-keeper.js'
import { crowded, idTaken, unanswered } from '../core/refusals.js'
import type { Entry, Store } from '../core/store.js'
import { type StillWanted, withinLimit } from '../core/time-limit.js'
import { type UserOf, whoIs } from '../core/user.js'
import type { LegacyStore } from './legacy-store.js'
import { cookieText, parseSession, textOf, withExpiry } from './legacy-text.js'

/** A write that loses this many races in a row gives up: `ERR_CONFLICT`. */
const MAX_TRIES = 40

/**
 * A legacy keeper over a store of this package, by what only such a store can: nothing is lost, and
 * nothing comes back, between processes too.
 */
export class TextKeeper implements LegacyKeeper {
  readonly touches = true
  readonly #legacy: LegacyStore
  readonly #store: Store
  readonly #options: LegacyKeeperOptions
  readonly #userOf: UserOf | undefined

  constructor(legacy: LegacyStore, options: LegacyKeeperOptions, userOf: UserOf | undefined) {
    this.#userOf = userOf
    this.#legacy = legacy
    this.#store = legacy.store
    this.#options = options
  }

  load(id: string, sight?: Sight): Promise<Loaded> {
    return this.#within('load', async () => {
      const stored = await this.#store.load(this.#legacy.prefix + id)
      if (!stored) return undefined
      const session = parseSession(stored.text)
      if (session === undefined) return 'unreadable'
      if (sight !== undefined) sight.last = { id, stored, cookie: cookieText(session) }
      return withExpiry(session, stored.expiresAt)
    })
  }

  async create(id: string, session: object, writing: () => Snapshot, sight?: Sight): Promise<void> {
    if (!(await this.adopt(id, session, writing, sight))) throw idTaken(this.#name)
  }

  adopt(id: string, session: object, writing: () => Snapshot, sight?: Sight): Promise<boolean> {
    return this.#within('create', async () => {
      writing()
      const entry = this.#entry(session)
      const isMade = await this.#store.create(this.#legacy.prefix + id, entry)
      if (isMade) noteOwn(sight, id, entry)
      return isMade
    })
  }

  change(
    id: string,
    session: object,
    writing: (stored: object) => Snapshot,
    sight?: Sight,
  ): Promise<boolean> {
    return this.#within('replace', async (still) => {
      const key = this.#legacy.prefix + id
      // Hardly ever is somebody else at the same session: what was loaded is what is there.
      let seen = lastOf(sight, id)?.stored
      for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
        seen ??= await this.#store.load(key)
        // Who was told that it failed may have tried again, or others have gone on.
        still()
        const stored = seen && parseSession(seen.text)
        if (!seen || stored === undefined) return false
        writing(stored)
        const entry = this.#entry(session)
        if (entry.expiresAt <= this.#options.clock.now()) {
          return this.#store.destroy(key)
        }
        const result = await this.#store.replace(key, entry, seen)
        if (result === 'replaced') noteOwn(sight, id, entry)
        if (result !== 'changed') return result === 'replaced'
        seen = undefined
        await pause(attempt)
      }
      throw crowded(this.#name, 'replace', MAX_TRIES)
    })
  }

  touch(id: string, session: object, _held: Snapshot, sight?: Sight): Promise<void> {
    const userIn = (text: string) => this.#userIn(text)
    const cookie = cookieIn(lastOf(sight, id))
    return this.#within('touch', (still) => {
      return this.#legacy.touchAs(id, session, { userIn, cookie, still })
    })
  }

  destroy(id: string): Promise<void> {
    return this.#within('destroy', async () => {
      await this.#store.destroy(this.#legacy.prefix + id)
    })
  }

  end(id: string): Promise<boolean> {
    return this.#within('destroy', async () => this.#store.destroy(this.#legacy.prefix + id))
  }

  #entry(session: object): Entry {
    const text = textOf(session)
    const expiresAt = this.#legacy.expiryOf(session)
    const user = this.#userIn(text)
    return user === undefined ? { text, expiresAt } : { text, expiresAt, user }
  }

  #userIn(text: string): string | undefined {
    const userOf = this.#userOf
    return userOf && whoIs(JSON.parse(text), userOf).user
  }

  get #name(): string {
    return this.#store.constructor.name
  }

  #within<T>(op: string, work: (still: StillWanted) => Promise<T>): Promise<T> {
    const { clock, limit } = this.#options
    return withinLimit(clock, limit, () => unanswered(this.#name, op, limit), work)
  }
}

type Last = NonNullable<Sight['last']>

/** Another id may have come in between, by a sign-in or a new session. */
function lastOf(sight: Sight | undefined, id: string): Last | undefined {
  return sight?.last?.id === id ? sight.last : undefined
}

function noteOwn(sight: Sight | undefined, id: string, { text, expiresAt }: Entry): void {
  if (sight !== undefined) sight.last = { id, stored: { text, expiresAt }, cookie: undefined }
}

function cookieIn(last: Last | undefined): string | undefined {
  return last && (last.cookie ?? cookieText(parseSession(last.stored.text) ?? {}))
}

/** Who lost a race tries again soon, but not together with the others. */
async function pause(attempt: number): Promise<void> {
  if (attempt === 0) return
  await new Promise((resolve) => setTimeout(resolve, Math.random() * Math.min(2 ** attempt, 32)))
}
