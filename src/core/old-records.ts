import { nativeForm } from './old-session.js'
import { ask, type ExpressSessionStore, getOld, isUnreadable } from './old-store.js'
import { type Data, decodeRecord } from './record.js'
import type { Store } from './store.js'

/** A session of express-session, as its record tells. */
export interface OldSession {
  readonly data: Data
  /** How long it lives after each request, in ms; undefined: its cookie ends with the browser. */
  readonly life: number | undefined
  readonly cookie: OldCookiePlace
}

/** Where in the browser its cookie lies. */
export interface OldCookiePlace {
  readonly path: string
  readonly domain: string | undefined
  readonly secure: boolean
  readonly partitioned: boolean
}

/** Where sessions of express-session are kept, under the very ids that their cookies carry. */
export interface OldRecords {
  /** The class of the store, for errors. */
  readonly name: string
  /** `unreadable`: something is there that is no session. */
  find(id: string): Promise<OldSession | 'unreadable' | undefined>
  /** False: nothing was there any more. */
  end(id: string): Promise<boolean>
}

/** The records of a store made for express-session. */
export class OldCallbackRecords implements OldRecords {
  readonly name: string
  readonly #store: ExpressSessionStore

  constructor(store: ExpressSessionStore) {
    this.name = store.constructor?.name ?? 'Object'
    this.#store = store
  }

  async find(id: string): Promise<OldSession | 'unreadable' | undefined> {
    const found = await getOld(this.#store, id).catch((error: unknown) =>
      isUnreadable(error) ? 'unreadable' : Promise.reject(error),
    )
    if (typeof found === 'object' && nativeForm.read(found) !== undefined) return undefined
    const session = typeof found === 'object' ? parsed(textOf(found)) : found
    if (typeof session === 'object' && this.#notesTouches) delete session.data.lastModified
    return session
  }

  async end(id: string): Promise<boolean> {
    const isThere = await getOld(this.#store, id).then(
      (found) => found !== undefined,
      (error) => isUnreadable(error) || Promise.reject(error),
    )
    await ask(this.#store, 'destroy', [id])
    return isThere
  }

  /** connect-mongo then puts the date of its last touch among the data that it gives. */
  get #notesTouches(): boolean {
    const { options } = this.#store as { options?: { touchAfter?: unknown } | null }
    return Number(options?.touchAfter) > 0
  }
}

/** Stores of objects keep what JSON cannot; then it is the text of nothing. */
function textOf(found: object): string {
  try {
    return JSON.stringify(found)
  } catch {
    return ''
  }
}

/** The records of the drop-in in a store of texts. */
export class OldTextRecords implements OldRecords {
  readonly name: string
  readonly #store: Store

  constructor(store: Store) {
    this.name = store.constructor.name
    this.#store = store
  }

  async find(id: string): Promise<OldSession | 'unreadable' | undefined> {
    const found = await this.#store.load(id)
    return found ? parsed(found.text) : undefined
  }

  async end(id: string): Promise<boolean> {
    return await this.#store.destroy(id)
  }
}

/** A native record is none: its key is public, and must not open it in the place of its id. */
function parsed(text: string): OldSession | 'unreadable' | undefined {
  const native = decodeRecord(text)
  const reason = native.kind === 'corrupt' ? native.reason : undefined
  if (reason === 'depth' || reason === 'json') return 'unreadable'
  const session: unknown = JSON.parse(text)
  if (!isObject(session)) return 'unreadable'
  // No native record has a cookie.
  if (reason === undefined && !isObject(session.cookie)) return undefined
  // What session-file-store puts there for itself.
  const { cookie, __lastAccess, ...data } = session
  const { path, domain, secure, partitioned, originalMaxAge } = isObject(cookie) ? cookie : {}
  return {
    data,
    life: typeof originalMaxAge === 'number' && originalMaxAge > 0 ? originalMaxAge : undefined,
    cookie: {
      path: typeof path === 'string' ? path : '/',
      domain: typeof domain === 'string' ? domain : undefined,
      secure: secure === true,
      partitioned: partitioned === true,
    },
  }
}

/** What can be the data of a session. */
export function isObject(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
