import { KeyQueue } from '../core/key-queue.js'
import { crowded } from '../core/refusals.js'
import { answer } from '../core/session.js'
import { can, type Enumerable, type Store as NewStore, type Stored } from '../core/store.js'
import { Recent } from '../crypto/recent.js'
import { asError, CoatcheckError, OptionError } from '../errors.js'
import { hasMethod, kind } from '../kind.js'
import type { Anything } from './anything.js'
import {
  cookieText,
  expiryOf,
  parseSession,
  textOf,
  withCookie,
  withExpiry,
} from './legacy-text.js'
import type { SessionData } from './session-data.js'
import { Store } from './store.js'

/** How a {@link LegacyStore} names records, and how long it keeps those that do not say. */
export interface LegacyStoreOptions {
  /**
   * How long a session lives whose cookie ends with the browser, in ms since its last request.
   * @default 86_400_000 (24 h)
   */
  ttl?: number
  /** Stands before the session id in each key of the store. @default '' */
  prefix?: string
}

/** The last argument of each method; without it, the method gives a promise. */
export type StoreCallback<T = void> = (error?: unknown, value?: T) => void

type Sessions = { [sid: string]: SessionData }

/** What is known at a touch. */
interface Touch {
  /** Whose session a text is: a store keeps that beside it. */
  userIn(text: string): string | undefined
  /** What the record was seen to say of its cookie; undefined: nobody has looked. */
  readonly cookie?: string | undefined
  readonly turn?: Promise<void>
  /** Ends a touch that nobody waits for any more. */
  still?(): void
}

const DAY = 24 * 60 * 60 * 1000

/** A write that loses this many races in a row gives up: `ERR_CONFLICT`. */
const MAX_TRIES = 40

/** How long a call may keep the next ones of its session waiting, in ms. */
const PATIENCE = 30_000

/** Sessions whose cookie is remembered, so that a touch need not read: twice this many. */
const REMEMBERED_COOKIES = 5_000

const METHODS = ['load', 'create', 'replace', 'touch', 'destroy'] as const

/**
 * A store of this package for express-session, and for all that calls such a store itself.
 *
 * ```ts
 * app.use(expressSession({ secret, store: new LegacyStore(new FileStore({ path: 'data' })) }))
 * ```
 *
 * Each method takes a callback last, or gives a promise without one. What lies under `prefix + id`
 * is the JSON text of the session, as other stores for express-session keep it. What `set`, `touch`
 * and `destroy` do to one session happens in the order of the calls.
 *
 * A record that holds no session counts as absent, and stays where it is. An `error` event tells of
 * it, and of a failure for which no callback was given, if somebody listens.
 */
export class LegacyStore extends Store {
  /** Where the records are. */
  readonly store: NewStore
  /** Stands before the session id in each key. */
  readonly prefix: string
  /** How long a session lives whose cookie has no date, in ms. */
  readonly ttl: number
  readonly #lines = new KeyQueue<never>()
  readonly #cookies = new Recent<string>(REMEMBERED_COOKIES)

  /** @throws OptionError if what is given is no store of this package */
  constructor(store: NewStore, { ttl = DAY, prefix = '' }: LegacyStoreOptions = {}) {
    super()
    const lacking = METHODS.filter((method) => !hasMethod(store, method))
    if (lacking.length > 0) {
      throw new OptionError(
        `LegacyStore: the store is ${kind(store)} without ${lacking.join(', ')}; it takes one of coatcheck, such as new FileStore({ path }).`,
      )
    }
    if (typeof ttl !== 'number' || !(ttl > 0)) {
      throw new OptionError(
        `LegacyStore: option ttl is ${typeof ttl === 'number' ? ttl : kind(ttl)}; it takes ms above 0.`,
      )
    }
    if (typeof prefix !== 'string') {
      throw new OptionError(`LegacyStore: option prefix is ${kind(prefix)}; it takes a string.`)
    }
    this.store = store
    this.prefix = prefix
    this.ttl = ttl
  }

