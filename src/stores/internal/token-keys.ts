import { OptionError } from '../../errors.js'

/** As many bytes as the keys that are made of them (RFC 7518, section 3.2). */
const SECRET_BYTES = 32

const HOW = 'Make one with: npx coatcheck secret'

/** The secrets of a token store, newest first. @throws OptionError */
export function secretsFrom(store: string, keys: unknown): [string, ...string[]] {
  const given: readonly unknown[] = Array.isArray(keys) ? [...keys] : [keys]
  if (keys === undefined || given.length === 0) {
    throw new OptionError(`${store}: the option keys is missing. ${HOW}`)
  }
  given.forEach((key, index) => {
    const which = Array.isArray(keys) ? `keys[${index}]` : 'keys'
    if (typeof key !== 'string') {
      throw new OptionError(`${store}: the option ${which} takes a string. ${HOW}`)
    }
    const bytes = Buffer.byteLength(key)
    if (bytes < SECRET_BYTES) {
      throw new OptionError(
        `${store}: the option ${which} has ${bytes} bytes; it takes ${SECRET_BYTES} or more. ${HOW}`,
      )
    }
  })
  return given as [string, ...string[]]
}
