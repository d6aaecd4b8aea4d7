import type { ResponseLike } from './response-like.js'

/** The headers about to leave, whether they were set on the response or given to writeHead. */
export interface HeaderView {
  /** The value or values under a name in any case; numbers become strings. */
  get(name: string): string | string[] | undefined
  /** Replaces every value of the name. */
  set(name: string, value: string | string[]): void
  /** Adds one more line. The app's own lines stay, and nothing is joined with commas. */
  append(name: string, value: string): void
}

/** What is to be changed about the headers before they leave. */
export type HeaderEdit = (headers: HeaderView) => void

type HeaderEntry = [name: string, value: unknown]
type Form = 'object' | 'flat' | 'pairs'

/** What a view needs of a response. `setHeader` may be absent: then there is nothing to edit. */
interface HeaderTarget {
  setHeader?(name: string, value: unknown): unknown
  getHeader?(name: string): unknown
  getRawHeaderNames?(): string[]
}

/** Where in the arguments of writeHead the headers are: writeHead(status[, message][, headers]). */
function headersSlot(args: readonly unknown[]): number {
  if (typeof args[1] === 'string') return 2
  return args[2] === undefined || args[2] === null ? 1 : 2
}

function formOf(headers: unknown): Form | undefined {
  if (Array.isArray(headers)) {
    if (headers.length > 0 && headers.every((pair) => Array.isArray(pair))) return 'pairs'
    // An odd number of items is refused by Node itself.
    return headers.length % 2 === 0 ? 'flat' : undefined
  }
  return typeof headers === 'object' && headers !== null ? 'object' : undefined
}

function readEntries(headers: unknown, form: Form): HeaderEntry[] {
  if (form === 'object') return Object.entries(headers as object)
  if (form === 'pairs') return (headers as unknown[][]).map((pair) => [String(pair[0]), pair[1]])
  const flat = headers as unknown[]
  const entries: HeaderEntry[] = []
  for (let i = 0; i < flat.length; i += 2) entries.push([String(flat[i]), flat[i + 1]])
  return entries
}

function writeEntries(entries: readonly HeaderEntry[], form: Form): unknown {
  if (form === 'object') return Object.fromEntries(entries)
  return form === 'pairs' ? entries : entries.flat()
}

function asList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value]
}

function asText(value: unknown): string | string[] | undefined {
  if (value === undefined || value === null) return undefined
  return Array.isArray(value) ? value.map(String) : String(value)
}

/** The headers in the arguments of writeHead, as a list; none given: an empty one. */
export function headersOfWriteHead(args: readonly unknown[]): [name: string, value: unknown][] {
  const headers = args[headersSlot(args)]
  const form = formOf(headers)
  return form === undefined ? [] : readEntries(headers, form)
}

/**
 * Names given to writeHead win over those set before, so an edit goes where the name already is. A
 * new name goes into the arguments if they hold headers: Node renders those on another path while
 * nothing was set on the response (there, an array may repeat a name), and a call of `setHeader`
 * would switch it.
 */
class ResponseHeaders implements HeaderView {
  readonly #res: HeaderTarget
  readonly #given: HeaderEntry[] | undefined

  constructor(res: HeaderTarget, given: HeaderEntry[] | undefined) {
    this.#res = res
    this.#given = given
  }

  get(name: string): string | string[] | undefined {
    const key = name.toLowerCase()
    const given = this.#given?.filter((entry) => entry[0].toLowerCase() === key)
    if (given === undefined || given.length === 0) return asText(this.#res.getHeader?.(name))
    return asText(given.length === 1 ? given[0]![1] : given.flatMap((entry) => entry[1]))
  }

  set(name: string, value: string | string[]): void {
    const key = name.toLowerCase()
    const given = this.#given
    const at = given?.findIndex((entry) => entry[0].toLowerCase() === key) ?? -1
    if (given === undefined || at === -1) {
      this.#put(name, value)
      return
    }
    given[at] = [given[at]![0], value]
    for (let i = given.length - 1; i > at; i--) {
      if (given[i]![0].toLowerCase() === key) given.splice(i, 1)
    }
  }

  append(name: string, value: string): void {
    const key = name.toLowerCase()
    const given = this.#given
    // The last one: where Node keeps only one line of a repeated name, it keeps that.
    const at = given?.findLastIndex((entry) => entry[0].toLowerCase() === key) ?? -1
    if (given !== undefined && at !== -1) {
      const [spelling, present] = given[at]!
      given[at] = [spelling, [...asList(present), value]]
      return
    }
    // Not appendHeader: it pushes onto the very array the app handed to setHeader, and an array kept
    // by the app would carry this visitor's cookie to the next one.
    const present = this.#res.getHeader?.(name)
    this.#put(name, present === undefined ? value : [...asList(present), value])
  }

  #put(name: string, value: unknown): void {
    const res = this.#res
    const isSet = res.getHeader?.(name) !== undefined
    if (this.#given !== undefined && !isSet) {
      this.#given.push([name, value])
      return
    }
    const key = name.toLowerCase()
    const spelling = isSet
      ? res.getRawHeaderNames?.().find((known) => known.toLowerCase() === key)
      : undefined
    res.setHeader?.(spelling ?? name, value)
  }
}

/**
 * Applies `edit` to the headers on `res` and those in the arguments of writeHead. Returns the
 * arguments to call it with; the given ones and what they hold are left as they are.
 */
export function editHeaders(res: ResponseLike, edit: HeaderEdit, args: unknown[] = []): unknown[] {
  if (typeof res.setHeader !== 'function') return args
  const target = res as HeaderTarget
  const slot = headersSlot(args)
  const form = formOf(args[slot])
  if (form === undefined) {
    edit(new ResponseHeaders(target, undefined))
    return args
  }
  const entries = readEntries(args[slot], form)
  edit(new ResponseHeaders(target, entries))
  const edited = [...args]
  edited[slot] = writeEntries(entries, form)
  return edited
}
