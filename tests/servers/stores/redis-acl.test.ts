import { readFileSync } from 'node:fs'
import { Cluster as IoCluster, Redis as IoRedis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redis } from '../../support/servers/redis.js'
import { cliOf } from '../../support/servers/redis-cli.js'
import { type RunningCluster, redisCluster } from '../../support/servers/redis-cluster.js'
import { hasServer, type RunningServer } from '../../support/servers/server.js'
import type { OpenClient } from './redis-clients.js'
import { program } from './redis-program.js'

const page = readFileSync(new URL('../../../docs/stores/redis.md', import.meta.url), 'utf8')

/** The line of the page, as words. */
const RULES = /^ACL SETUSER sessions on (.*)$/m.exec(page)![1]!.split(' ')
/** What clients of a cluster ask for themselves. */
const CLUSTER_COMMANDS = /in a cluster `([^`]+)`/.exec(page)![1]!.split(' ')
const COMMANDS = RULES.filter((rule) => rule.startsWith('+'))

describe.skipIf(!hasServer(redis))('RedisStore as a user with the listed rights', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await redis.start()
  })
  afterAll(() => server?.stop())

  const allow = (rules: readonly string[]) =>
    cliOf(server)('ACL', 'SETUSER', 'sessions', 'reset', 'on', ...rules)
  const flush = () => cliOf(server)('SCRIPT', 'FLUSH')
  const nodeRedis = async (): Promise<OpenClient> => {
    const { host, port } = server
    const client = createClient({
      socket: { host, port },
      username: 'sessions',
      password: 'password',
      // What it would ask for itself.
      disableClientInfo: true,
    })
    client.on('error', () => {})
    await client.connect()
    return { client, close: () => client.destroy() }
  }

  it('has enough, by node-redis', async () => {
    await allow(RULES)
    await program(await nodeRedis(), flush, 'sess')
  })

  it('has enough, by ioredis, with what the page says it needs itself', async () => {
    expect(page).toContain('`+info` for ioredis')
    await allow([...RULES, '+info'])
    const { host, port } = server
    const client = new IoRedis({ host, port, username: 'sessions', password: 'password' })
    await program({ client, close: () => client.disconnect() }, flush, 'sess')
  })

  it.each(COMMANDS)('needs %s', async (command) => {
    await allow(RULES.filter((rule) => rule !== command))
    await expect(program(await nodeRedis(), flush, 'sess')).rejects.toThrow()
    await cliOf(server)('FLUSHALL')
  })

  it.each(['~sess:*', '~sess-users:*'])('needs the keys %s', async (keys) => {
    await allow(RULES.filter((rule) => rule !== keys))
    await expect(program(await nodeRedis(), flush, 'sess')).rejects.toThrow(/NOPERM/)
    await cliOf(server)('FLUSHALL')
  })
})

describe.skipIf(!hasServer(redisCluster))('RedisStore as such a user of a cluster', () => {
  let cluster: RunningCluster
  beforeAll(async () => {
    cluster = await redisCluster.start()
    const more = ['+info', ...CLUSTER_COMMANDS]
    for (const node of cluster.nodes) {
      await cliOf(node)('ACL', 'SETUSER', 'sessions', 'reset', 'on', ...RULES, ...more)
    }
  })
  afterAll(() => cluster?.stop())

  const flush = () => Promise.all(cluster.nodes.map((node) => cliOf(node)('SCRIPT', 'FLUSH')))
  const login = { username: 'sessions', password: 'password' }

  it('has enough, by node-redis', async () => {
    const client = createCluster({
      rootNodes: cluster.urls.map((url) => ({ url })),
      defaults: { ...login, disableClientInfo: true },
    })
    client.on('error', () => {})
    await client.connect()
    await program({ client, close: () => client.destroy() }, flush, 'sess')
  })

  it('has enough, by ioredis', async () => {
    const client = new IoCluster([...cluster.nodes], { redisOptions: login })
    await program({ client, close: () => client.disconnect() }, flush, 'sess')
  })
})
