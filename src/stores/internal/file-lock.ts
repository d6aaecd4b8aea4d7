import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { DurableFiles } from './durable-files.js'

/** Ends the name of the lock beside a record. What follows it names a claim to break that lock. */
export const LOCK_SUFFIX = '.lock'

/** A lock that somebody holds: by then the work may still have to `confirm` that it is theirs. */
export interface HeldLock {
  /** Throws unless the lock still is ours; then the whole work is done again. */
  confirm(): Promise<void>
}

/** What a lock file says, or what can be said of one without a word in it. */
interface Holder {
  readonly token: string
  /** When the lock was taken, in ms since the epoch. */
  readonly at: number
  /** Absent while the file is empty: killed, or paused, between its making and its writing. */
  readonly process?: { readonly host: string; readonly pid: number }
}

/**
 * No operation lasts that long, so whoever holds a lock longer is gone: another machine that
 * crashed, or a process whose pid somebody else has now.
 */
const LOST_AFTER = 30_000
/** An empty lock is written within microseconds. */
const EMPTY_LOST_AFTER = 2000
/**
 * Even a holder that looks dead gets this long: with a shared host name but separate process ids
 * (containers in the network of their host) a living one looks dead as well.
 */
const DEAD_AFTER = 250
/** How often a work starts again after its lock was taken from it. */
const ATTEMPTS = 5

const host = hostname()
/** In a container node has the same pid after every restart: what is older than us is not ours. */
const startedAt = Date.now() - process.uptime() * 1000

/** Our lock is not there any more: somebody took this process for dead. */
class LockLost extends Error {
  readonly code = 'ELOCKLOST'
}

/**
 * One at a time for each path: a queue within this process, a lock file between processes. It uses
 * the clock of the machine, because its age means something to other processes.
 */
export class FileLocks {
  readonly #files: DurableFiles
  readonly #onError: (error: unknown) => void
  readonly #tails = new Map<string, Promise<void>>()

  /** `onError` hears of locks that could not be removed after the work was done. */
  constructor(files: DurableFiles, onError: (error: unknown) => void) {
    this.#files = files
    this.#onError = onError
  }

  /** Runs `work` when nobody else works on `path`. It may run again if its lock is lost. */
  async run<T>(path: string, work: (held: HeldLock) => Promise<T>): Promise<T> {
    const before = this.#tails.get(path)
    const turn = this.#afterwards(before, () => this.#locked(path + LOCK_SUFFIX, work))
    const tail = turn.then(ignore, ignore)
    this.#tails.set(path, tail)
    try {
      return await turn
    } finally {
      if (this.#tails.get(path) === tail) this.#tails.delete(path)
    }
  }

  /** Removes a lock whose holder is gone. */
  async clear(lock: string): Promise<void> {
    const holder = await this.#holderOf(lock)
    if (holder !== undefined && isLost(holder)) await this.#break(lock, holder)
  }

  /** Whether a claim file can decide nothing any more, since the lock it is about is gone. */
  async isIdle(claim: string): Promise<boolean> {
    const end = claim.lastIndexOf(`${LOCK_SUFFIX}.`) + LOCK_SUFFIX.length
    const holder = await this.#holderOf(claim.slice(0, end))
    return holder === undefined || !claim.slice(end + 1).startsWith(`${holder.token}.`)
  }

  async #afterwards<T>(before: Promise<void> | undefined, work: () => Promise<T>): Promise<T> {
    await before
    return await work()
  }

  async #locked<T>(lock: string, work: (held: HeldLock) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const token = await this.#acquire(lock)
      const heldSince = performance.now()
      const isOurs = async () => (await this.#holderOf(lock))?.token === token
      const confirm = async () => {
        if (!(await isOurs())) throw new LockLost('the lock of a record was lost')
      }
      // Nobody takes a younger lock away, so that it need not be read again.
      const isYoung = () => performance.now() - heldSince < DEAD_AFTER / 2
      let lost = false
      try {
        return await work({ confirm })
      } catch (error) {
        lost = error instanceof LockLost
        if (!lost || attempt === ATTEMPTS) throw error
      } finally {
        if (!lost) await this.#release(lock, async () => isYoung() || (await isOurs()))
      }
    }
  }

  async #release(lock: string, isOurs: () => Promise<boolean>): Promise<void> {
    try {
      if (await isOurs()) await this.#files.remove(lock)
    } catch (error) {
      this.#onError(error)
    }
  }

  async #acquire(lock: string): Promise<string> {
    const token = randomBytes(12).toString('hex')
    for (let attempt = 0; ; attempt += 1) {
      if (await this.#claim(lock, token)) return token
      const holder = await this.#holderOf(lock)
      if (holder === undefined) continue
      if (isLost(holder)) await this.#break(lock, holder)
      else await delay((1 + Math.random()) * Math.min(2 + attempt, 15))
    }
  }

  #claim(path: string, token: string): Promise<boolean> {
    return this.#files.claim(
      path,
      JSON.stringify({ token, host, pid: process.pid, at: Date.now() }),
    )
  }

  async #holderOf(path: string): Promise<Holder | undefined> {
    const bytes = await this.#files.read(path)
    if (bytes === undefined) return undefined
    const named = parseHolder(bytes.toString())
    if (named !== undefined) return named
    const at = await this.#files.writtenAt(path)
    return at === undefined ? undefined : { token: `empty-${Math.trunc(at)}`, at }
  }

  /**
   * "Remove it if it is dead" would let two waiters judge one lock, and the slower one remove the
   * lock that the faster one has taken since. So the right to remove the lock with this token is
   * itself a file that only one can make. Its maker looks again: if the token is still there, nobody
   * else may remove it, and if not, it never comes back. A maker that died is followed by whoever
   * makes the file with the next number.
   */
  async #break(lock: string, dead: Holder): Promise<void> {
    const claims: string[] = []
    for (;;) {
      const claim = `${lock}.${dead.token}.${claims.length}`
      claims.push(claim)
      if (await this.#claim(claim, dead.token)) break
      const other = await this.#holderOf(claim)
      if (other === undefined) return
      if (!isLost(other)) return await delay(5 * (1 + Math.random()))
    }
    try {
      if ((await this.#holderOf(lock))?.token === dead.token) await this.#files.remove(lock)
    } finally {
      for (const claim of claims.reverse()) await this.#files.remove(claim)
    }
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { token, at, host, pid } = JSON.parse(text) as Record<string, unknown>
    if (typeof token !== 'string' || !/^[\w-]+$/.test(token)) return undefined
    if (typeof at !== 'number' || typeof host !== 'string') return undefined
    return Number.isInteger(pid) ? { token, at, process: { host, pid: pid as number } } : undefined
  } catch {
    return undefined
  }
}

function isLost(holder: Holder): boolean {
  // A clock that was set back makes a lock from the future, which must not hold until then.
  const age = Math.abs(Date.now() - holder.at)
  if (age > LOST_AFTER) return true
  if (holder.process === undefined) return age > EMPTY_LOST_AFTER
  const { host: holderHost, pid } = holder.process
  if (holderHost !== host || age < DEAD_AFTER) return false
  return pid === process.pid ? holder.at < startedAt : !isRunning(pid)
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, as somebody else.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

function ignore(): void {}
