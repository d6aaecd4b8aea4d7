import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

/** A key for tokens, and the name under which their headers call it. */
export interface TokenKey {
  readonly kid: string
  readonly key: KeyObject
}

/** What a key is derived for. One secret gives unrelated keys, so no token passes for another kind. */
const FOR_ENCRYPTION = 'coatcheck cookie A256GCM'
const FOR_OLD_FACE = 'coatcheck cookie-session A256GCM'
const FOR_NAMES = {
  encryption: 'coatcheck cookie kid',
  signature: 'coatcheck jwt kid',
  oldFace: 'coatcheck cookie-session kid',
} as const

/** Six bytes tell a handful of keys apart, and tell nothing about them. */
const KID_BYTES = 6

/** The key that encrypts under a secret. */
export function encryptionKey(secret: string): TokenKey {
  const key = createSecretKey(derived(secret, FOR_ENCRYPTION, 32))
  return { kid: kidOf(secret, 'encryption'), key }
}

/** The key that encrypts the cookies of the drop-in for cookie-session under a secret. */
export function oldFaceKey(secret: string): TokenKey {
  const key = createSecretKey(derived(secret, FOR_OLD_FACE, 32))
  return { kid: kidOf(secret, 'oldFace'), key }
}

/** The key that signs under a secret: its bytes, so that every JWT library can have it. */
export function signatureKey(secret: string): TokenKey {
  return { kid: kidOf(secret, 'signature'), key: createSecretKey(secret, 'utf8') }
}

function kidOf(secret: string, use: keyof typeof FOR_NAMES): string {
  return derived(secret, FOR_NAMES[use], KID_BYTES).toString('base64url')
}

/** HKDF-SHA-256 without a salt (RFC 5869), with what the bytes are for as `info`. */
export function derived(secret: string, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', purpose, bytes))
}
