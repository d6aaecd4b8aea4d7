import type { Stored } from '../../core/store.js'
import { CoatcheckError } from '../../errors.js'
import { isStorable } from './sql-identifier.js'
import { SWEEP_STEP } from './sql-steps.js'

/** What an `int unsigned` holds: until 2106. */
const LATEST = 2 ** 32 - 1

/** What a new record has in its columns. */
export interface Values {
  readonly key: string
  readonly text: string
  readonly end: number
}

/** As many keys as the statement has parameters: it is prepared once. */
export function step(keys: readonly string[]): string[] {
  return Array.from({ length: SWEEP_STEP }, (_, n) => keys[Math.min(n, keys.length - 1)]!)
}

export function stored([text, expiry]: readonly unknown[]): Stored {
  return { text: String(text), expiresAt: Number(expiry) * 1000 }
}

/** To a collation that pads, a key with spaces at its end is the one without. */
export function isKey(key: string): boolean {
  return isStorable(key) && !key.endsWith(' ')
}

export function payload(op: string, text: string): string {
  if (isStorable(text)) return text
  throw unstorable(op, 'text')
}

/** What has ended by now is not rounded up to a moment that is still to come. */
export function seconds(ms: number, now: number): number {
  return ms > now ? Math.min(Math.ceil(ms / 1000), LATEST) : 0
}

export function unstorable(op: string, what: 'key' | 'text'): CoatcheckError {
  return new CoatcheckError(
    what === 'key' ? 'ERR_UNSUPPORTED' : 'ERR_NOT_SERIALIZABLE',
    `MySQLStore: the ${what} has a NUL or a lone surrogate${what === 'key' ? ', or ends with a space' : ''}.`,
    { op, store: 'MySQLStore', outcome: 'failed' },
  )
}
