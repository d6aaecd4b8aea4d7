import type { Replaced } from '../../core/store.js'
import type { CoatcheckError } from '../../errors.js'
import type { Commands, Item, Servers } from './memcached-commands.js'
import { itemError, silent, tooLarge } from './memcached-errors.js'
import { splitTail } from './memcached-value.js'

type Callback = (error: unknown, answer?: unknown) => void

/**
 * What a store needs of a client: the `memcached` package has it. Other clients lack `cas`, or lose
 * the id that it takes.
 */
export interface MemcachedClient {
  /** How many connections to a server it may have; the default of the package is 10. */
  readonly poolSize?: number
  gets(key: string, callback: Callback): unknown
  add(key: string, value: unknown, lifetime: number, callback: Callback): unknown
  cas(key: string, value: unknown, cas: string, lifetime: number, callback: Callback): unknown
  append(key: string, value: string, callback: Callback): unknown
  touch(key: string, lifetime: number, callback: Callback): unknown
  del(key: string, callback: Callback): unknown
}

export const CLIENT_METHODS = ['gets', 'add', 'cas', 'append', 'touch', 'del'] as const

/** As in the package. */
const POOL_SIZE = 10

/** Where the tail of a value stands in the cookie of a session that goes as an object. */
const TAIL_FIELD = 'coatcheckTail'

/**
 * The commands over a client of the program's own, which finds the servers itself. It knows the
 * commands of old only, so it tells no remaining life; and it has no time limit once it is connected,
 * so each command has one here.
 */
export class ClientCommands implements Commands, Servers {
  readonly tellsLife = false
  readonly shortens = true
  readonly #client: MemcachedClient
  readonly #limit: number
  readonly #most: number
  readonly #line: (() => void)[] = []
  #running = 0

  constructor(client: MemcachedClient, limit: number) {
    this.#client = client
    this.#limit = limit
    const { poolSize } = client
    this.#most = typeof poolSize === 'number' && poolSize >= 1 ? poolSize : POOL_SIZE
  }

  async of(): Promise<Commands> {
    return this
  }

  async close(): Promise<void> {
    // It is the program's.
  }

  async get(key: string): Promise<Item | undefined> {
    const found = await this.#call((done) => this.#client.gets(key, done))
    if (found === undefined) return undefined
    if (typeof found !== 'object' || found === null) throw failed()
    const { cas, ...values } = found as Record<string, unknown>
    const [value] = Object.values(values)
    if (typeof cas !== 'string') throw failed()
    return { value: valueFrom(value), cas, life: undefined }
  }

  async add(key: string, value: string, flags: number, exptime: number): Promise<boolean> {
    const sent = flags === 2 ? sendable(value) : value
    const answer = await this.#call((done) =>
      this.#client.add(key, sent, exptime, (error, stored) => {
        const isTaken = (error as { notStored?: unknown } | undefined)?.notStored === true
        done(isTaken ? undefined : error, isTaken ? 'taken' : stored)
      }),
    )
    if (answer === 'taken') return false
    // Of an error of the server it only says that nothing was stored.
    if (answer !== true) throw failed()
    return true
  }

  async cas(
    key: string,
    value: string,
    flags: number,
    exptime: number,
    cas: string,
  ): Promise<Replaced> {
    const sent = flags === 2 ? sendable(value) : value
    const isStored = await this.#call((done) => this.#client.cas(key, sent, cas, exptime, done))
    if (isStored === true) return 'replaced'
    // `EXISTS`, `NOT_FOUND` and an error of the server look the same.
    const now = await this.get(key)
    if (now === undefined) return 'gone'
    if (now.cas === cas) throw failed()
    return 'changed'
  }

  async append(key: string, value: string): Promise<boolean> {
    const isStored = await this.#call((done) =>
      this.#client.append(key, value, (error, stored) => {
        const isAbsent = (error as { notStored?: unknown } | undefined)?.notStored === true
        done(isAbsent ? undefined : error, !isAbsent && stored)
      }),
    )
    return isStored === true
  }

  async touch(key: string, exptime: number): Promise<boolean> {
    return (await this.#call((done) => this.#client.touch(key, exptime, done))) === true
  }

  async remove(key: string): Promise<boolean> {
    return (await this.#call((done) => this.#client.del(key, done))) === true
  }

  /**
   * A call that ends, once, and in time. The client makes a caller wait for a second or more who
   * finds that all connections of its pool are being made, so no more run than it may have.
   */
  #call(run: (done: Callback) => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let isRunning = false
      let isOver = false
      const end = () => {
        isOver = true
        clearTimeout(timer)
        if (!isRunning) return
        this.#running--
        this.#line.shift()?.()
      }
      const late = () => {
        if (isOver) return
        end()
        reject(silent(this.#limit, isRunning))
      }
      // In a process that was busy for so long, timers come before what its sockets have received.
      const timer = setTimeout(() => setImmediate(late), this.#limit)
      const done: Callback = (error, answer) => {
        if (isOver) return
        end()
        if (error === undefined || error === null) resolve(answer)
        else reject(codedOf(error))
      }
      const start = () => {
        if (isOver) {
          this.#line.shift()?.()
          return
        }
        isRunning = true
        this.#running++
        try {
          run(done)
        } catch (error) {
          done(error)
        }
      }
      if (this.#running < this.#most) start()
      else this.#line.push(start)
    })
  }
}

/**
 * A value as the client has to get it. It writes an object as JSON with the flags 2, which is what
 * connect-memcached can read; a string would have the flags 0. So a session of that package goes as
 * an object, if it comes back as it was, and anything else as a string.
 */
function sendable(value: string): unknown {
  const [text, tail] = splitTail(value)
  const parsed = sessionIn(text)
  if (parsed === undefined || JSON.stringify(parsed) !== text) return value
  if (tail !== '') parsed.cookie[TAIL_FIELD] = tail.replaceAll(' ', '0').replaceAll('\t', '1')
  return parsed
}

/** The inverse of {@link sendable}, also for what others have written. */
function valueFrom(found: unknown): string {
  if (typeof found === 'string') return found
  if (Buffer.isBuffer(found)) return found.toString()
  const cookie = (found as Partial<OldSession> | null)?.cookie
  const bits = cookie?.[TAIL_FIELD]
  if (cookie === undefined || typeof bits !== 'string') return JSON.stringify(found) ?? ''
  delete cookie[TAIL_FIELD]
  return JSON.stringify(found) + bits.replaceAll('0', ' ').replaceAll('1', '\t')
}

interface OldSession {
  cookie: Record<string, unknown>
}

function sessionIn(text: string): OldSession | undefined {
  if (!text.startsWith('{"cookie":{')) return undefined
  try {
    return JSON.parse(text) as OldSession
  } catch {
    return undefined
  }
}

function failed(): CoatcheckError {
  return itemError('the client says no, and not why; it may not have stored the record.', true)
}

/** Messages of clients may name keys and addresses: they go no further. */
function codedOf(error: unknown): CoatcheckError {
  const message = error instanceof Error ? error.message : String(error)
  if (/length of the value is greater|too large/.test(message)) return tooLarge()
  return itemError('the client failed.', true)
}
