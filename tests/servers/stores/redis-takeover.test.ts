import { RedisStore as ConnectRedis } from 'connect-redis'
import express from 'express'
import expressSession from 'express-session'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import { RedisStore } from '../../../src/stores/redis.js'
import { CookieClient, CookieJar } from '../../../src/testing/index.js'
import { serve, serveApp } from '../../support/serve.js'
import { redis } from '../../support/servers/redis.js'
import { hasServer, type RunningServer } from '../../support/servers/server.js'

const OLD_SECRET = 'keyboard cat'

describe.skipIf(!hasServer(redis))('session() on RedisStore, after connect-redis', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await redis.start()
  })
  afterAll(() => server?.stop())

  it('takes the sessions over, each once, beside its own under the same prefix', async () => {
    const client = await createClient({ url: server.url }).connect()
    onTestFinished(() => client.destroy())
    const before = express()
    const store = new ConnectRedis({ client })
    const cookie = { maxAge: 3_600_000 }
    const options = { secret: OLD_SECRET, store, resave: false, saveUninitialized: false, cookie }
    before.use(expressSession(options))
    before.get('/login', (req, res) => {
      Object.assign(req.session, { userId: 'ada' })
      res.end()
    })
    const jar = new CookieJar()
    const old = await serve(before)
    await new CookieClient(old.origin, { jar }).get('/login')
    const stolen = { headers: { cookie: jar.header(`${old.origin}/`)! } }

    const { origin, sessions } = await serveApp(
      (app, sessions) => {
        app.get('/logout', async (req, res) => {
          await sessions.of(req).session.destroy()
          res.end()
        })
      },
      {
        store: new RedisStore({ client }),
        clock: systemClock,
        from: { expressSession: { secret: OLD_SECRET } },
      },
    )
    const ada = new CookieClient(origin, { jar })
    expect((await ada.get('/')).json()).toEqual({ userId: 'ada' })
    expect(await sessions.list('ada')).toHaveLength(1)
    expect((await ada.get('/')).json()).toEqual({ userId: 'ada' })
    await ada.get('/logout')
    expect((await new CookieClient(origin).get('/', stolen)).json()).toEqual({})
    expect(await sessions.list('ada')).toEqual([])
  })
})
