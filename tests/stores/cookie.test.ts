import { CompactEncrypt, compactDecrypt } from 'jose'
import { describe, expect, it } from 'vitest'
import { encryptionKey } from '../../src/crypto/token-keys.js'
import { type Sealed, session, type TokenStore } from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { FakeClock } from '../../src/testing/index.js'
import type { AnyData } from '../support/serve.js'
import { wrongKeys } from './token-keys.js'

const KEY = 'a key of the cookies in these tests, long'
const OLD_KEY = 'an older key of the cookies in these tests'
const NOW = Date.UTC(2030, 0, 1)
const HOUR = 3_600_000
const AT = { now: NOW, audience: 'sid' }
const TEXT = `{"v":1,"facts":{"created":${NOW},"started":${NOW},"idle":${HOUR}},"data":{"a":1}}`
const SEALED: Sealed = { handle: 'handle', text: TEXT, expiresAt: NOW + HOUR }

const store: TokenStore = new CookieStore({ keys: [KEY, OLD_KEY] })

describe('CookieStore', () => {
  it('opens what it has sealed', () => {
    expect(store.open(store.seal(SEALED, AT), AT)).toEqual({ sealed: SEALED, reissue: false })
  })

  it('shows nothing of a session: the same one makes another token each time', () => {
    const [one, two] = [store.seal(SEALED, AT), store.seal(SEALED, AT)]
    expect(one).not.toBe(two)
    expect(Buffer.from(one, 'base64url').toString('latin1')).not.toContain('handle')
  })

  it('is read by jose with the derived key, as its page says', async () => {
    const { kid, key } = encryptionKey(KEY)
    const { plaintext, protectedHeader } = await compactDecrypt(store.seal(SEALED, AT), key)
    expect(protectedHeader).toEqual({ alg: 'dir', enc: 'A256GCM', typ: 'coatcheck+jwe', kid })
    expect(Buffer.from(plaintext).toString()).toBe(
      `{"aud":"sid","iat":${NOW},"exp":${NOW + HOUR},"jti":"handle","record":${TEXT}}`,
    )
  })

  it.each([
    [KEY, false],
    [OLD_KEY, true],
  ])(
    'opens what jose has encrypted, and says whether the key is an older one',
    async (secret, reissue) => {
      const { kid, key } = encryptionKey(secret)
      const claims = {
        aud: 'sid',
        iat: NOW,
        exp: NOW + HOUR,
        jti: 'handle',
        record: JSON.parse(TEXT),
      }
      const token = await new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: 'coatcheck+jwe', kid })
        .encrypt(key)
      expect(store.open(token, AT)).toEqual({ sealed: SEALED, reissue })
    },
  )

  it.each(['sid', 'a "name"', 'ключ,"record":{}', ',"record":'])(
    'keeps to its audience, whatever it is called: %j',
    (audience) => {
      const token = store.seal(SEALED, { now: NOW, audience })
      expect(store.open(token, { now: NOW, audience })).toEqual({ sealed: SEALED, reissue: false })
      expect(store.open(token, { now: NOW, audience: `${audience}.` })).toEqual({
        rejected: 'format',
      })
    },
  )

  it.each([undefined, null, 'a key', []])('refuses %j for its options', (options) => {
    expect(() => new CookieStore(options as never)).toThrow(
      expect.objectContaining({
        code: 'ERR_OPTION',
        message: expect.stringContaining('CookieStore'),
      }),
    )
  })

  it.each(wrongKeys)('refuses keys at once: %s', (_name, keys, message) => {
    expect(() => new CookieStore({ keys: keys as string })).toThrow(message)
    expect(() => new CookieStore({ keys: keys as string })).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION' }),
    )
  })

  it('gives sessions that issue() makes and read() opens', async () => {
    const clock = new FakeClock(NOW)
    const sessions = session<AnyData>({ store, clock })
    const token = await sessions.issue({ userId: 'ada' })
    expect(await sessions.read({ headers: { cookie: `sid=${token}` } })).toEqual({ userId: 'ada' })
  })
})
