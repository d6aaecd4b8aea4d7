import express from 'express'
import { expect, it } from 'vitest'
import { CookieClient } from '../../src/testing/index.js'
import { serve } from '../support/serve.js'
import { implementations } from './implementations.js'

it.each(implementations)(
  '$name: what a handler does after its client has left a response that had begun is stored',
  async ({ session }) => {
    const store = new session.MemoryStore()
    const app = express()
    app.use(session({ secret: 'keyboard cat', resave: false, saveUninitialized: false, store }))
    const left = signal()
    const done = signal()
    // biome-ignore lint/suspicious/noExplicitAny: data as a test wants it
    app.get('/set', (req: any, res) => {
      req.session.a = 1
      res.end()
    })
    // biome-ignore lint/suspicious/noExplicitAny: as above
    app.get('/export', (req: any, res) => {
      res.flushHeaders()
      left.resolve()
      res.on('close', () => {
        setImmediate(() => {
          req.session.exported = true
          res.end()
          done.resolve()
        })
      })
    })
    const { origin } = await serve(app)
    const browser = new CookieClient(origin)
    await browser.get('/set')
    const away = new AbortController()
    const request = browser.get('/export', { signal: away.signal })
    await left.promise
    away.abort()
    await expect(request).rejects.toThrow()
    await done.promise
    const stored = () => JSON.parse(Object.values(store.sessions as Record<string, string>)[0]!)
    await expect.poll(stored).toMatchObject({ a: 1, exported: true })
  },
)

function signal(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
}
