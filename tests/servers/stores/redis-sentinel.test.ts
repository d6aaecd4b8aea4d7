import { afterAll, beforeAll, describe } from 'vitest'
import { type RunningSentinels, redisSentinel } from '../../support/servers/redis-sentinel.js'
import { hasServer } from '../../support/servers/server.js'
import { sentinelClients } from './redis-clients.js'
import { contractOnGroup } from './redis-contract.js'

describe.skipIf(!hasServer(redisSentinel))('behind sentinels', () => {
  let trio: RunningSentinels
  beforeAll(async () => {
    trio = await redisSentinel.start()
  })
  afterAll(() => trio?.stop())

  for (const driver of ['redis6', 'ioredis6'] as const) {
    const connect = () => sentinelClients[driver](trio.master, trio.sentinels)
    contractOnGroup(`RedisStore on ${driver}`, connect)
  }
})
