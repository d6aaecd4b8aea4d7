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
  const is = value instanceof Promise ? 'a promise' : kindOf(value)
  return new OptionError(`${store}: option '${option}' must be ${allowed}; it is ${is}`)
}

/** Refuses options that are no object. */
export function checkOptions(store: string, options: unknown): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return
  throw new OptionError(`${store}: the options must be an object; they are ${kindOf(options)}`)
}

/** Options of the package whose records a store keeps, and what takes their place. */
export interface OldOptions {
  readonly of: string
  readonly instead: Readonly<Record<string, string>>
}

/**
 * Refuses options that are none: `tableName` of an old package, passed over in silence, would be
 * another table, and everybody signed out.
 */
export function checkNames(
  store: string,
  options: object,
  names: readonly string[],
  old?: OldOptions,
): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || names.includes(name)) continue
    if (old === undefined || !Object.hasOwn(old.instead, name)) {
      throw new OptionError(`${store}: unknown option '${name}'; there are ${names.join(', ')}.`)
    }
    throw new OptionError(
      `${store}: option '${name}' is one of ${old.of}, and must be left out: ${old.instead[name]}.`,
    )
  }
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
