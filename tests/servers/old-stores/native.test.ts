import expressSession from 'express-session'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import type { ExpressSessionStore } from '../../../src/index.js'
import { CookieClient } from '../../../src/testing/index.js'
import type { OldRecords } from '../../express-session/old-stores/old-store.js'
import { type AnyData, serveApp } from '../../support/serve.js'
import { hasServer } from '../../support/servers/server.js'
import { meeting } from '../../support/turns.js'
import { connectPgSimple } from './postgres-stores.js'
import { connectRedis } from './redis-store.js'

for (const kind of [connectRedis, connectPgSimple]) {
  describe.skipIf(!hasServer(kind.server!))(`session() on ${kind.name}`, () => {
    let records: OldRecords
    beforeAll(async () => {
      records = await kind.open()
    })
    afterAll(() => records?.close())

    const meet = meeting(4)
    /** An app whose sessions end by the time of the server. */
    const start = () => {
      const quiet = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
      onTestFinished(() => quiet.mockRestore())
      return serveApp(
        (app, sessions) => {
          app.get('/count', (req, res) => {
            const { session } = sessions.of(req)
            session.views = Number(session.views ?? 0) + 1
            res.end()
          })
          app.get('/login/:user', (req, res) => {
            sessions.of(req).session.userId = req.params.user
            res.end()
          })
          app.get('/logout', async (req, res) => {
            await sessions.of(req).session.destroy()
            res.end()
          })
          app.get('/set/:key', async (req, res) => {
            await meet()
            sessions.of(req).session[req.params.key] = true
            res.end()
          })
        },
        {
          store: records.store(expressSession) as ExpressSessionStore,
          clock: systemClock,
        },
      )
    }

    it('counts, renews the id at the sign-in and ends at the sign-out', async () => {
      const { origin } = await start()
      const ada = new CookieClient(origin)
      const cookie = () => ({ headers: { cookie: ada.jar.header(`${origin}/`)! } })
      await ada.get('/count')
      const anonymous = cookie()
      await ada.get('/count')
      await ada.get('/login/ada')
      const signedIn = cookie()
      expect(signedIn).not.toEqual(anonymous)
      expect((await ada.get('/')).json()).toEqual({ views: 2, userId: 'ada' })
      expect((await new CookieClient(origin).get('/', anonymous)).json()).toEqual({})
      await ada.get('/logout')
      expect((await new CookieClient(origin).get('/', signedIn)).json()).toEqual({})
    })

    it('keeps the keys of all parallel requests', async () => {
      const { origin } = await start()
      const ada = new CookieClient(origin)
      await ada.get('/login/ada')
      const keys = ['a', 'b', 'c', 'd']
      await Promise.all(keys.map((key) => ada.get(`/set/${key}`)))
      const data = (await ada.get('/')).json<AnyData>()
      expect(Object.keys(data).sort()).toEqual([...keys, 'userId'])
    })
  })
}
