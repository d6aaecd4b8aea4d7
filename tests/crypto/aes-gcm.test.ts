import { createSecretKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { decrypt, encrypt } from '../../src/crypto/aes-gcm.js'

interface Vector {
  readonly key: string
  readonly iv: string
  readonly text: string
  readonly beside: string
  readonly bytes: string
  readonly tag: string
}

const KEY = 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'
const TEXT =
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
  '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255'
const BYTES =
  '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
  '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad'

/** The cases of AES-256 with 96 bits of IV of the specification that NIST made its standard of. */
const NIST: Readonly<Record<string, Vector>> = {
  'case 13': {
    key: '00'.repeat(32),
    iv: '00'.repeat(12),
    text: '',
    beside: '',
    bytes: '',
    tag: '530f8afbc74536b9a963b4f1c4cb738b',
  },
  'case 14': {
    key: '00'.repeat(32),
    iv: '00'.repeat(12),
    text: '00'.repeat(16),
    beside: '',
    bytes: 'cea7403d4d606b6e074ec5d3baf39d18',
    tag: 'd0d1c8a799996bf0265b98b5d48ab919',
  },
  'case 15': {
    key: KEY,
    iv: 'cafebabefacedbaddecaf888',
    text: TEXT,
    beside: '',
    bytes: BYTES,
    tag: 'b094dac5d93471bdec1a502270e3cc6c',
  },
  'case 16': {
    key: KEY,
    iv: 'cafebabefacedbaddecaf888',
    text: TEXT.slice(0, 120),
    beside: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    bytes: BYTES.slice(0, 120),
    tag: '76fc6ece0f4e1768cddf8853bb2d551b',
  },
}

const hex = (text: string) => Buffer.from(text, 'hex')

describe('AES-256-GCM', () => {
  it.each(Object.entries(NIST))('is that of NIST: %s', (_name, given) => {
    const key = createSecretKey(hex(given.key))
    const beside = hex(given.beside).toString('latin1')
    const sealed = encrypt(key, hex(given.iv), hex(given.text), beside)
    expect(sealed).toEqual({ bytes: hex(given.bytes), tag: hex(given.tag) })
    expect(decrypt(key, hex(given.iv), sealed, beside)).toEqual(hex(given.text))
  })

  it('is the A256GCM of RFC 7516, appendix A.1', () => {
    const key = createSecretKey(
      Buffer.from([
        ...[177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246],
        ...[138, 7, 110, 91, 112, 46, 34, 105, 47, 130, 203, 46, 122, 234, 64, 252],
      ]),
    )
    const iv = Buffer.from('48V1_ALb6US04U3b', 'base64url')
    const header = 'eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ'
    const text = 'The true sign of intelligence is not knowledge but imagination.'
    const sealed = encrypt(key, iv, text, header)
    expect([sealed.bytes, sealed.tag].map((part) => part.toString('base64url'))).toEqual([
      '5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A',
      'XFBoMYUZodetZdvTiFvSkQ',
    ])
    expect(decrypt(key, iv, sealed, header)?.toString()).toBe(text)
  })

  it.each([
    ['a tag of 4 bytes', (tag: Buffer) => ({ tag: tag.subarray(0, 4) })],
    ['a tag of 12 bytes', (tag: Buffer) => ({ tag: tag.subarray(0, 12) })],
    ['a tag of 17 bytes', (tag: Buffer) => ({ tag: Buffer.concat([tag, Buffer.of(0)]) })],
    ['no tag', () => ({ tag: Buffer.alloc(0) })],
    ['an IV of 16 bytes', () => ({ iv: Buffer.alloc(16) })],
    ['no IV', () => ({ iv: Buffer.alloc(0) })],
  ])('opens nothing with %s, and does not throw', (_name, odd) => {
    const key = createSecretKey(hex(KEY))
    const iv = Buffer.alloc(12)
    const { bytes, tag } = encrypt(key, iv, 'text', '')
    const given: { iv?: Buffer; tag?: Buffer } = odd(tag)
    const sealed = { bytes, tag: given.tag ?? tag }
    expect(decrypt(key, given.iv ?? iv, sealed, '')).toBeUndefined()
    expect(decrypt(key, iv, { bytes, tag }, '')?.toString()).toBe('text')
  })
})
