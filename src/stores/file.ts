import * as nodeFiles from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Clock } from '../core/clock.js'
import type {
  ByUser,
  Entry,
  Enumerable,
  Replaced,
  Reporting,
  Store,
  Stored,
  StoreReport,
  Sweepable,
} from '../core/store.js'
import { CoatcheckError } from '../errors.js'
import { DurableFiles } from './internal/durable-files.js'
import { FileLayout } from './internal/file-layout.js'
import { clearLeftover } from './internal/file-leftovers.js'
import { FileLocks } from './internal/file-lock.js'
import type { FileStoreOptions } from './internal/file-store-options.js'
import { fileStoreSettings } from './internal/file-store-options.js'
import type { FileSystem } from './internal/file-system.js'
import { codeOf, isFull, storeError } from './internal/file-system.js'
import { FileUserIndex } from './internal/file-user-index.js'
import type { RecordFile } from './internal/record-file.js'
import type { RecordLayout } from './internal/record-layout.js'
import { Reports } from './internal/reports.js'
import { SessionFiles } from './internal/session-files.js'
import { ShardRecords } from './internal/shard-records.js'

export type { FileStoreOptions }

/** How many records of a user are read at once: a user may have thousands. */
const READ_AT_ONCE = 16

/** `unreadable`: a file is there, but it holds no record that this version understands. */
type Found = RecordFile | 'unreadable' | undefined

/**
 * Keeps each record in a file, for one machine and as many processes as it runs. A write is there
 * as a whole or not at all, even if the process is killed in its middle; what the processes do to
 * one record happens one after the other.
 *
 * It keeps nothing open and runs no timer. A file that it cannot understand counts as absent, is
 * reported as `unreadable`, and stays where it is.
 *
 * Errors: `ERR_STORE` with the system's error as its `cause`, after which nothing has changed.
 */
export class FileStore implements Store, Sweepable, Enumerable, ByUser, Reporting {
  readonly #clock: Clock
  readonly #layout: RecordLayout
  readonly #files: DurableFiles
  readonly #locks: FileLocks
  /** The old layout has no place for whose a record is. */
  readonly #users: FileUserIndex | undefined
  readonly #reports = new Reports()
  /** The shard in which a sweep has met its limit, for the next one to go on there. */
  #sweptTo = ''

  /** The second parameter is for tests: a file system that fails. */
  constructor(options: FileStoreOptions, fs: FileSystem = nodeFiles) {
    const { folder, layout, fsync, clock, ...settings } = fileStoreSettings(options)
    const onError = (error: unknown) => this.#failed('write', error)
    this.#clock = clock
    this.#files = new DurableFiles(fs, fsync, onError)
    this.#locks = new FileLocks(this.#files, onError)
    if (layout === 'shards') {
      const shards = new FileLayout(folder)
      this.#layout = new ShardRecords(fs, shards)
      this.#users = new FileUserIndex(fs, this.#files, shards)
    } else {
      this.#layout = new SessionFiles(fs, this.#files, { folder, ...settings })
      // Who looks for the capability is not to find it.
      Object.defineProperty(this, 'keysOfUser', { value: undefined })
    }
  }

