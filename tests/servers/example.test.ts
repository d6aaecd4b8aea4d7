import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runToEnd, SERVER, startApp, temporaryFolder } from '../example/app-process.js'
import { Visitor } from '../example/visitor.js'
import { faultProxy } from '../support/fault-proxy.js'
import { mariadb } from '../support/servers/mariadb.js'
import { memcached } from '../support/servers/memcached.js'
import { mongo } from '../support/servers/mongo.js'
import { postgres } from '../support/servers/postgres.js'
import { redis } from '../support/servers/redis.js'
import { hasServer, type RunningServer } from '../support/servers/server.js'

const kinds = [
  { scheme: 'redis', kind: redis },
  { scheme: 'memcached', kind: memcached },
  { scheme: 'postgres', kind: postgres },
  { scheme: 'mysql', kind: mariadb },
  { scheme: 'mongodb', kind: mongo },
]

/** What STORE is for a server: clients of Memcached know no URLs. */
const storeOf = ({ url }: RunningServer) => (url.includes('://') ? url : `memcached://${url}`)

describe.each(kinds)('STORE=$scheme://… npm start', ({ scheme, kind }) => {
  const isHere = hasServer(kind)

  it.skipIf(!isHere)('signs in and out, lists devices, and survives a restart', async () => {
    const server = await kind.start()
    onTestFinished(() => server.stop())
    const data = temporaryFolder()
    const first = await startApp({ data, store: storeOf(server) })
    const visitor = new Visitor(first.url)
    expect(await visitor.views()).toBe(1)
    expect((await visitor.signIn()).headers.location).toBe('/users')
    expect(await visitor.page('/devices')).toContain('data-testid="device"')
    expect(await visitor.views()).toBe(2)
    expect(await first.stop()).toBe(0)

    const second = await startApp({ data, port: first.port, store: storeOf(server) })
    expect(await visitor.status('/users')).toBe(200)
    expect(await visitor.views()).toBe(3)
    await visitor.signOut()
    expect(await visitor.status('/users')).toBe(302)
    expect(await second.stop()).toBe(0)
    const files = join(data, 'sessions')
    expect(existsSync(files) ? readdirSync(files) : []).toEqual([])
  })

  it.skipIf(!isHere)('goes on when the server was away', async (context) => {
    const server = await kind.start()
    onTestFinished(() => server.stop())
    if (!server.isOurs) return context.skip('the server is not ours to end')
    const app = await startApp({ data: temporaryFolder(), store: storeOf(server), quiet: true })
    const visitor = new Visitor(app.url)
    await visitor.views()
    await server.kill()
    expect(await visitor.status('/')).toBeGreaterThanOrEqual(500)
    await server.start()
    await expect.poll(() => visitor.status('/'), { timeout: 20_000 }).toBe(200)
    expect(await app.stop()).toBe(0)
  })

  it.skipIf(!isHere)('ends when it is told to, though the server hangs', async () => {
    const server = await kind.start()
    onTestFinished(() => server.stop())
    const proxy = await faultProxy(server)
    onTestFinished(() => proxy.stop())
    const store = storeOf(server).replace(`:${server.port}`, `:${proxy.port}`)
    const app = await startApp({ data: temporaryFolder(), store, quiet: true })
    const visitor = new Visitor(app.url)
    expect(await visitor.views()).toBe(1)
    proxy.blackHole()
    expect(await visitor.status('/')).toBe(503)
    expect(await app.stop()).toBe(0)
  })

  it('says in one line what is wrong with a server that is not there', async () => {
    const url = `${scheme}://ada:hunter2@127.0.0.1:1/${scheme === 'redis' ? 0 : 'none'}`
    const STORE = scheme === 'memcached' ? 'memcached://127.0.0.1:1' : url
    const env = { PORT: '0', COATCHECK_DATA: temporaryFolder(), STORE }
    const { code, stdout, stderr } = await runToEnd([SERVER], env)
    expect(stderr).toMatch(
      /^Cannot use STORE=[a-z]+:… \(.*\)\. Is it running\? .*there are files\.$/m,
    )
    expect(stderr).toMatch(/ECONNREFUSED|MongoServerSelectionError/)
    expect(stderr).not.toContain('hunter2')
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stdout).toBe('')
    expect(code).toBe(1)
  })
})

it.each(['redis://', 'http://ada:hunter2@host', 'redis'])('STORE=%s is refused', async (STORE) => {
  const env = { PORT: '0', COATCHECK_DATA: temporaryFolder(), STORE }
  const { code, stderr } = await runToEnd([SERVER], env)
  expect(stderr).toMatch(/^STORE must be file, /)
  expect(stderr).not.toContain('hunter2')
  expect(code).toBe(1)
})

it('a URL that its store cannot use is refused in the words of the store', async () => {
  const STORE = 'memcached://ada:hunter2@127.0.0.1/none'
  const env = { PORT: '0', COATCHECK_DATA: temporaryFolder(), STORE }
  const { code, stderr } = await runToEnd([SERVER], env)
  expect(stderr).toMatch(/^Cannot use STORE=memcached:…: MemcachedStore: option 'servers' must be/)
  expect(stderr).not.toContain('hunter2')
  expect(code).toBe(1)
})
