import type { WarningCode } from '../errors.js'
import type { Clock } from './clock.js'
import type { Emitter } from './events.js'
import type { Keeper } from './keeper.js'
import type { KeyQueue } from './key-queue.js'
import type { LifetimeSettings } from './lifetime.js'
import type { UserOf } from './user.js'

/** What all visits of one manager share. */
export interface VisitTools {
  readonly keeper: Keeper
  readonly emitter: Emitter
  readonly clock: Clock
  readonly lifetime: LifetimeSettings
  readonly storeTimeout: number
  readonly userOf: UserOf | undefined
  readonly concurrency: 'merge' | 'strict' | 'overwrite'
  /** Updates of one session that lost a race go one after the other, within the process. */
  readonly contended: KeyQueue<never>
  warn(code: WarningCode, message: string): void
}