  // Some callers look at the names and the number of parameters, so they are declared plainly.

  /** The session, in objects of its own. undefined: there is none, or it has expired. */
  override get(sid: string, callback: StoreCallback<Anything>): void
  override get(sid: string): Promise<SessionData | undefined>
  override get(sid: string, callback?: StoreCallback<SessionData | undefined>): unknown {
    return this.#answer(this.#get(sid), callback)
  }

  /** Keeps the session as it is now, whatever is there, until its cookie expires. */
  override set(sid: string, session: object, callback: StoreCallback): void
  override set(sid: string, session: object): Promise<void>
  override set(sid: string, session: object, callback?: StoreCallback): unknown {
    return this.#answer(this.#set(sid, session), callback)
  }

  /** Ends the session. One that is not there is no error. */
  override destroy(sid: string, callback: StoreCallback): void
  override destroy(sid: string): Promise<void>
  override destroy(sid: string, callback?: StoreCallback): unknown {
    return this.#answer(this.#destroy(sid), callback)
  }

  /** Keeps what is stored until the cookie of `session` expires, and notes that cookie. */
  override touch(sid: string, session: object, callback: StoreCallback): void
  override touch(sid: string, session: object): Promise<void>
  override touch(sid: string, session: object, callback?: StoreCallback): unknown {
    const place = this.#join(sid)
    const touched = this.touchAs(sid, session, { userIn: () => undefined, turn: place.turn })
    return this.#answer(touched.finally(place.leave), callback)
  }

  /**
   * @internal As `touch`, for who knows more of the session. It changes nothing that others have
   * changed, so nobody has to wait for it.
   */
  async touchAs(sid: string, session: object, { userIn, turn, ...known }: Touch): Promise<void> {
    const key = this.prefix + sid
    const expiresAt = this.expiryOf(session)
    const cookie = cookieText(session)
    await turn
    if (expiresAt <= Date.now()) return void (await this.store.destroy(key))
    // Programs lengthen a session by its cookie alone, which must not end with the next request.
    if (cookie !== '' && (known.cookie ?? this.#cookies.get(sid)) !== cookie) {
      const found = await this.store.load(key)
      known.still?.()
      const stored = found && parseSession(found.text)
      if (found === undefined || stored === undefined) return
      if (cookieText(stored) !== cookie) {
        const text = withCookie(stored, session)
        const user = userIn(text)
        const entry = { text, expiresAt, ...(user === undefined ? {} : { user }) }
        const result = await this.store.replace(key, entry, found)
        if (result === 'gone') return
        if (result === 'replaced') return this.#cookies.set(sid, cookie)
      } else this.#cookies.set(sid, cookie)
    }
    await this.store.touch(key, expiresAt)
  }

  /** Every live session, by its id. @throws `ERR_UNSUPPORTED` if the store cannot list */
  override all(callback: StoreCallback<Anything>): void
  override all(): Promise<Sessions>
  override all(callback?: StoreCallback<Sessions>): unknown {
    return this.#answer(this.#all(), callback)
  }

  /** The ids of all live sessions. @throws as `all` */
  ids(callback: StoreCallback<string[]>): void
  ids(): Promise<string[]>
  ids(callback?: StoreCallback<string[]>): unknown {
    return this.#answer(this.#all().then(Object.keys), callback)
  }

  /** How many live sessions there are. @throws as `all` */
  override length(callback: StoreCallback<number>): void
  override length(): Promise<number>
  override length(callback?: StoreCallback<number>): unknown {
    return this.#answer(
      this.#all().then((sessions) => Object.keys(sessions).length),
      callback,
    )
  }

  /** Ends every live session. @throws as `all` */
  override clear(callback: StoreCallback): void
  override clear(): Promise<void>
  override clear(callback?: StoreCallback): unknown {
    return this.#answer(this.#clear(), callback)
  }

