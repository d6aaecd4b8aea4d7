import { beforeEach, describe, expect, it, vi } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

// Every way to the CSPRNG, to SHA-256 and to HMAC goes through these.
const crypto = vi.hoisted(() => ({ calls: [] as string[] }))

vi.mock('../../src/crypto/session-id.js', async (original) => {
  const real = await original<typeof import('../../src/crypto/session-id.js')>()
  return {
    ...real,
    newId: () => {
      crypto.calls.push('newId')
      return real.newId()
    },
    keyOf: (id: string) => {
      crypto.calls.push('keyOf')
      return real.keyOf(id)
    },
  }
})

vi.mock('../../src/crypto/keyring.js', async (original) => {
  const real = await original<typeof import('../../src/crypto/keyring.js')>()
  class Keyring extends real.Keyring {
    override sign(text: string) {
      crypto.calls.push('sign')
      return super.sign(text)
    }
    override signedBy(text: string, signature: string) {
      crypto.calls.push('signedBy')
      return super.signedBy(text, signature)
    }
  }
  return { ...real, Keyring }
})

beforeEach(() => {
  crypto.calls.length = 0
})

describe('a request without a session cookie', () => {
  it.each(['/untouched', '/read', '/missing'])(
    'to %s costs no store call, no id, no hash and no signature',
    async (path) => {
      const store = new WatchedStore(new MemoryStore())
      const { browser, clock } = await serveApp(
        (app, sessions) => {
          app.get('/untouched', (_req, res) => void res.end())
          app.get('/read', (req, res) => void res.json(sessions.of(req).session))
        },
        { store },
      )
      await browser().get(path, { headers: { cookie: 'other=1; theme=dark' } })
      expect({ crypto: crypto.calls, store: store.calls }).toEqual({ crypto: [], store: [] })
      expect(clock.pending).toBeLessThanOrEqual(1)
    },
  )
})

describe('a visitor who comes back', () => {
  it('costs one signature and one hash, remembered for the requests after it', async () => {
    const { browser } = await serveApp((app, sessions) => {
      app.get('/set', (req, res) => {
        sessions.of(req).session.a = 1
        res.end()
      })
    })
    const visitor = browser()
    await visitor.get('/set')
    expect(crypto.calls).toEqual(['newId', 'keyOf', 'sign'])
    crypto.calls.length = 0
    for (let visit = 0; visit < 3; visit++) await visitor.get('/')
    expect(crypto.calls).toEqual(['signedBy', 'keyOf'])
  })
})
