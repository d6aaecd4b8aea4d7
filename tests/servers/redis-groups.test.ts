import { createClient, createCluster, createSentinel } from 'redis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { redisCluster } from '../support/servers/redis-cluster.js'
import { redisSentinel } from '../support/servers/redis-sentinel.js'
import { hasServer } from '../support/servers/server.js'

describe.skipIf(!hasServer(redisCluster))('a Redis cluster of the tests', () => {
  it('keeps what its nodes hold when a master crashes, and takes it back', async () => {
    const cluster = await redisCluster.start()
    onTestFinished(() => cluster.stop())
    const open = async () => {
      const rootNodes = cluster.urls.map((url) => ({ url }))
      const client = createCluster({ rootNodes, defaults: { disableOfflineQueue: true } })
      client.on('error', () => {})
      await client.connect()
      return client
    }
    const before = await open()
    const keys = Array.from({ length: 30 }, (_, index) => `key ${index}`)
    for (const key of keys) await before.set(key, key)
    const masters = new Set(await Promise.all(keys.map((key) => cluster.masterOf(key))))
    expect(masters.size).toBe(3)
    before.destroy()
    const { killed, master } = await cluster.failover('key 0')
    expect(master).not.toBe(killed)
    const after = await open()
    expect(await after.get('key 0')).toBe('key 0')
    await after.set('key 0', 'new')
    after.destroy()
    await killed.start()
    expect(await cluster.masterOf('key 0')).toBe(master)
  })
})

describe.skipIf(!hasServer(redisSentinel))('Redis sentinels of the tests', () => {
  it('make the replica the master when that crashes', async () => {
    const trio = await redisSentinel.start()
    onTestFinished(() => trio.stop())
    const client = createSentinel({
      name: trio.master,
      sentinelRootNodes: [...trio.sentinels],
    })
    client.on('error', () => {})
    await client.connect()
    await client.set('k', 'v')
    client.destroy()
    const { killed, master } = await trio.failover()
    expect(await trio.current()).toBe(master)
    expect(master).not.toBe(killed)
    const direct = await createClient({ url: master.url }).connect()
    await direct.set('k', 'new')
    direct.destroy()
  })
})
