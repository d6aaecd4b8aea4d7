import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { dropIn, implementations } from '../../express-session/implementations.js'
import { oldApp } from '../../express-session/old-stores/app.js'
import type { OldRecords } from '../../express-session/old-stores/old-store.js'
import { hasServer } from '../../support/servers/server.js'
import { expressMysqlSession } from './mysql-store.js'
import { connectPgSimple, knexOnPostgres } from './postgres-stores.js'
import { connectRedis } from './redis-store.js'

const KINDS = [
  // The one of the tests forgets everything when it ends.
  { kind: connectRedis, keeps: false, under: implementations },
  { kind: connectPgSimple, keeps: true, under: implementations },
  { kind: expressMysqlSession, keeps: true, under: implementations },
  // It rejects too after it has called back, which under express-session ends the process.
  { kind: knexOnPostgres, keeps: true, under: [dropIn] },
]

for (const { kind, keeps, under } of KINDS) {
  describe.skipIf(!hasServer(kind.server!))(`the server of ${kind.name} crashes`, () => {
    let records: OldRecords
    beforeAll(async () => {
      records = await kind.open()
    })
    afterAll(() => records?.close())

    const isUp = () =>
      records.textOf('nobody').then(
        () => true,
        () => false,
      )

    for (const implementation of under) {
      it(`${implementation.name} shows the error page until it is there again`, async () => {
        const app = await oldApp(implementation, records.store(implementation.session))
        const ada = app.browser()
        await ada.get('/login/ada')
        await ada.get('/count')
        const server = records.server!
        await server.kill()
        await vi.waitUntil(async () => !(await isUp()))
        // What has no session yet reads none: it fails to store one.
        expect(await app.browser().get('/count')).toMatchObject({ status: 200 })
        expect(app.errors).toHaveLength(1)
        for (let times = 2; times <= 3; times++) {
          const page = await ada.get('/count')
          expect(page.status).toBeGreaterThanOrEqual(500)
          expect(page.setCookies).toEqual([])
          expect(app.errors).toHaveLength(times)
        }
        await server.start()
        await vi.waitUntil(isUp, { timeout: 10_000 })
        if (keeps) {
          expect((await ada.get('/')).json()).toMatchObject({ user: { name: 'ada' }, views: 1 })
        }
        expect(await ada.get('/login/bob')).toMatchObject({ status: 200 })
        expect((await ada.get('/count')).json()).toEqual({ views: 1 })
        expect((await ada.get('/')).json()).toMatchObject({ user: { name: 'bob' }, views: 1 })
        expect(app.errors).toHaveLength(3)
      })
    }
  })
}
