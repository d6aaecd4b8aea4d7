import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'

/** What express-session signs with: anything that an HMAC takes. */
export type OldSecret = string | Uint8Array | KeyObject

/** Whether `value` can sign. */
export function isOldSecret(value: unknown): value is OldSecret {
  try {
    createHmac('sha256', value as OldSecret)
    return value !== ''
  } catch {
    return false
  }
}

/**
 * The id in the cookie of express-session, `s:<id>.<signature>` after percent-decoding. The
 * signature is HMAC-SHA-256 in base64 without padding; an id may hold dots. Each secret is tried, in
 * constant time.
 */
export function signedOldId(
  value: string,
  secrets: readonly OldSecret[],
): { readonly id: string } | 'format' | 'signature' {
  const dot = value.lastIndexOf('.')
  if (!value.startsWith('s:') || dot < 3) return 'format'
  const id = value.slice(2, dot)
  const given = Buffer.from(value.slice(dot + 1))
  let signed = false
  for (const secret of secrets) {
    const expected = Buffer.from(signatureOf(id, secret))
    if (given.length === expected.length && timingSafeEqual(given, expected)) signed = true
  }
  return signed ? { id } : 'signature'
}

function signatureOf(id: string, secret: OldSecret): string {
  return createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')
}

/** Whose signature a pair of cookie-session may have: what its Keygrip answers, by any hash. */
export interface PairSigner {
  /** Which key has signed: less than 0 is none of them. */
  index(text: string, signature: string): number
}

/**
 * Whether a cookie of cookie-session has this signature, the value of `<name>.sig`: HMAC-SHA-1 of
 * `<name>=<value>` in base64url. It is over the value as it came, which nothing has decoded.
 */
export function isSignedPair(
  name: string,
  value: string,
  signature: string,
  keys: readonly OldSecret[] | PairSigner,
): boolean {
  const text = `${name}=${value}`
  if ('index' in keys) return keys.index(text, signature) >= 0
  const given = Buffer.from(signature)
  let signed = false
  for (const key of keys) {
    const expected = Buffer.from(createHmac('sha1', key).update(text).digest('base64url'))
    if (given.length === expected.length && timingSafeEqual(given, expected)) signed = true
  }
  return signed
}
