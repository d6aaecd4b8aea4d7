import { answer } from '../core/session.js'
import type { Anything } from './anything.js'
import type { Described } from './beside.js'
import type { SessionData } from './session-data.js'
import { Store } from './store.js'

type Answer<T = void> = (error?: Anything, value?: T) => void
type Sessions = { [sid: string]: SessionData }

/**
 * Sessions in the memory of this process, as JSON texts: what was set and what is got share no
 * objects. A restart signs everybody out. Expired sessions are removed, and past `MAX_LENGTH` the
 * oldest ones too, so that visitors who never come back cost no more than that.
 */
declare class MemoryStore extends Store {
  /** The JSON texts by session id. */
  sessions: { [sid: string]: string }
  // Each gives a promise where there is no callback, which is not declared: a class that extends
  // this one would have to promise the same.
  get(sid: string, callback: Answer<Described<SessionData> | null>): void
  set(sid: string, session: object, callback?: Answer): void
  destroy(sid: string, callback?: Answer): void
  override touch(sid: string, session: object, callback?: Answer): void
  override all(callback: Answer<Described<Sessions>>): void
  override length(callback: Answer<number>): void
  override clear(callback?: Answer): void
}

/** 64 Mi characters of text: a quarter of a million sessions of an ordinary size. */
const MAX_LENGTH = 64 * 1024 * 1024

const BEFORE_COOKIE = '{"cookie":'

/** A function, so that `MemoryStore.call(this)` works. Its types are those of a class. */
// biome-ignore lint/suspicious/noRedeclare: TypeScript merges an ambient class and a function
function MemoryStore(this: MemoryStore): void {
  Store.call(this)
  this.sessions = Object.create(null)
}

export { MemoryStore }

Object.setPrototypeOf(MemoryStore, Store)
Object.setPrototypeOf(MemoryStore.prototype, Store.prototype)

/** What is known about the texts of one store without parsing them. */
class Book {
  /** When each session expires; those that do not are not in it. */
  readonly expiries = new Map<string, number>()
  /** How long each text is, the one that was set the longest ago first. */
  readonly lengths = new Map<string, number>()
  length = 0
  /** Sessions set since expired ones were last looked for. */
  sets = 0
}

const books = new WeakMap<MemoryStore, Book>()

function bookOf(store: MemoryStore): Book {
  const known = books.get(store)
  if (known !== undefined) return known
  const book = new Book()
  books.set(store, book)
  return book
}

// Some callers look at the names and the number of parameters, so they are declared plainly.
const methods = {
  get(this: MemoryStore, sid: string, callback?: Answer<SessionData | undefined>) {
    return answered(() => find(this, sid), callback)
  },
  set(this: MemoryStore, sid: string, session: object, callback?: Answer) {
    return answered(() => put(this, sid, session), callback)
  },
  destroy(this: MemoryStore, sid: string, callback?: Answer) {
    return answered(() => remove(this, sid), callback)
  },
  touch(this: MemoryStore, sid: string, session: object, callback?: Answer) {
    return answered(() => touch(this, sid, session), callback)
  },
  all(this: MemoryStore, callback?: Answer<Sessions>) {
    return answered(() => all(this), callback)
  },
  length(this: MemoryStore, callback?: Answer<number>) {
    return answered(() => Object.keys(all(this)).length, callback)
  },
  clear(this: MemoryStore, callback?: Answer) {
    return answered(() => {
      this.sessions = Object.create(null)
      books.delete(this)
    }, callback)
  },
}

Object.assign(MemoryStore.prototype, methods)

/** Does the work at once and tells later, so that operations come in the order of their calls. */
function answered<T>(work: () => T, callback: Answer<T> | undefined): Promise<T> | undefined {
  if (typeof callback !== 'function') {
    const done = new Promise<T>((resolve) => resolve(work()))
    return answer(done, undefined)
  }
  const value = work()
  setImmediate(callback, null, value)
  return undefined
}

export function find(store: MemoryStore, sid: string): SessionData | undefined {
  const text = store.sessions[sid]
  if (!text) return undefined
  const session = JSON.parse(text) as SessionData
  if (!isOver(session)) return session
  remove(store, sid)
  return undefined
}