  async #get(sid: string): Promise<SessionData | undefined> {
    const found = await this.store.load(this.prefix + sid)
    return found && this.#shown(sid, found)
  }

  async #set(sid: string, session: object): Promise<void> {
    // Before any wait: the caller may go on with the object.
    const text = textOf(session)
    const expiresAt = this.expiryOf(session)
    await this.#inLine(sid, async (key) => {
      if (expiresAt <= Date.now()) return void (await this.store.destroy(key))
      await this.#changed(key, { text, expiresAt })
      this.#cookies.set(sid, cookieText(session))
    })
  }

  async #destroy(sid: string): Promise<void> {
    await this.#inLine(sid, async (key) => void (await this.store.destroy(key)))
  }

  async #all(): Promise<Sessions> {
    const sessions: Sessions = Object.create(null)
    for await (const { key, ...stored } of this.#entries()) {
      const sid = key.slice(this.prefix.length)
      const session = this.#shown(sid, stored)
      if (session !== undefined) sessions[sid] = session
    }
    return sessions
  }

  async #clear(): Promise<void> {
    for await (const { key } of this.#entries()) {
      await this.#destroy(key.slice(this.prefix.length))
    }
  }

  async *#entries(): AsyncGenerator<{ key: string } & Stored, void, undefined> {
    for await (const entry of enumerable(this.store).entries()) {
      if (entry.key.startsWith(this.prefix)) yield entry
    }
  }

  #shown(sid: string, { text, expiresAt }: Stored): SessionData | undefined {
    const session = parseSession(text)
    if (session === undefined) {
      const details = { op: 'get', store: this.store.constructor.name, outcome: 'failed' } as const
      this.#tell(new CoatcheckError('ERR_STORE', 'A record holds no session.', details))
      return undefined
    }
    this.#cookies.set(sid, cookieText(session))
    // A touch moves the expiry of the record alone; who looks at the cookie is to see it.
    return withExpiry(session, expiresAt)
  }

  /** Puts it there whatever is there by now, as a `set` of express-session does. */
  async #changed(key: string, entry: { text: string; expiresAt: number }): Promise<void> {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const seen = await this.store.load(key)
      if (seen === undefined) {
        if (await this.store.create(key, entry)) return
      } else if ((await this.store.replace(key, entry, seen)) === 'replaced') return
      await new Promise((resolve) =>
        setTimeout(resolve, Math.random() * Math.min(2 ** attempt, 32)),
      )
    }
    throw crowded(this.store.constructor.name, 'set', MAX_TRIES)
  }

  /** When a session that is written now expires, in ms since the epoch. */
  expiryOf(session: object): number {
    return expiryOf(session) ?? Date.now() + this.ttl
  }

  /** Two calls that nobody waited for between them still come in their order. */
  async #inLine(sid: string, work: (key: string) => Promise<void>): Promise<void> {
    const place = this.#join(sid)
    try {
      await place.turn
      await work(this.prefix + sid)
    } finally {
      place.leave()
    }
  }

  /** A store that never answers holds up the others of its session for so long only. */
  #join(sid: string): { readonly turn: Promise<void>; readonly leave: () => void } {
    const { turn, leave } = this.#lines.join(sid)
    const timer = setTimeout(leave, PATIENCE)
    timer.unref()
    const leaveNow = () => {
      clearTimeout(timer)
      leave()
    }
    return { turn, leave: leaveNow }
  }

  #answer<T>(work: Promise<T>, callback: StoreCallback<T> | undefined): Promise<T> | undefined {
    answer(work, callback)
    if (typeof callback === 'function') return undefined
    work.catch((error: unknown) => this.#tell(error))
    return work
  }

  #tell(error: unknown): void {
    // An `error` event without a listener would end the process.
    if (this.listenerCount('error') > 0) this.emit('error', asError(error))
  }
}

function enumerable(store: NewStore): Enumerable {
  if (can(store, 'entries')) return store
  throw new CoatcheckError(
    'ERR_UNSUPPORTED',
    `${store.constructor.name} cannot list its records.`,
    {
      op: 'entries',
      store: store.constructor.name,
    },
  )
}