  load(key: string): Promise<Stored | undefined> {
    return coded('load', async () => {
      const path = this.#layout.pathOf(key)
      if (path === undefined) return undefined
      const found = await this.#read(path)
      if (found === undefined) return undefined
      if (found === 'unreadable') {
        this.#reports.send({ type: 'unreadable', key })
        return undefined
      }
      if (this.#isLive(found)) return { text: found.body.toString(), expiresAt: found.expiresAt }
      await this.#attempt('expire', () => this.#expire(path))
      return undefined
    })
  }

  create(key: string, entry: Entry): Promise<boolean> {
    return coded('create', async () => {
      const path = this.#layout.pathOf(key)
      if (path === undefined) throw unnameable()
      const record = this.#recordOf(key, entry)
      const bytes = await this.#layout.encode(record)
      // The index has to agree with the record, so a record with a user is written under the lock.
      if (record.user === undefined) {
        if ((await this.#files.insert(path, bytes)) === 'inserted') return true
      }
      return await this.#locks.run(path, async ({ confirm }) => {
        const found = await this.#read(path)
        if (found === 'unreadable' || this.#isLive(found)) return false
        if (record.user !== undefined) await this.#users?.add(record.user, path)
        // No lock is needed to put a file where none is, so somebody may do so right now.
        const result = found ? 'unsupported' : await this.#files.insert(path, bytes, confirm)
        if (result === 'taken') return false
        if (result === 'unsupported') await this.#files.overwrite(path, bytes, confirm)
        if (found !== undefined) await this.#afterEnd(found, path, record.user)
        return true
      })
    })
  }

  replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    return coded('replace', async () => {
      const path = this.#layout.pathOf(key)
      if (path === undefined) return 'gone'
      const record = this.#recordOf(key, entry)
      const bytes = await this.#layout.encode(record)
      return await this.#locks.run(path, async ({ confirm }) => {
        const found = await this.#read(path)
        if (!this.#isLive(found)) return 'gone'
        if (!this.#layout.isSame(found.body.toString(), seen.text)) return 'changed'
        const { user } = found
        if (record.user !== undefined && record.user !== user) {
          await this.#users?.add(record.user, path)
        }
        await this.#files.overwrite(path, bytes, confirm)
        if (user !== undefined && user !== record.user) await this.#leaveUser(user, path)
        return 'replaced'
      })
    })
  }

  touch(key: string, expiresAt: number): Promise<boolean> {
    return coded('touch', async () => {
      const path = this.#layout.pathOf(key)
      if (path === undefined) return false
      return await this.#locks.run(path, async ({ confirm }) => {
        const found = await this.#read(path)
        if (!this.#isLive(found)) return false
        const bytes = await this.#layout.encode(this.#layout.touched(found, expiresAt))
        await this.#files.overwrite(path, bytes, confirm)
        return true
      })
    })
  }

