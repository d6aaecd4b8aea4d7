import { createHmac, createSecretKey } from 'node:crypto'
import { CompactSign, compactVerify } from 'jose'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { hs256, Jws } from '../../src/crypto/jws.js'
import { signatureKey } from '../../src/crypto/token-keys.js'

const NEW = signatureKey('the newest key of the tests of JWS, long')
const OLD = signatureKey('an older key of the tests of JWS, long')
const TYP = 'JWT'
const jws = new Jws([NEW, OLD], TYP)

const TEXTS = ['{}', '', 'a', 'ä€😀\u0000\u2028', 'x'.repeat(100_000)]

/** RFC 7515, appendix A.1, which is also the example of RFC 7519, section 3.1. */
const RFC = {
  key: createSecretKey(
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    'base64url',
  ),
  header: 'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9',
  payload:
    'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ',
  signature: 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
}

describe('a JWS', () => {
  it('is signed as in RFC 7515, appendix A.1, and RFC 7519, section 3.1', () => {
    const signed = `${RFC.header}.${RFC.payload}`
    expect(hs256(RFC.key, signed)).toBe(RFC.signature)
  })

  it('of the RFC is refused all the same: its header names no key, and has a line end', () => {
    const keys = [{ kid: '', key: RFC.key }] as const
    const { header, payload, signature } = RFC
    expect(new Jws([...keys], TYP).open(`${header}.${payload}.${signature}`)).toBeUndefined()
  })

  it.each(TEXTS)('opens to the text that was signed: %j', (text) => {
    expect(jws.open(jws.sign(text))).toEqual({ text, by: 0 })
  })

  it('has the three parts of RFC 7515: header, payload and signature', () => {
    const parts = jws.sign('text').split('.')
    const [header, payload] = parts.map((part) => Buffer.from(part, 'base64url').toString())
    expect(JSON.parse(header!)).toEqual({ alg: 'HS256', typ: TYP, kid: NEW.kid })
    const expected = createHmac('sha256', NEW.key).update(parts.slice(0, 2).join('.'))
    expect([payload, parts[2]]).toEqual(['text', expected.digest('base64url')])
  })

  it.each(TEXTS)('is read by jose: %j', async (text) => {
    const { payload, protectedHeader } = await compactVerify(jws.sign(text), NEW.key)
    expect(Buffer.from(payload).toString()).toBe(text)
    expect(protectedHeader.kid).toBe(NEW.kid)
  })

  it.each([
    ['the newest key', NEW, 0],
    ['an older key', OLD, 1],
  ] as const)('of jose is read, under %s', async (_name, { key, kid }, by) => {
    const token = await new CompactSign(Buffer.from('of jose'))
      .setProtectedHeader({ kid, typ: TYP, alg: 'HS256' })
      .sign(key)
    expect(jws.open(token)).toEqual({ text: 'of jose', by })
  })

  it('with white space in the header is refused, also where other headers are as long', () => {
    const keys = [
      { ...NEW, kid: 'a name that is longer' },
      { ...OLD, kid: 'short' },
    ] as const
    const both = new Jws([...keys], TYP)
    const token = (space: string) => {
      const header = `{"alg":"HS256",${space}"typ":"JWT","kid":"short"}`
      const text = [header, 'text'].map((part) => Buffer.from(part).toString('base64url')).join('.')
      return `${text}.${hs256(OLD.key, text)}`
    }
    expect(both.open(token(''))).toEqual({ text: 'text', by: 1 })
    expect(both.open(token(' '))).toBeUndefined()
    expect(both.open(token(' '.repeat(16)))).toBeUndefined()
  })

  it('says which key has verified it, and is signed with the newest', () => {
    expect(jws.open(new Jws([OLD], TYP).sign('text'))).toEqual({ text: 'text', by: 1 })
    expect(new Jws([OLD], TYP).open(jws.sign('text'))).toBeUndefined()
  })

  it('is verified by the key that its header names, and by no other', () => {
    const [header, payload] = jws.sign('text').split('.')
    const other = hs256(OLD.key, `${header}.${payload}`)
    expect(jws.open(`${header}.${payload}.${other}`)).toBeUndefined()
  })

  it('of another kind opens nothing', () => {
    expect(new Jws([NEW], 'at+jwt').open(jws.sign('text'))).toBeUndefined()
  })

  it('with a header of a megabyte is refused without a look into it', () => {
    const long = jws.sign('text').replace('.', `${'A'.repeat(1_000_000)}.`)
    const parse = vi.spyOn(JSON, 'parse')
    const decode = vi.spyOn(Buffer, 'from')
    onTestFinished(() => void vi.restoreAllMocks())
    expect(jws.open(long)).toBeUndefined()
    expect([parse, decode].map(({ mock }) => mock.calls.length)).toEqual([0, 0])
  })
})
