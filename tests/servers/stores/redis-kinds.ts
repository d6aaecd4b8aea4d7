import { RedisStore as OldRedisStore } from 'connect-redis'
import { createClient } from 'redis'
import { systemClock } from '../../../src/core/clock.js'
import { REPLACE } from '../../../src/stores/internal/redis-scripts.js'
import { RedisStore } from '../../../src/stores/redis.js'
import { redis } from '../../support/servers/redis.js'
import type { RunningServer } from '../../support/servers/server.js'
import { connectRedis } from '../old-stores/redis-store.js'
import type { StoreKind } from './kind.js'
import { clients } from './redis-clients.js'

const WRITES = {
  to: ['SET', `EVALSHA ${REPLACE.sha}`, 'EVAL', 'DEL', 'PEXPIRE'],
  reads: false,
}

export const onNodeRedis = redisKind('redis6', 'onNodeRedis')
export const onIoRedis = redisKind('ioredis6', 'onIoRedis')

function redisKind(driver: keyof typeof clients, exported: string): StoreKind {
  return {
    name: `RedisStore on ${driver}`,
    module: import.meta.url,
    exported,
    server: redis,
    protocol: 'resp',
    keeps: false,
    async connect({ url }, { place = 'sess', clock = systemClock }) {
      const { client, close } = await clients[driver](url)
      const store = new RedisStore({ client, prefix: `${place}:`, clock })
      return { store, close: async () => void close() }
    },
    async plant(server, place, key, garbage) {
      const client = await createClient({ url: server.url }).connect()
      await client.set(`${place}:${key}`, Buffer.from(garbage, 'latin1'))
      client.destroy()
      return true
    },
    predecessor: connectRedisAt,
    conformance: { drift: 500, lacks: { sweep: 'the server removes what has expired' } },
    old: connectRedis,
    refusals: [
      { answer: '-LOADING Redis is loading the dataset in memory\r\n', reads: true },
      { answer: '-MASTERDOWN Link with MASTER is down\r\n', reads: true },
      { answer: '-CLUSTERDOWN The cluster is down\r\n', reads: true },
      { answer: "-OOM command not allowed when used memory > 'maxmemory'.\r\n", ...WRITES },
      { answer: "-READONLY You can't write against a read only replica.\r\n", ...WRITES },
      { answer: '-MISCONF Redis is configured to save RDB snapshots\r\n', ...WRITES },
    ],
  }
}

async function connectRedisAt({ url }: RunningServer, place: string) {
  const client = await createClient({ url }).connect()
  let seconds = 0
  const old = new OldRedisStore({ client, prefix: `${place}:`, ttl: () => seconds })
  return {
    forms: ['plain'],
    async write(_: string, key: string, text: string, expiresAt: number) {
      seconds = Math.ceil((expiresAt - Date.now()) / 1000)
      await old.set(key, JSON.parse(text))
    },
    async read(key: string) {
      const session: unknown = await old.get(key)
      return session ? JSON.stringify(session) : undefined
    },
    close: async () => client.destroy(),
  }
}
