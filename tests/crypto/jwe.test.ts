import { CompactEncrypt, compactDecrypt } from 'jose'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Jwe } from '../../src/crypto/jwe.js'
import { encryptionKey } from '../../src/crypto/token-keys.js'

const NEW = encryptionKey('the newest key of the tests of JWE, long')
const OLD = encryptionKey('an older key of the tests of JWE, long')
const TYP = 'a kind'
const jwe = new Jwe([NEW, OLD], TYP)

const TEXTS = ['{}', '', 'a', 'ä€😀\u0000\u2028', 'x'.repeat(100_000)]

describe('a JWE', () => {
  it.each(TEXTS)('opens to the text that was sealed: %j', (text) => {
    expect(jwe.open(jwe.seal(text))).toEqual({ text, by: 0 })
  })

  it('has the five parts of RFC 7516: header, no encrypted key, IV, text and tag', () => {
    const parts = jwe.seal('text').split('.')
    const [header, encryptedKey, iv, text, tag] = parts.map((part) =>
      Buffer.from(part, 'base64url'),
    )
    expect(parts).toHaveLength(5)
    expect(JSON.parse(String(header))).toEqual({
      alg: 'dir',
      enc: 'A256GCM',
      typ: TYP,
      kid: NEW.kid,
    })
    expect([encryptedKey, iv, text, tag].map((bytes) => bytes?.length)).toEqual([0, 12, 4, 16])
    expect(parts.join('')).toMatch(/^[A-Za-z0-9_-]+$/)
  })

  it('never uses an IV twice', () => {
    const ivs = Array.from({ length: 1000 }, () => jwe.seal('').split('.')[2])
    expect(new Set(ivs).size).toBe(1000)
  })

  it.each(TEXTS)('is read by jose: %j', async (text) => {
    const { plaintext, protectedHeader } = await compactDecrypt(jwe.seal(text), NEW.key)
    expect(Buffer.from(plaintext).toString()).toBe(text)
    expect(protectedHeader.kid).toBe(NEW.kid)
  })

  it.each([
    ['the newest key', NEW, 0],
    ['an older key', OLD, 1],
  ] as const)('of jose is read, under %s', async (_name, { key, kid }, by) => {
    const token = await new CompactEncrypt(Buffer.from('of jose'))
      .setProtectedHeader({ kid, typ: TYP, enc: 'A256GCM', alg: 'dir' })
      .encrypt(key)
    expect(jwe.open(token)).toEqual({ text: 'of jose', by })
  })

  it('says which key has opened it, and seals with the newest', () => {
    const before = new Jwe([OLD], TYP).seal('text')
    expect(jwe.open(before)).toEqual({ text: 'text', by: 1 })
    expect(new Jwe([OLD], TYP).open(jwe.seal('text'))).toBeUndefined()
  })

  it('opens by the key that its header names, and tries no other', () => {
    const [, ...rest] = new Jwe([OLD], TYP).seal('text').split('.')
    const [header] = jwe.seal('text').split('.')
    expect(jwe.open([header, ...rest].join('.'))).toBeUndefined()
  })

  it('of another kind opens nothing', () => {
    expect(new Jwe([NEW], 'another kind').open(jwe.seal('text'))).toBeUndefined()
  })

  it('with a header of a megabyte is refused without a look into it', () => {
    const long = jwe.seal('text').replace('.', `${'A'.repeat(1_000_000)}.`)
    const parse = vi.spyOn(JSON, 'parse')
    const decode = vi.spyOn(Buffer, 'from')
    onTestFinished(() => void vi.restoreAllMocks())
    expect(jwe.open(long)).toBeUndefined()
    expect([parse, decode].map(({ mock }) => mock.calls.length)).toEqual([0, 0])
  })
})
