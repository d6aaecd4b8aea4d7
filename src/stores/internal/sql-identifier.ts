import { createHash } from 'node:crypto'
import { wrongOption } from './store-options.js'

/**
 * A name from the options, for a place in a statement that no parameter can fill. Quoting makes any
 * name safe; what is refused here could only be a mistake, or would be cut by the server.
 *
 * @param longest in bytes: servers cut longer names in silence, and two tables become one
 * @throws OptionError
 */
export function checkName(store: string, option: string, value: unknown, longest: number): string {
  const allowed = `a name of 1 to ${longest} bytes without control characters`
  if (typeof value !== 'string' || value === '') throw wrongOption(store, option, value, allowed)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
  const odd = /[\0-\x1f\x7f]/.test(value) || !isWellFormed(value)
  if (odd || Buffer.byteLength(value) > longest) throw wrongOption(store, option, value, allowed)
  return value
}

/** As an identifier of SQL. @param mark what this server quotes with; MySQL has a backtick */
export function quoteName(name: string, mark: '"' | '`' = '"'): string {
  return mark + name.replaceAll(mark, mark + mark) + mark
}

/**
 * The name of something that belongs to `table`: an index, a side table. Names of other tables give
 * other names, also where they are too long for the end to fit.
 */
export function derivedName(table: string, end: string, longest: number): string {
  const name = `${table}_${end}`
  if (Buffer.byteLength(name) <= longest) return name
  const rest = `_${createHash('sha256').update(table).digest('hex').slice(0, 12)}_${end}`
  return (
    Buffer.from(table)
      .subarray(0, longest - rest.length)
      .toString()
      .replace(/\ufffd+$/, '') + rest
  )
}

/** Whether a database that keeps UTF-8 gives the text back as it is. NUL is none that SQL takes. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && isWellFormed(text)
}

/** Lone surrogates have no UTF-8: two keys that differ in nothing else would become one. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}
