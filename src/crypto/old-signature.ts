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
