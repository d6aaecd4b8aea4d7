import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { RedisStore } from '../../../src/stores/redis.js'
import { redis } from '../../support/servers/redis.js'
import { cliOf } from '../../support/servers/redis-cli.js'
import { type RunningCluster, redisCluster } from '../../support/servers/redis-cluster.js'
import { type RunningSentinels, redisSentinel } from '../../support/servers/redis-sentinel.js'
import { hasServer, type RunningServer } from '../../support/servers/server.js'
import { clients, clusterClients, sentinelClients } from './redis-clients.js'
import { program } from './redis-program.js'

describe.skipIf(!hasServer(redis))('RedisStore on one server', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await redis.start()
  })
  afterAll(() => server?.stop())

  it.each(Object.keys(clients) as (keyof typeof clients)[])('works by %s', async (driver) => {
    const flush = () => cliOf(server)('SCRIPT', 'FLUSH')
    await program(await clients[driver](server.url), flush)
  })

  it.each([
    ['is full', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0'], /OOM/],
    [
      'lacks replicas',
      ['CONFIG', 'SET', 'min-replicas-to-write', '1'],
      ['CONFIG', 'SET', 'min-replicas-to-write', '0'],
      /NOREPLICAS/,
    ],
    ['is a replica', ['REPLICAOF', '127.0.0.1', '1'], ['REPLICAOF', 'NO', 'ONE'], /READONLY/],
  ])('is read while it %s', async (_, begin, end, word) => {
    const { client, close } = await clients.redis6(server.url)
    onTestFinished(() => void close())
    const store = new RedisStore({ client })
    const entry = { text: '{"n":1}', expiresAt: Date.now() + 60_000 }
    await store.create('k', entry)
    const seen = await store.load('k')
    await cliOf(server)(...begin)
    try {
      expect(await store.load('k')).toMatchObject({ text: '{"n":1}' })
      await expect(store.create('new', entry)).rejects.toThrow(word)
      await expect(store.replace('k', { ...entry, text: '{}' }, seen!)).rejects.toThrow(word)
    } finally {
      await cliOf(server)(...end)
    }
    expect(await store.load('k')).toMatchObject({ text: '{"n":1}' })
    await store.destroy('k')
  })
})

describe.skipIf(!hasServer(redisCluster))('RedisStore on a cluster', () => {
  let cluster: RunningCluster
  beforeAll(async () => {
    cluster = await redisCluster.start()
  })
  afterAll(() => cluster?.stop())

  it.each(Object.keys(clusterClients) as (keyof typeof clusterClients)[])(
    'works by %s',
    async (driver) => {
      const flush = () => Promise.all(cluster.nodes.map((node) => cliOf(node)('SCRIPT', 'FLUSH')))
      await program(await clusterClients[driver](cluster.nodes), flush)
    },
  )
})

describe.skipIf(!hasServer(redisSentinel))('RedisStore behind sentinels', () => {
  let trio: RunningSentinels
  beforeAll(async () => {
    trio = await redisSentinel.start()
  })
  afterAll(() => trio?.stop())

  it.each(Object.keys(sentinelClients) as (keyof typeof sentinelClients)[])(
    'works by %s',
    async (driver) => {
      const flush = async () => cliOf(await trio.current())('SCRIPT', 'FLUSH')
      await program(await sentinelClients[driver](trio.master, trio.sentinels), flush)
    },
  )
})