/** By the date in the record: here it is kept right with each touch. */
function isOver({ cookie }: { cookie?: unknown }): boolean {
  const { expires } = (cookie ?? {}) as { expires?: unknown }
  if (!expires) return false
  const date = typeof expires === 'string' ? new Date(expires) : expires
  return Number(date) <= Date.now()
}

export function put(store: MemoryStore, sid: string, session: object): void {
  const text = JSON.stringify(session)
  const book = bookOf(store)
  replace(store, book, sid, text)
  note(book, sid, session)
  if (++book.sets > Math.max(1000, book.expiries.size)) removeExpired(store, book)
  if (book.length > MAX_LENGTH) removeOldest(store, book)
}

function replace(store: MemoryStore, book: Book, sid: string, text: string): void {
  strike(book, sid)
  store.sessions[sid] = text
  // At the end: who is at the front has not been here for the longest time.
  book.lengths.set(sid, text.length)
  book.length += text.length
}

/** By what was noted: programs take sessions out of `sessions` themselves. */
function strike(book: Book, sid: string): void {
  book.length -= book.lengths.get(sid) ?? 0
  book.lengths.delete(sid)
}

function note({ expiries }: Book, sid: string, session: object): void {
  const { expires } = ((session as SessionData).cookie ?? {}) as { expires?: unknown }
  const time = expires ? new Date(expires as Date).getTime() : Number.NaN
  if (Number.isNaN(time)) expiries.delete(sid)
  else expiries.set(sid, time)
}

export function remove(store: MemoryStore, sid: string): void {
  const book = bookOf(store)
  strike(book, sid)
  book.expiries.delete(sid)
  delete store.sessions[sid]
}

/** Moves the date of a session. Its data stays as it is stored, and is not parsed where that is easy. */
export function touch(store: MemoryStore, sid: string, session: object): void {
  const text = store.sessions[sid]
  if (text === undefined) return
  const cookie = JSON.stringify((session as SessionData).cookie)
  // Without a date the cookie of a session is always the same.
  if (text.startsWith(cookie, BEFORE_COOKIE.length) && text.startsWith(BEFORE_COOKIE)) return
  const before = cookieIn(text)
  if (before !== undefined) {
    if (isOver(before)) return remove(store, sid)
    const book = bookOf(store)
    replace(store, book, sid, `${BEFORE_COOKIE}${cookie}${text.slice(before.end)}`)
    return note(book, sid, session)
  }
  const current = find(store, sid)
  if (current === undefined) return
  current.cookie = (session as SessionData).cookie
  const book = bookOf(store)
  replace(store, book, sid, JSON.stringify(current))
  note(book, sid, session)
}

/** The cookie at the beginning of a text, and where it ends; undefined: it is somewhere else. */
function cookieIn(text: string): { readonly cookie: unknown; readonly end: number } | undefined {
  if (!text.startsWith(BEFORE_COOKIE)) return undefined
  // A brace may also stand in a path, or close what lies in the cookie.
  for (let at = text.indexOf('}'); at !== -1; at = text.indexOf('}', at + 1)) {
    try {
      const cookie: unknown = JSON.parse(text.slice(BEFORE_COOKIE.length, at + 1))
      return { cookie, end: at + 1 }
    } catch {
      // Not this one.
    }
  }
  return undefined
}

function all(store: MemoryStore): Sessions {
  const sessions: Sessions = Object.create(null)
  for (const sid of Object.keys(store.sessions)) {
    const session = find(store, sid)
    if (session !== undefined) sessions[sid] = session
  }
  return sessions
}

function removeExpired(store: MemoryStore, book: Book): void {
  book.sets = 0
  const now = Date.now()
  for (const [sid, time] of book.expiries) if (time <= now) remove(store, sid)
}

/** A tenth at once, so that this is rare. */
function removeOldest(store: MemoryStore, book: Book): void {
  removeExpired(store, book)
  for (const sid of book.lengths.keys()) {
    if (book.length <= 0.9 * MAX_LENGTH) return
    remove(store, sid)
  }
}
