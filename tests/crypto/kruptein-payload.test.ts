import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { KrupteinCipher, type KrupteinOptions } from '../../src/crypto/kruptein-payload.js'

const require = createRequire(import.meta.url)

/** Strong enough for kruptein's own rule. */
const SECRET = 'CoatCheck-27-at-rest!!'
const TEXT = '{"cookie":{"path":"/"},"name":"Zoë 🧥"}'

/** Version 3.0, of connect-mongo 6, and 3.1, as connect-mongo 4 and 5 came to have it. */
const versions = ['connect-mongo', 'connect-memcached'].map((owner) => {
  const path = createRequire(require.resolve(owner)).resolve('kruptein')
  return { path, version: versionOf(path) }
})

function versionOf(path: string): string {
  const { version } = require(
    path.replace(/kruptein[/\\](?!.*kruptein[/\\]).*$/, 'kruptein/package.json'),
  )
  return version.replace(/\.\d+$/, '')
}

/** Of connect-mongo. */
const DEFAULTS = { algorithm: 'aes-256-gcm', hashing: 'sha512', encodeas: 'base64' }

/** The package itself. */
function kruptein(path: string, options: KrupteinOptions = {}) {
  const instance = require(path)({ secret: SECRET, ...DEFAULTS, ...options })
  const call = (method: 'set' | 'get', value: string) =>
    new Promise<string>((resolve, reject) => {
      instance[method](SECRET, value, (error: unknown, answer: string) => {
        if (error) reject(new Error(String(error)))
        else resolve(answer)
      })
    })
  return {
    encrypt: (text: string) => call('set', text),
    decrypt: (payload: string) => call('get', payload),
  }
}

const OPTIONS: readonly KrupteinOptions[] = [
  {},
  { algorithm: 'aes-128-gcm', hashing: 'sha256' },
  { encodeas: 'hex' },
  { algorithm: 'aes-256-cbc' },
  { algorithm: 'aes-192-cbc', hashing: 'sha384', encodeas: 'hex' },
]

describe.each(versions)('payloads of kruptein $version', ({ path }) => {
  it.each(OPTIONS)('are read: %o', async (options) => {
    const payload = await kruptein(path, options).encrypt(TEXT)
    expect(await new KrupteinCipher(SECRET, options).decrypt(payload)).toBe(TEXT)
  })
})

it.each(OPTIONS)('kruptein 3.0 reads what we write: %o', async (options) => {
  const payload = await new KrupteinCipher(SECRET, options).encrypt(TEXT)
  expect(await kruptein(versions[0]!.path, options).decrypt(payload)).toBe(JSON.stringify(TEXT))
})

describe('what is not whole, or of another secret, is no text', () => {
  it.each(OPTIONS)('%o', async (options) => {
    const cipher = new KrupteinCipher(SECRET, options)
    const payload = await cipher.encrypt(TEXT)
    const encoding = options.encodeas ?? 'base64'
    const bytes = Buffer.from(payload, encoding)
    expect(await new KrupteinCipher(`${SECRET}!`, options).decrypt(payload)).toBeUndefined()
    // The HMAC itself stands for nothing where there is a tag.
    for (const at of [0, 1, 8, bytes.length - 40]) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1
      expect(await cipher.decrypt(changed.toString(encoding)), `byte ${at}`).toBeUndefined()
    }
    for (const length of [0, 1, 2, 3, 200, bytes.length - 1]) {
      const cut = bytes.subarray(0, length).toString(encoding)
      expect(await cipher.decrypt(cut), `${length} bytes`).toBeUndefined()
    }
    for (const other of ['', '{"cookie":{}}', '\0', 'é'.repeat(300)]) {
      expect(await cipher.decrypt(other)).toBeUndefined()
    }
  })
})

it('an unknown cipher is an error at once', () => {
  expect(() => new KrupteinCipher(SECRET, { algorithm: 'aes-256-none' })).toThrow()
})
