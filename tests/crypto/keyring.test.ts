import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Keyring, SIGNATURE_LENGTH } from '../../src/crypto/keyring.js'

const [newest, older, oldest] = ['newest', 'older', 'oldest'].map((name) => name.padEnd(32, '.'))
const keyring = new Keyring([newest!, older!, oldest!])
const signedWith = (secret: string, text: string) =>
  createHmac('sha256', secret).update(text).digest('base64url')

describe('a keyring', () => {
  it('signs with the newest secret, by HMAC-SHA-256', () => {
    expect(keyring.sign('text')).toBe(signedWith(newest!, 'text'))
    expect(keyring.sign('text')).toHaveLength(SIGNATURE_LENGTH)
  })

  it.each([
    [0, newest!],
    [1, older!],
    [2, oldest!],
    [-1, 'a stranger'.padEnd(32, '.')],
  ])('says that secret %i has signed', (index, secret) => {
    expect(keyring.signedBy('text', signedWith(secret, 'text'))).toBe(index)
  })

  it.each([
    ['of another text', signedWith(newest!, 'other')],
    ['that is empty', ''],
    ['that is cut', signedWith(newest!, 'text').slice(0, -1)],
    ['that goes on', `${signedWith(newest!, 'text')}A`],
    ['in hex', createHmac('sha256', newest!).update('text').digest('hex')],
    ['with characters whose low bytes fit', raised(signedWith(newest!, 'text'))],
  ])('refuses a signature %s', (_name, signature) => {
    expect(keyring.signedBy('text', signature)).toBe(-1)
  })

  it('names the newest of two equal secrets, so that its cookies are not sent again', () => {
    const twice = new Keyring([newest!, newest!])
    expect(twice.signedBy('text', twice.sign('text'))).toBe(0)
  })
})

/** The same text, 256 code points higher. */
function raised(text: string): string {
  return String.fromCharCode(...[...text].map((char) => char.charCodeAt(0) + 256))
}
