import { createWebCryptoAdapter } from 'connect-mongo'
import { describe, expect, it } from 'vitest'
import { WebCryptoCipher, type WebCryptoOptions } from '../../src/crypto/web-crypto-payload.js'

const SECRET = 'a secret'
const TEXT = '{"cookie":{"path":"/"},"name":"Zoë 🧥"}'

const OPTIONS: readonly WebCryptoOptions[] = [
  {},
  { encoding: 'hex', salt: 'salt', iterations: 1000 },
  { encoding: 'base64url', salt: Buffer.from('bytes'), iterations: 1000, ivLength: 16 },
  { algorithm: 'AES-CBC', iterations: 1000 },
]

describe.each(OPTIONS)("payloads of connect-mongo's Web Crypto adapter: %o", (options) => {
  const cipher = new WebCryptoCipher(SECRET, options)
  const adapter = createWebCryptoAdapter({ secret: SECRET, ...options })

  it('are read, and it reads ours', async () => {
    expect(await cipher.decrypt(await adapter.encrypt(TEXT))).toBe(TEXT)
    expect(await adapter.decrypt(await cipher.encrypt(TEXT))).toBe(TEXT)
  })

  it('are no text with another secret or cut short', async () => {
    const payload = await adapter.encrypt(TEXT)
    expect(await new WebCryptoCipher('other', options).decrypt(payload)).not.toBe(TEXT)
    for (const length of [0, 4, 30]) {
      expect(await cipher.decrypt(payload.slice(0, length))).toBeUndefined()
    }
    expect(await cipher.decrypt('{"cookie":{}}')).toBeUndefined()
  })
})

it('one changed bit leaves no text where there is a tag', async () => {
  const cipher = new WebCryptoCipher(SECRET, { iterations: 1000 })
  const bytes = Buffer.from(await cipher.encrypt(TEXT), 'base64')
  for (const at of [0, 11, 12, 40, bytes.length - 1]) {
    const changed = Buffer.from(bytes)
    changed[at]! ^= 1
    expect(await cipher.decrypt(changed.toString('base64'))).toBeUndefined()
  }
})
