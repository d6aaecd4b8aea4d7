import type { House } from './house.js'
import { textOf } from './session.js'
import { type CookieForm, type CookieLine, lineOf } from './set-cookie.js'

/** How one response sends a session. */
export interface Sending {
  readonly form: CookieForm
  readonly isSigned: boolean
  /** How a signature is deleted, where the request has brought one. */
  readonly unsigned: CookieForm | undefined
}

/** The cookie of a session, and what goes with it. An empty value is a deletion. */
export function linesOf(
  { encryption, signer, now }: House,
  value: string,
  { form, isSigned, unsigned }: Sending,
): [CookieLine, ...CookieLine[]] {
  if (encryption?.sends) {
    const bound = { audience: form.name, now: now() }
    const sealed = () => encryption.sessions.seal(textOf(value), bound, form.ends)
    const line = lineOf(form, value === '' ? '' : sealed())
    return unsigned === undefined ? [line] : [line, lineOf(unsigned, '', '.sig')]
  }
  const line = lineOf(form, value)
  if (!isSigned) return [line]
  if (signer === undefined) throw withoutKeys()
  // A deletion is signed as well.
  return [line, lineOf(form, signer.sign(`${form.name}=${value}`), '.sig')]
}

export function withoutKeys(): Error {
  return new Error('.keys required for signed cookies')
}
