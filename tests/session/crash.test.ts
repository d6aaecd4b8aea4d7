import { describe, expect, it } from 'vitest'
import { MemoryStore, type Store } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { type AnyData, serveApp } from '../support/serve.js'
import { gate } from '../support/turns.js'

/** A store whose process dies: after `left` operations nothing is done and nothing answered. */
function dying(inner: Store, left: { count: number }, dead: () => void): Store {
  const alive = <T>(work: () => T): T | Promise<never> => {
    if (left.count-- > 0) return work()
    dead()
    return new Promise<never>(() => {})
  }
  return {
    load: (key) => inner.load(key),
    create: (key, entry) => alive(() => inner.create(key, entry)),
    replace: (key, entry, seen) => alive(() => inner.replace(key, entry, seen)),
    touch: (key, expiresAt) => alive(() => inner.touch(key, expiresAt)),
    destroy: (key) => alive(() => inner.destroy(key)),
  }
}

const routes: NonNullable<Parameters<typeof serveApp>[0]> = (app, sessions) => {
  app.get('/cart', (req, res) => {
    sessions.of(req).session.cart = 1
    res.end()
  })
  app.get('/login', (req, res) => {
    sessions.of(req).session.userId = 'ada'
    res.end()
  })
  app.get('/regenerate', async (req, res) => {
    await sessions.of(req).session.regenerate({ keep: true })
    res.end()
  })
}

describe('a process that dies in the middle of a renewal', () => {
  it.each(['/login', '/regenerate'].flatMap((path) => [0, 1].map((step) => [path, step] as const)))(
    'leaves the visitor the one session there was: %s, before write %i',
    async (path, step) => {
      const clock = new FakeClock()
      const inner = new MemoryStore({ clock })
      const left = { count: Number.POSITIVE_INFINITY }
      const { opened, open } = gate()
      const mortal = await serveApp(routes, { store: dying(inner, left, open), clock })
      const other = await serveApp(routes, { store: inner, clock })
      const visitor = mortal.browser()
      await visitor.get('/cart')
      const cookie = { headers: { cookie: visitor.jar.header(`${mortal.origin}/`)! } }
      left.count = step
      const dies = visitor.get(path).catch(() => undefined)
      await opened
      const again = other.browser()
      expect((await again.get('/', cookie)).json<AnyData>()).toEqual({ cart: 1 })
      // And it goes on from there.
      expect((await again.get(path, cookie)).setCookies).toHaveLength(1)
      expect((await again.get('/')).json()).toMatchObject({ cart: 1 })
      expect((await other.browser().get('/', cookie)).json()).toEqual({})
      await clock.advance(2000)
      await dies
    },
  )
})
