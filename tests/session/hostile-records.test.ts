import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

describe('a record nested deeper than data may be', () => {
  it('fails neither a page that only reads nor a logout', async () => {
    const store = new MemoryStore()
    const { browser } = await serveApp(
      (app, sessions) => {
        app.get('/start', (req, res) => {
          sessions.of(req).session.a = 1
          res.end()
        })
        app.get('/read', (req, res) => void res.json(sessions.of(req).session.a ?? null))
        app.get('/logout', async (req, res) => {
          await sessions.of(req).session.destroy()
          res.end()
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/start')
    for await (const { key, ...seen } of store.entries()) {
      const deep = `${'['.repeat(1500)}${']'.repeat(1500)}`
      const text = seen.text.replace('"data":{', `"data":{"deep":${deep},`)
      expect(await store.replace(key, { ...seen, text }, seen)).toBe('replaced')
    }
    expect((await visitor.get('/read')).status).toBe(200)
    expect((await visitor.get('/logout')).status).toBe(200)
  })
})

describe('one request handed to a manager twice', () => {
  it('goes on twice, also if its session cannot be loaded', async () => {
    const store = new WatchedStore(new MemoryStore())
    const { browser, sessions, origin } = await serveApp(
      (app, manager) => {
        app.get('/start', (req, res) => {
          manager.of(req).session.a = 1
          res.end()
        })
      },
      { store },
    )
    const visitor = browser()
    await visitor.get('/start')
    store.fail('load')
    const req = { headers: { cookie: visitor.jar.header(`${origin}/`) } }
    const entered: string[] = []
    sessions(req, { headersSent: false } as never, () => entered.push('first'))
    sessions(req, { headersSent: false } as never, () => entered.push('second'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(entered).toEqual(['first', 'second'])
  })
})

describe('what stands in for a renewed session', () => {
  it('lives no longer because a touch of the time before arrives after it', async () => {
    const clock = new FakeClock()
    const inner = new MemoryStore({ clock })
    const store = new WatchedStore(inner)
    const { browser, sessions } = await serveApp(
      (app, manager) => {
        app.get('/start', (req, res) => {
          manager.of(req).session.a = 1
          res.end()
        })
        app.get('/login', (req, res) => {
          manager.of(req).session.userId = 1
          res.end()
        })
      },
      { store, clock },
    )
    const visitor = browser()
    await visitor.get('/start')
    await clock.advance(120_000)
    const touch = store.pause('touch')
    await visitor.get('/login')
    touch.resume()
    await sessions.settled()
    await clock.advance(60_000)
    const left: string[] = []
    for await (const { text } of inner.entries()) left.push(text)
    expect(left).toEqual([expect.stringContaining('"userId":1')])
  })
})
