import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { runToEnd, SERVER, startApp, temporaryFolder } from '../example/app-process.js'
import { Visitor } from '../example/visitor.js'
import { postgres } from '../support/servers/postgres.js'
import { hasServer } from '../support/servers/server.js'

it.skipIf(!hasServer(postgres))(
  'STORE=postgres://… npm start signs in and out, lists devices, and survives a restart',
  async () => {
    const server = await postgres.start()
    onTestFinished(() => server.stop())
    const data = temporaryFolder()
    const first = await startApp({ data, store: server.url })
    const visitor = new Visitor(first.url)
    expect(await visitor.views()).toBe(1)
    expect((await visitor.signIn()).headers.location).toBe('/users')
    expect(await visitor.page('/devices')).toContain('data-testid="device"')
    expect(await first.stop()).toBe(0)

    const second = await startApp({ data, port: first.port, store: server.url })
    expect(await visitor.status('/users')).toBe(200)
    await visitor.signOut()
    expect(await visitor.status('/users')).toBe(302)
    expect(await second.stop()).toBe(0)
    const files = join(data, 'sessions')
    expect(existsSync(files) ? readdirSync(files) : []).toEqual([])
  },
)

it('STORE=postgres://… npm start says what is wrong with a database that is not there', async () => {
  const env = {
    ...process.env,
    COATCHECK_DATA: temporaryFolder(),
    PORT: '0',
    STORE: 'postgres://ada:hunter2@127.0.0.1:1/none',
  }
  const { code, stderr } = await runToEnd([SERVER], env)
  expect(code).toBe(1)
  expect(stderr).toContain('Cannot use the store of STORE.')
  expect(stderr).not.toContain('hunter2')
})
