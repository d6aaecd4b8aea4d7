import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import expressSession from 'express-session'
import memorystore from 'memorystore'
import { onTestFinished, vi } from 'vitest'
import type { Clock } from '../../src/core/clock.js'
import type { ExpressSessionStore } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'

type Callback = Parameters<ExpressSessionStore['get']>[1]
type Done = Parameters<ExpressSessionStore['set']>[2]

interface Kept {
  session: unknown
  /** When the store drops it by itself. */
  ends: number
}

interface OldSessionLike {
  readonly cookie: { readonly expires: Date | string; readonly maxAge?: number }
}

/** A store as people write them: it keeps the very objects it was given, and knows no touch. */
export class PlainOldStore implements ExpressSessionStore {
  readonly calls: string[] = []
  readonly kept = new Map<string, unknown>()

  get(key: string, callback: Callback): void {
    this.calls.push('get')
    callback(null, this.kept.get(key))
  }

  set(key: string, session: object, callback: Done): void {
    this.calls.push('set')
    this.kept.set(key, session)
    callback()
  }

  destroy(key: string, callback: Done): void {
    this.calls.push('destroy')
    this.kept.delete(key)
    callback()
  }
}

/** Keeps texts with an expiry of its own beside them, as Redis and SQL stores do; a touch moves only that. */
export class ExpiringOldStore implements ExpressSessionStore {
  readonly calls: string[] = []
  readonly kept = new Map<string, Kept>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get(key: string, callback: Callback): void {
    this.calls.push('get')
    const found = this.kept.get(key)
    const isLive = found !== undefined && found.ends > this.#clock.now()
    setImmediate(callback, null, isLive ? JSON.parse(String(found.session)) : null)
  }

  set(key: string, session: object, callback: Done): void {
    this.calls.push('set')
    this.kept.set(key, { session: JSON.stringify(session), ends: endOf(session) })
    setImmediate(callback)
  }

  touch(key: string, session: object, callback: Done): void {
    this.calls.push('touch')
    const found = this.kept.get(key)
    if (found !== undefined) found.ends = endOf(session)
    setImmediate(callback)
  }

  destroy(key: string, callback: Done): void {
    this.calls.push('destroy')
    this.kept.delete(key)
    setImmediate(callback)
  }
}

function endOf(session: object): number {
  return new Date((session as OldSessionLike).cookie.expires).getTime()
}

/** A fake clock that the packages see too: they ask the date of the machine. */
export function sharedClock(): FakeClock {
  const clock = new FakeClock()
  vi.useFakeTimers({ toFake: ['Date'], now: clock.now() })
  onTestFinished(() => void vi.useRealTimers())
  return clock
}

export async function pass(clock: FakeClock, ms: number): Promise<void> {
  await clock.advance(ms)
  vi.setSystemTime(clock.now())
}

/** The packages that need no server, by their names. */
export const packages: Readonly<Record<string, () => ExpressSessionStore>> = {
  'the MemoryStore of express-session': () => new expressSession.MemoryStore(),
  memorystore: () => new (memorystore(expressSession))({ checkPeriod: 0 }),
  'session-file-store': fileStore,
}

const require = createRequire(import.meta.url)

function fileStore(): ExpressSessionStore {
  const path = mkdtempSync(join(tmpdir(), 'coatcheck-old-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true, maxRetries: 10 }))
  const FileStore = require('session-file-store')(expressSession) as new (
    options: object,
  ) => ExpressSessionStore
  // Five tries for a file that is not there take a quarter of a second.
  return new FileStore({ path, retries: 0, reapInterval: -1, logFn() {} })
}
