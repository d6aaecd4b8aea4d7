import { afterAll, beforeAll, describe } from 'vitest'
import { type RunningCluster, redisCluster } from '../../support/servers/redis-cluster.js'
import { hasServer } from '../../support/servers/server.js'
import { clusterClients } from './redis-clients.js'
import { contractOnGroup } from './redis-contract.js'

describe.skipIf(!hasServer(redisCluster))('on a cluster', () => {
  let cluster: RunningCluster
  beforeAll(async () => {
    cluster = await redisCluster.start()
  })
  afterAll(() => cluster?.stop())

  for (const driver of ['redis6', 'ioredis6'] as const) {
    contractOnGroup(`RedisStore on ${driver}`, () => clusterClients[driver](cluster.nodes))
  }
})
