import type { WarningCode } from '../errors.js'
import type { Clock } from './clock.js'
import type { EventName, Events } from './events.js'
import type { Keeper } from './keeper.js'
import type { KeyQueue } from './key-queue.js'
import type { LifetimeSettings } from './lifetime.js'
import type { UserOf } from './user.js'

/** What all visits of one manager share. */
export interface VisitTools {
  readonly keeper: Keeper
  readonly clock: Clock
  readonly lifetime: LifetimeSettings
  readonly storeTimeout: number
  readonly userOf: UserOf | undefined
  readonly concurrency: 'merge' | 'strict' | 'overwrite'
  /** Updates of one session that lost a race go one after the other, within the process. */
  readonly contended: KeyQueue<never>
  /**
   * Handles that sessions are being renewed to, or that requests have shown after `regenerate()` and
   * before its commit, and those under which the session still is stored: "all my sessions but this
   * one" must know both.
   */
  readonly renewing: Map<string, string>
  emit<Name extends EventName>(name: Name, event: Omit<Events[Name], 'at'>): void
  warn(code: WarningCode, message: string): void
}
