import { SealedSessions } from './crypto/sealed-session.js'
import type { CookieSessionSettings } from './from-option.js'
import { cookieValues, type OldCookie } from './http/session-cookie.js'

/** Values that are looked at: of the many that fit into a header each would cost some signatures. */
export const MOST_VALUES = 20

/** Signatures that are tried for one value: a stale one may stand before the good one. */
const MOST_SIGNATURES = 4

/** The sessions in the cookies of cookie-session, as JSON. */
export interface PairTexts {
  readonly texts: readonly string[]
  readonly rejected: readonly ('format' | 'signature' | 'unknown')[]
}

/** Which cookies of cookie-session a request has, to be deleted with the next cookie of ours. */
export function oldPairs(header: string, from: CookieSessionSettings | undefined): OldCookie[] {
  if (from === undefined) return []
  const { path, domain, partitioned } = from
  return [from.name, `${from.name}.sig`]
    .filter((name) => cookieValues(header, name).size > 0)
    .map((name) => ({ name, path, domain, partitioned, secure: partitioned }))
}

/** Authenticates each value over its bytes as they came; what is not ours is decoded by nobody. */
export function pairTexts(header: string, from: CookieSessionSettings, now: number): PairTexts {
  const texts: string[] = []
  const rejected: ('format' | 'signature' | 'unknown')[] = []
  if (now >= from.until) return { texts, rejected }
  const signatures = [...cookieValues(header, `${from.name}.sig`)].slice(0, MOST_SIGNATURES)
  for (const value of [...cookieValues(header, from.name)].slice(0, MOST_VALUES)) {
    if (SealedSessions.isOne(value)) {
      const opened = from.encryption?.sessions.open(value, { audience: from.name, now })
      if (opened === undefined) continue
      if ('text' in opened) texts.push(opened.text)
      else rejected.push(opened.rejected)
    } else if (signatures.length > 0 && now < (from.encryption?.signedUntil ?? Infinity)) {
      const isSigned = signatures.some((signature) => from.isSigned(value, signature))
      if (isSigned) texts.push(Buffer.from(value, 'base64').toString())
      else rejected.push('signature')
    }
  }
  return { texts, rejected }
}