  destroy(key: string): Promise<boolean> {
    return coded('destroy', async () => {
      const path = this.#layout.pathOf(key)
      // Nothing but `create` makes an absent record present, so no lock is needed to say so.
      if (path === undefined || (await this.#read(path)) === undefined) return false
      return await this.#locks.run(path, async ({ confirm }) => {
        const found = await this.#read(path)
        await confirm()
        if (!(await this.#files.removeForGood(path))) return false
        if (found === undefined || found === 'unreadable') return false
        const live = this.#isLive(found)
        if (!live) await this.#afterEnd(found, path, undefined)
        else if (found.user !== undefined) await this.#leaveUser(found.user, path)
        return live
      })
    })
  }

  /** Besides expired records it removes what killed processes left behind, which does not count. */
  sweep({ limit = Infinity }: { limit?: number } = {}): Promise<number> {
    return coded('sweep', async () => {
      let removed = 0
      for await (const { path, name } of this.#layout.files(this.#sweptTo)) {
        this.#sweptTo = basename(dirname(path))
        if (removed >= limit) return removed
        if (!this.#layout.isRecord(name)) {
          await this.#attempt('sweep', () => clearLeftover(this.#files, this.#locks, path))
        } else if (await this.#attempt('sweep', () => this.#sweepRecord(path))) {
          removed += 1
        }
      }
      this.#sweptTo = ''
      for await (const { entry, record } of this.#users?.entries() ?? []) {
        await this.#attempt('sweep', () => this.#sweepIndexEntry(entry, record))
      }
      return removed
    })
  }

  async *entries(): AsyncGenerator<{ key: string } & Stored, void, undefined> {
    try {
      for await (const { path, name } of this.#layout.files()) {
        if (!this.#layout.isRecord(name)) continue
        const found = await this.#read(path)
        if (!this.#isLive(found)) continue
        yield { key: found.key, text: found.body.toString(), expiresAt: found.expiresAt }
      }
    } catch (error) {
      throw storeError('entries', error)
    }
  }

  keysOfUser(user: string): Promise<string[]> {
    return coded('keysOfUser', async () => {
      const keys: string[] = []
      const paths = (await this.#users?.recordsOf(user)) ?? []
      for (let at = 0; at < paths.length; at += READ_AT_ONCE) {
        const some = paths.slice(at, at + READ_AT_ONCE).map((path) => this.#keyIfOf(user, path))
        for (const key of await Promise.all(some)) if (key !== undefined) keys.push(key)
      }
      return keys
    })
  }

  /** Reports `expired`, `unreadable`, and `error` for what failed although the operation succeeded. */
  onReport(listener: (report: StoreReport) => void): () => void {
    return this.#reports.listen(listener)
  }

  async #read(path: string): Promise<Found> {
    try {
      const bytes = await this.#files.read(path)
      if (bytes === undefined) return undefined
      return (await this.#layout.decode(bytes, path)) ?? 'unreadable'
    } catch (error) {
      if (codeOf(error) === 'EISDIR') return 'unreadable'
      throw error
    }
  }

  #isLive(found: Found): found is RecordFile {
    if (found === undefined || found === 'unreadable') return false
    return found.expiresAt > this.#clock.now()
  }

  /** The key of the record if it is this user's; if not, its entry goes. */
  async #keyIfOf(user: string, path: string): Promise<string | undefined> {
    const found = await this.#read(path)
    const theirs = this.#isLive(found) && found.user === user
    return theirs ? found.key : await this.#pruned(user, path)
  }

  async #sweepRecord(path: string): Promise<boolean> {
    const found = await this.#read(path)
    if (found === undefined || found === 'unreadable' || this.#isLive(found)) return false
    return await this.#expire(path)
  }

  /** Removes the record if it still is expired: a touch may have come first. */
  async #expire(path: string): Promise<boolean> {
    try {
      return await this.#locks.run(path, async ({ confirm }) => {
        const found = await this.#read(path)
        if (found === undefined || found === 'unreadable' || this.#isLive(found)) return false
        await confirm()
        if (!(await this.#files.remove(path))) return false
        await this.#afterEnd(found, path, undefined)
        return true
      })
    } catch (error) {
      if (!isFull(error)) throw error
      return await this.#expireWithoutLock(path)
    }
  }

  /**
   * A lock is a file, for which a full disk has no room, and what has expired has to make some. The
   * record is taken out of its place first and looked at then: nobody can change it any more. If
   * even that is gone, another sweeper has done the work. The index entry waits for the next sweep.
   */
  async #expireWithoutLock(path: string): Promise<boolean> {
    const aside = await this.#files.setAside(path)
    if (aside === undefined) return false
    const bytes = await this.#files.read(aside)
    if (bytes === undefined) return false
    const found = await this.#layout.decode(bytes, aside)
    if (found === undefined || found.expiresAt > this.#clock.now()) {
      await this.#files.putBack(aside, path)
      return false
    }
    if (!(await this.#files.remove(aside))) return false
    this.#reports.send({ type: 'expired', key: found.key, text: found.body.toString() })
    return true
  }

  /** An expired record was removed, or overwritten by one of `nextUser`. */
  async #afterEnd(ended: RecordFile, path: string, nextUser: string | undefined): Promise<void> {
    const { key, user, body } = ended
    if (user !== undefined && user !== nextUser) await this.#leaveUser(user, path)
    this.#reports.send({ type: 'expired', key, text: body.toString() })
  }

  /** An entry that stays is found out by the next `keysOfUser`, so a failure undoes nothing. */
  async #leaveUser(user: string, path: string): Promise<void> {
    await this.#attempt('index', async () => this.#users?.remove(user, path))
  }

  /** Takes a dead entry out of the index. Gives the key if the record has become live meanwhile. */
  #pruned(user: string, path: string): Promise<string | undefined> {
    return this.#attempt('index', () =>
      this.#locks.run(path, async () => {
        const found = await this.#read(path)
        if (found === 'unreadable') return undefined
        if (this.#isLive(found) && found.user === user) return found.key
        await this.#users?.remove(user, path)
        return undefined
      }),
    )
  }

  async #sweepIndexEntry(entry: string, record: string): Promise<void> {
    if ((await this.#files.writtenAt(record)) !== undefined) return
    await this.#locks.run(record, async () => {
      if ((await this.#files.writtenAt(record)) === undefined) await this.#users?.removeEntry(entry)
    })
  }

  /** For what the caller did not ask for: a failure is reported, and gives undefined. */
  async #attempt<T>(op: string, run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run()
    } catch (error) {
      this.#failed(op, error)
      return undefined
    }
  }

  #recordOf(key: string, { text, expiresAt, user }: Entry): RecordFile {
    const kept = this.#users === undefined ? undefined : user
    return { key, expiresAt, user: kept, body: Buffer.from(text) }
  }

  #failed(op: string, error: unknown): void {
    this.#reports.send({ type: 'error', op, error: storeError(op, error) })
  }
}

function unnameable(): CoatcheckError {
  return new CoatcheckError(
    'ERR_UNSUPPORTED',
    "FileStore: in layout 'session-file-store' a key is the name of a file, which this one cannot be.",
    { op: 'create', store: 'FileStore', outcome: 'failed' },
  )
}

async function coded<T>(op: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw storeError(op, error)
  }
}
