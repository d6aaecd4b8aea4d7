import { CoatcheckError } from '../errors.js'
import type { House } from './house.js'
import type { Session } from './session.js'

/** What browsers take of a cookie: name, value and attributes (RFC 6265, section 6.1). */
const MOST_BYTES = 4096
const LARGE_BYTES = 0.8 * MOST_BYTES
/** How many keys are named, and how much of each. */
const NAMED = 3
const LONGEST_NAME = 40

/**
 * Whether a cookie that only changes its form can do so. It grows by that, and must not become an
 * error for a visitor who has changed nothing.
 */
export function fitsAnew(house: House, line: string): boolean {
  const bytes = Buffer.byteLength(line)
  if (bytes <= MOST_BYTES) return true
  house.warn(
    'WARN_COOKIE_LARGE',
    `A session stays in the cookie it came in: in its new form that would have ${bytes} bytes, and browsers drop one of more than ${MOST_BYTES}.`,
  )
  return false
}

/** Browsers drop a cookie that is too large, and nobody would know. */
export function checkSize(house: House, line: string, session: Session): void {
  const bytes = Buffer.byteLength(line)
  if (bytes <= LARGE_BYTES) return
  if (bytes > MOST_BYTES) {
    throw new CoatcheckError(
      'ERR_COOKIE_TOO_LARGE',
      `The session cookie has ${bytes} bytes, and browsers drop one of more than ${MOST_BYTES}. ${largest(session)}`,
    )
  }
  house.warn(
    'WARN_COOKIE_LARGE',
    `A session cookie has ${bytes} bytes; from ${MOST_BYTES + 1} on it is an error. ${largest(session)}`,
  )
}

function largest(session: Session): string {
  const sizes = Object.keys(session).map((key) => {
    const text: string | undefined = JSON.stringify(session[key])
    return { key, length: text === undefined ? 0 : Buffer.byteLength(text) }
  })
  const first = sizes.sort((one, other) => other.length - one.length).slice(0, NAMED)
  const names = first.map(({ key }) => JSON.stringify(key.slice(0, LONGEST_NAME)))
  return names.length === 1
    ? `Its only key is ${names[0]}.`
    : `Its largest keys are ${names.join(', ')}.`
}
