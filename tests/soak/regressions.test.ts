import { expect, it } from 'vitest'
import { MemoryStore } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { serveApp } from '../support/serve.js'
import { WatchedStore } from '../support/watched-store.js'

it('a response whose error page has been sent leaves no timer behind', async () => {
  const clock = new FakeClock()
  const store = new WatchedStore(new MemoryStore({ clock }))
  const { browser } = await serveApp(
    (app) =>
      app.get('/write', (req, res) => {
        Reflect.set(req.session, 'n', 1)
        res.send('never seen')
      }),
    { clock, store },
  )
  await browser().get('/')
  const before = clock.pending
  store.fail('create')
  const { status } = await browser().get('/write')
  expect({ status, timers: clock.pending }).toEqual({ status: 500, timers: before })
})
