import { describe, expect, it } from 'vitest'
import { cookieFrom } from '../../src/cookie-option.js'
import { encodeStrict } from '../../src/core/strict-json.js'
import { Keyring } from '../../src/crypto/keyring.js'
import { JwtStore } from '../../src/stores/jwt.js'

describe('what fuzzing has found', () => {
  it('a signature with another character of the same low byte is no signature', () => {
    const keyring = new Keyring(['a secret of this test, of 32 bytes and more'])
    const signature = keyring.sign('text')
    expect(keyring.signedBy('text', signature)).toBe(0)
    for (let at = 0; at < signature.length; at++) {
      const wide = String.fromCharCode(signature.charCodeAt(at) + 0x100)
      const forged = signature.slice(0, at) + wide + signature.slice(at + 1)
      expect(keyring.signedBy('text', forged)).toBe(-1)
    }
  })

  it('a getter that throws is named by its place', () => {
    const cart = {
      items: [
        {
          get price(): number {
            throw new Error('not loaded')
          },
        },
      ],
    }
    expect(() => encodeStrict(cart, 'cart')).toThrow(
      expect.objectContaining({
        code: 'ERR_NOT_SERIALIZABLE',
        message: expect.stringContaining('cart.items[0].price is a value whose getter failed'),
        cause: expect.objectContaining({ message: 'not loaded' }),
      }),
    )
  })

  it('a path that browsers would cut is refused', () => {
    expect(() => cookieFrom({ path: '/admin ' })).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining('path') }),
    )
    expect(cookieFrom({ path: '/a b' }).path).toBe('/a b')
    expect(cookieFrom({ path: '/' }).path).toBe('/')
  })

  it('what a JWT notes besides plain facts is left out, lists too', () => {
    const jwt = new JwtStore({ keys: 'a secret of this test, of 32 bytes and more' })
    const at = { now: 1_700_000_000_000, audience: 'sid' }
    const facts = '{"created":1,"started":1,"idle":1000,"more":["sid"]}'
    const text = `{"v":1,"facts":${facts},"data":{"a":1}}`
    const opened = jwt.open(jwt.seal({ handle: 'h', text, expiresAt: at.now + 1000 }, at), at)
    expect(opened).toMatchObject({ sealed: { text: text.replace(',"more":["sid"]', '') } })
  })
})
