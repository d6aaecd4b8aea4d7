import { createHmac, type KeyObject, randomBytes } from 'node:crypto'
import { encrypt } from '../../src/crypto/aes-gcm.js'
import { encryptionKey, signatureKey, type TokenKey } from '../../src/crypto/token-keys.js'
import type { TokenStore } from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { JwtStore } from '../../src/stores/jwt.js'

/** As long as a key of AES-256, so that its bytes would be one. */
export const KEY = 'a key of tokens that has 32 bytes'.slice(-32)
export const OLD_KEY = 'an older key of the token stores, of 32 bytes'
export const NOW = Date.UTC(2030, 0, 1)
export const HOUR = 3_600_000
export const AT = { now: NOW, audience: 'sid' }

export const b64 = (text: string | Buffer) => Buffer.from(text as string).toString('base64url')

/** A compact JWE with any header and any text, under a key that is right or not. */
export function jwe(header: string, text: string, key: KeyObject): string {
  const iv = randomBytes(12)
  const { bytes, tag } = encrypt(key, iv, text, b64(header))
  return [b64(header), '', b64(iv), b64(bytes), b64(tag)].join('.')
}

/** A compact JWS with any header and any text. */
export function jws(header: string, text: string, key: KeyObject, hash = 'sha256'): string {
  const signed = `${b64(header)}.${b64(text)}`
  return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`
}

/** One kind of token, and what it takes to make any token of that kind. */
export interface Kind {
  readonly name: string
  make(keys?: readonly string[]): TokenStore
  key(secret: string): TokenKey
  /** Its header but for the `kid`. */
  readonly pinned: Readonly<Record<string, string>>
  /** What the claims of `{ cart: 1 }` are. */
  claims(): Record<string, unknown>
  /** Authenticated by the right key, whatever it says. */
  forge(header: string, text: string, key?: KeyObject): string
}

const FACTS = { created: NOW, started: NOW, idle: HOUR }

export const COOKIE: Kind = {
  name: 'CookieStore',
  make: (keys = [KEY]) => new CookieStore({ keys }),
  key: encryptionKey,
  pinned: { alg: 'dir', enc: 'A256GCM', typ: 'coatcheck+jwe' },
  claims: () => ({
    aud: 'sid',
    iat: NOW,
    exp: NOW + HOUR,
    jti: 'handle',
    record: { v: 1, facts: FACTS, data: { cart: 1 } },
  }),
  forge: (header, text, key = encryptionKey(KEY).key) => jwe(header, text, key),
}

export const JWT: Kind = {
  name: 'JwtStore',
  make: (keys = [KEY]) => new JwtStore({ keys }),
  key: signatureKey,
  pinned: { alg: 'HS256', typ: 'JWT' },
  claims: () => ({
    aud: 'sid',
    iat: NOW / 1000,
    exp: (NOW + HOUR) / 1000,
    jti: 'handle',
    coatcheck: FACTS,
    cart: 1,
  }),
  forge: (header, text, key = signatureKey(KEY).key) => jws(header, text, key),
}

export const KINDS = [COOKIE, JWT]

/** The header of good tokens of a kind. */
export function headerOf(kind: Kind, more: Record<string, unknown> = {}): string {
  return JSON.stringify({ ...kind.pinned, kid: kind.key(KEY).kid, ...more })
}

/** A token whose claims are the good ones and `more`; undefined takes one away. */
export function withClaims(kind: Kind, more: Record<string, unknown>): string {
  return kind.forge(headerOf(kind), JSON.stringify({ ...kind.claims(), ...more }))
}
