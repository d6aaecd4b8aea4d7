import { OptionError } from './errors.js'
import { kind } from './kind.js'

/** Refuses names that are no options. @throws OptionError, with what takes the place of an old one */
export function refuseUnknown(
  options: object,
  known: ReadonlySet<string>,
  legacy: Readonly<Record<string, string>>,
  prefix = '',
): void {
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue
    const instead = Object.hasOwn(legacy, name) ? legacy[name] : undefined
    throw new OptionError(
      instead === undefined
        ? `Unknown option ${prefix}${name}; there are ${[...known].join(', ')}.`
        : `The option ${prefix}${name} is one of express-session: here ${instead}.`,
    )
  }
}

/** A choice, by default the first. @throws OptionError */
export function oneOf<const T extends string>(
  name: string,
  value: unknown,
  allowed: readonly [T, ...T[]],
): T {
  if (value === undefined) return allowed[0]
  if (allowed.includes(value as T)) return value as T
  throw new OptionError(
    `The option ${name} is ${typeof value === 'string' ? `'${value}'` : kind(value)}; it takes ${allowed.map((one) => `'${one}'`).join(', ')}.`,
  )
}

/** A value of this type, if there is one. @throws OptionError */
export function optional<T>(
  name: string,
  value: T | undefined,
  type: 'boolean' | 'function' | 'string',
) {
  if (value === undefined || typeof value === type) return value
  throw new OptionError(`The option ${name} is ${kind(value)}; it takes a ${type}.`)
}
