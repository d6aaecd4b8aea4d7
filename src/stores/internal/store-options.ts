import type { Clock } from '../../core/clock.js'
import { OptionError } from '../../errors.js'

/** Names a value without showing it: an option may hold a secret. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (value === '') return 'an empty string'
  if (typeof value === 'number') return String(value)
  return typeof value === 'object' ? 'an object' : `of type ${typeof value}`
}

/** The error for an option of a store: which one, what it is, what it may be. */
export function wrongOption(store: string, option: string, value: unknown, allowed: string) {
  return new OptionError(`${store}: option '${option}' must be ${allowed}; it is ${kindOf(value)}`)
}

/** Refuses options that are no object. */
export function checkOptions(store: string, options: unknown): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return
  throw new OptionError(`${store}: the options must be an object; they are ${kindOf(options)}`)
}

/** A bound that may be switched off by Infinity. */
export function checkBound(store: string, option: string, value: unknown): number {
  const whole = typeof value === 'number' && (Number.isInteger(value) || value === Infinity)
  if (whole && value >= 1) return value
  throw wrongOption(store, option, value, 'a whole number of at least 1, or Infinity')
}

export function checkClock(store: string, value: unknown): Clock {
  const now = (value as Partial<Clock> | null | undefined)?.now
  if (typeof now === 'function') return value as Clock
  throw wrongOption(store, 'clock', value, 'an object with now(), setTimeout() and clearTimeout()')
}
