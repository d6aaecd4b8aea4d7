import { Background } from '../core/background.js'
import {
  CallbackKeeper,
  type LegacyKeeper,
  type LegacyKeeperOptions,
} from '../core/legacy-keeper.js'
import { Notices } from '../core/notices.js'
import type { UserOf } from '../core/user.js'
import { keyOf, newId } from '../crypto/session-id.js'
import { asError } from '../errors.js'
import { OpenRequests } from '../open-requests.js'
import { UserSessions } from './by-user.js'
import { holdsSame } from './data.js'
import { HashingKeeper } from './hashing-keeper.js'
import { LegacyStore } from './legacy-store.js'
import { isPlainMemory, MemoryKeeper } from './memory-keeper.js'
import type { Settings } from './options.js'
import type { Request } from './request.js'
import type { Store } from './store.js'
import { TextKeeper } from './text-keeper.js'

/** What the requests of one `session()` have in common. */
export class House extends Notices {
  readonly settings: Settings
  readonly keeper: LegacyKeeper
  readonly requests: OpenRequests
  readonly users: UserSessions
  /** Touches under way: their failures have to know which request a connection has come to. */
  touches = 0
  readonly #background = new Background()
  #closing: Promise<void> | undefined
  #isStarted = false

  constructor(settings: Settings) {
    const { store, clock, storeTimeout } = settings
    super(clock)
    this.settings = settings
    this.requests = new OpenRequests(clock, storeTimeout)
    const options: LegacyKeeperOptions = {
      clock,
      limit: storeTimeout,
      isSame: holdsSame,
      mayBeTaken: settings.genid !== undefined,
      failed: (error) => this.emit('error', { error: asError(error) }),
    }
    const byKey = keeperFor(store, options, settings.userOf)
    this.keeper = settings.hashesIds ? new HashingKeeper(byKey) : byKey
    this.users = new UserSessions({
      hashesIds: settings.hashesIds,
      userOf: settings.userOf,
      byKey,
      onEnded: (id) => this.emit('destroy', { id, reason: 'revoked' }),
      legacy: store instanceof LegacyStore ? store : undefined,
    })
  }

  newId(req: Request): string | Promise<string> {
    const { genid } = this.settings
    return genid === undefined ? newId() : genid(req)
  }

  /** A Secure cookie is not sent over plain http: browsers would refuse it, and nobody would know. */
  warnInsecure(): void {
    this.warn(
      'WARN_INSECURE_HOP',
      'A session cookie with secure: true was not sent, because the request looks like plain http. If TLS ends at a proxy, say so: Express\'s setting "trust proxy", or the option proxy.',
    )
  }

  /** What would need a cookie has come after the headers. */
  warnTooLate(what: 'new' | 'user'): void {
    this.warn(
      'WARN_TOO_LATE',
      what === 'new'
        ? 'A new session was made after the headers had left; it is stored, and no cookie names it.'
        : 'Somebody signed in or out after the headers had left; nothing is stored, since the session would need another id.',
    )
  }

  warnHeld(bytes: number): void {
    this.warn(
      'WARN_HELD_BYTES',
      `${bytes} bytes of a response were written while its session was being stored; a producer ignored that write() returned false.`,
    )
  }

  /** A clock has ended a session that the store still has. */
  expire(id: string, reason: 'idle' | 'absolute'): void {
    const removed = async () => this.keeper.destroy(id)
    this.inBackground(removed()).then(
      () => this.emit('expire', { id: keyOf(id), reason }),
      (error: unknown) => this.emit('error', { error: asError(error) }),
    )
  }

  inBackground<T>(work: Promise<T>): Promise<T> {
    return this.#background.add(work)
  }

  settled(): Promise<void> {
    return this.#background.settled()
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  close(): Promise<void> {
    this.#closing ??= this.requests.allDone().then(() => this.settled())
    return this.#closing
  }

  /** With the first request, so that a listener of warnings is there. */
  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    const { missingStore, weakSecret } = this.settings
    const isProduction = process.env.NODE_ENV === 'production'
    if (missingStore) {
      this.warn(
        'WARN_MEMORY_STORE',
        'The option store was given and holds no store, so sessions are kept in memory. A factory such as require("session-file-store")(session) is called with new.',
      )
    } else if (isProduction && this.settings.keepsInMemory) {
      this.warn(
        'WARN_MEMORY_STORE',
        'Sessions are kept in memory: a restart signs everybody out. Pass a store that keeps them.',
      )
    }
    if (isProduction && weakSecret) {
      this.warn(
        'WARN_WEAK_SECRET',
        'A secret is short enough to be guessed from one cookie. Put a long one in front of it, as in secret: [long, short], which signs nobody out, and take the short one away later.',
      )
    }
  }
}

function keeperFor(
  store: Store,
  options: LegacyKeeperOptions,
  userOf: UserOf | undefined,
): LegacyKeeper {
  if (isPlainMemory(store)) return new MemoryKeeper(store, options)
  if (store instanceof LegacyStore) return new TextKeeper(store, options, userOf)
  return new CallbackKeeper(store, options)
}
