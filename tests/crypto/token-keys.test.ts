import { hkdfSync, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { derived, encryptionKey, signatureKey } from '../../src/crypto/token-keys.js'

const SECRET = 'a secret of the keys of tokens, of 32 bytes'
const bytesOf = (key: KeyObject) => key.export().toString('hex')

describe('keys of tokens', () => {
  it('come from HKDF-SHA-256 without a salt: RFC 5869, appendix A.3', () => {
    expect(derived('\u000b'.repeat(22), '', 42).toString('hex')).toBe(
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    )
  })

  it('are made as the pages of the stores say, so that other programs can make them', () => {
    const made = (info: string, bytes: number) =>
      Buffer.from(hkdfSync('sha256', SECRET, '', info, bytes))
    expect(bytesOf(encryptionKey(SECRET).key)).toBe(
      made('coatcheck cookie A256GCM', 32).toString('hex'),
    )
    expect(encryptionKey(SECRET).kid).toBe(made('coatcheck cookie kid', 6).toString('base64url'))
    expect(bytesOf(signatureKey(SECRET).key)).toBe(Buffer.from(SECRET).toString('hex'))
    expect(signatureKey(SECRET).kid).toBe(made('coatcheck jwt kid', 6).toString('base64url'))
  })

  it('have names that call no key of the other kind, and tell nothing of one', () => {
    const names = [SECRET, `${SECRET}.`].flatMap((secret) => [
      encryptionKey(secret).kid,
      signatureKey(secret).kid,
    ])
    expect(new Set(names).size).toBe(4)
    const key = encryptionKey(SECRET)
    expect(bytesOf(key.key)).not.toContain(Buffer.from(key.kid, 'base64url').toString('hex'))
  })

  it('take a secret that is not ASCII by its UTF-8', () => {
    const secret = 'ключ'.repeat(8)
    expect(bytesOf(signatureKey(secret).key)).toBe(Buffer.from(secret, 'utf8').toString('hex'))
  })
})
