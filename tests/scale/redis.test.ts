import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { session } from '../../src/index.js'
import { RedisStore } from '../../src/stores/redis.js'
import { faultProxy } from '../support/fault-proxy.js'
import { SECRET } from '../support/secret.js'
import { redis } from '../support/servers/redis.js'
import { cliOf } from '../support/servers/redis-cli.js'
import { hasServer, type RunningServer } from '../support/servers/server.js'

const MILLION = 1_000_000
const AT_ONCE = 20_000

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What lives, in bytes. */
function heap(): number {
  collect()
  return process.memoryUsage().heapUsed
}

/** As the store writes them, on the server itself. */
const FILL = `for i=ARGV[1],ARGV[2] do
  redis.call('SET','sess:visitor '..i,'{"cookie":{"path":"/"},"views":'..i..',"pad":"'..string.rep('x',200)..'"}','PX',86400000)
end`

describe.skipIf(!hasServer(redis))('a RedisStore with a million sessions', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await redis.start()
  })
  afterAll(() => server?.stop())

  const fill = async (from: number, to: number) => {
    for (let at = from; at < to; at += AT_ONCE) {
      const last = Math.min(at + AT_ONCE, to) - 1
      await cliOf(server)('EVAL', FILL, '0', String(at), String(last))
    }
  }

  it('sends what it sent with a thousand, and lists them in bounded memory', async () => {
    const proxy = await faultProxy(server, { protocol: 'resp' })
    const client = createClient({ url: `redis://127.0.0.1:${proxy.port}` })
    client.on('error', () => {})
    await client.connect()
    const store = new RedisStore({ client })
    const sessions = session<{ userId?: number; n?: number }>({ secret: SECRET, store })
    onTestFinished(async () => {
      await sessions.close()
      client.destroy()
      await proxy.stop()
    })
    let userId = 0
    const visit = async () => {
      userId++
      const token = await sessions.issue({ userId })
      const found = await sessions.read({ headers: { cookie: `sid=${token}` } })
      found!.n = 1
      await found!.save()
      await sessions.list(userId)
      await found!.destroy()
      await sessions.settled()
    }
    await fill(0, 1000)
    await visit()
    const few = await proxy.wire.during(visit)
    await fill(1000, MILLION)
    const many = await proxy.wire.during(visit)
    expect(many).toEqual(few)

    const direct = createClient({ url: server.url })
    await direct.connect()
    onTestFinished(() => direct.destroy())
    const before = heap()
    let count = 0
    let most = 0
    for await (const { key } of new RedisStore({ client: direct }).entries()) {
      if (key.startsWith('visitor ')) count++
      if (count % 100_000 === 0) most = Math.max(most, heap())
    }
    expect(count).toBe(MILLION)
    // A million keys alone, remembered, are more than 50 MB.
    expect(most - before).toBeLessThan(32 * 2 ** 20)
  })
})
