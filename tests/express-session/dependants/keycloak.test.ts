import { describe, expect, it } from 'vitest'
import { LegacyStore } from '../../../src/express-session/legacy-store.js'
import { MemoryStore } from '../../../src/index.js'
import { fatal } from '../../support/process-events.js'
import { implementations } from '../implementations.js'
import { middlewareOf, serveFace, sessionOf } from './faces.js'

interface Held {
  [key: string]: unknown
}
interface Store {
  get(id: string, done: (error: unknown, found?: Held) => void): void
  set(id: string, session: Held): unknown
}

// Where keycloak-connect keeps what it has of a user.
const TOKEN = 'keycloak-token'

/**
 * What keycloak-connect does when the server tells it of a logout: the token is taken out of the
 * stored session, by a `set` that has no callback and whose result nobody looks at.
 */
function logoutFromElsewhere(store: Store, id: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    store.get(id, (error, found) => {
      if (error || !found) return reject(error ?? new Error('no session'))
      delete found[TOKEN]
      resolve({ returned: store.set(id, found) })
    })
  })
}

const combinations = implementations.flatMap((implementation) => [
  {
    name: `the MemoryStore of ${implementation.name}`,
    implementation,
    make: () => new implementation.session.MemoryStore() as Store,
  },
  {
    name: `a LegacyStore under ${implementation.name}`,
    implementation,
    make: () => new LegacyStore(new MemoryStore()) as unknown as Store,
  },
])

describe.each(combinations)("keycloak-connect's way with $name", ({ implementation, make }) => {
  it('signs somebody out in the store, and leaves the rest of the session', async () => {
    const store = make()
    const face = { name: implementation.name, make: () => middlewareOf(implementation, { store }) }
    const app = await serveFace(face, (app) => {
      app.get('/login', (req, res) => {
        Object.assign(sessionOf(req), { [TOKEN]: '{"access_token":"a"}', cart: ['coat'] })
        res.json(sessionOf(req).id)
      })
      app.get('/', (req, res) => {
        res.json({ token: sessionOf(req)[TOKEN], cart: sessionOf(req).cart })
      })
    })
    const browser = app.browser()
    const id = (await browser.get('/login')).json<string>()
    expect((await browser.get('/')).json()).toEqual({
      token: '{"access_token":"a"}',
      cart: ['coat'],
    })
    await logoutFromElsewhere(store, id)
    expect((await browser.get('/')).json()).toEqual({ cart: ['coat'] })
  })
})

describe('a set without a callback that fails', () => {
  it('is no unhandled rejection, and rejects for whoever waits for it', async () => {
    const rejections = fatal('unhandledRejection')
    const memory = new MemoryStore()
    const store = new LegacyStore(memory) as unknown as Store
    await store.set('an-id', { cookie: {}, [TOKEN]: 'a' })
    memory.replace = () => {
      throw new Error('down')
    }
    const { returned } = (await logoutFromElsewhere(store, 'an-id')) as { returned: Promise<void> }
    await new Promise(setImmediate)
    expect(rejections).toEqual([])
    await expect(returned).rejects.toThrow('down')
  })
})
