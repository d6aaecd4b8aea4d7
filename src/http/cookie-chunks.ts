import { MOST_BYTES, sizeOf } from './cookie-size.js'
import { cookieValues, type TokenReader } from './session-cookie.js'

/** As many as the request headers of one session may take: servers take some 16 KB of all. */
export const MOST_CHUNKS = 4

/** Of several cookies of one name, those that are looked at. */
const MOST_VALUES = 4
/** Of one first chunk, the joins of each length. Two values of each name make eight. */
const MOST_JOINS = 8

function chunkNames(name: string): string[] {
  return Array.from({ length: MOST_CHUNKS }, (_, index) => `${name}.${index}`)
}

/** Every name that a token may come under: its own, whole, and those of its chunks. */
export function allNames(name: string): string[] {
  return [name, ...chunkNames(name)]
}

/** Those of them that a request carries. */
export function namesIn(header: string, name: string): string[] {
  return allNames(name).filter((one) => cookieValues(header, one).size > 0)
}

/** How many bytes of a request they are. */
export function bytesIn(header: string, name: string): number {
  const values = allNames(name).flatMap((one) => [...cookieValues(header, one)])
  return values.reduce((sum, { length }) => sum + length, 0)
}

/**
 * The tokens under a name, whole and in chunks. How many chunks belong together nobody says, least
 * of all the client: a token is authenticated as a whole, so the longest join that opens is it, and
 * what stands behind is left from an older one. Up to four are read, whatever is written now.
 */
export const readWholeAndChunks: TokenReader = (found, header, name, secure) => {
  for (const token of cookieValues(header, name)) found.push({ token, secure })
  if (!header.includes(`${name}.`)) return
  const columns = chunkNames(name).map((one) =>
    [...cookieValues(header, one)]
      .filter(({ length }) => length <= MOST_BYTES)
      .slice(0, MOST_VALUES),
  )
  const gap = columns.findIndex(({ length }) => length === 0)
  const [firsts = [], ...rest] = gap === -1 ? columns : columns.slice(0, gap)
  for (const [row, first] of firsts.entries()) {
    const [token = first, ...others] = joinsOf(first, rest, row)
    found.push({ token, secure, others })
  }
  // Chunks without a beginning are no token: an event tells.
  const isHeadless = firsts.length === 0 && columns.some(({ length }) => length > 0)
  if (isHeadless) found.push({ token: '', secure })
}

/**
 * What may follow a first chunk, the longest first. Browsers order the cookies of each name in the
 * same way (RFC 6265, section 5.4), so those of one row are tried first; one that was deleted in
 * between comes later than the others of its set.
 */
function joinsOf(first: string, rest: readonly (readonly string[])[], row: number): string[] {
  let heads = [first]
  const joins = [first]
  for (const column of rest) {
    const own = column[row] ?? column.at(-1)!
    const inOrder = [own, ...column.filter((one) => one !== own)]
    heads = heads.flatMap((head) => inOrder.map((one) => head + one)).slice(0, MOST_JOINS)
    joins.unshift(...heads)
  }
  return joins
}

/** The lines of a token, and how many bytes they have together. */
export interface TokenLines {
  /** Each under the name of its cookie; in no cookie at all if it does not fit. */
  readonly lines: ReadonlyMap<string, string>
  readonly size: number
}

/**
 * The lines that carry `token`: one, if it fits into one cookie, or one for each of at most `most`
 * chunks. Past `most * MOST_BYTES` it does not fit.
 */
export function linesFor(
  name: string,
  token: string,
  most: number,
  lineOf: (name: string, value: string) => string,
): TokenLines {
  const whole = lineOf(name, token)
  const size = sizeOf(whole)
  if (most === 1 || size <= MOST_BYTES) return { lines: new Map([[name, whole]]), size }
  const names = chunkNames(name)
  const around = sizeOf(lineOf(names[0]!, ''))
  const inAll = token.length + most * around
  if (inAll > most * MOST_BYTES) return { lines: new Map(), size: inAll }
  const room = MOST_BYTES - around
  const used = names.slice(0, Math.ceil(token.length / room))
  const lines = used.map((one, at): [string, string] => [
    one,
    lineOf(one, token.slice(at * room, (at + 1) * room)),
  ])
  return { lines: new Map(lines), size: token.length + used.length * around }
}
