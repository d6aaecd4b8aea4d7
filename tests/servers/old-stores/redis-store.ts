import { RedisStore } from 'connect-redis'
import { createClient } from 'redis'
import type { OldStoreKind } from '../../express-session/old-stores/old-store.js'
import { redis } from '../../support/servers/redis.js'

export const connectRedis: OldStoreKind = {
  name: 'connect-redis',
  server: redis,
  endsBy: 'server',
  async open() {
    const server = await redis.start()
    const client = createClient({
      url: server.url,
      // Else commands wait for a server that is down.
      disableOfflineQueue: true,
      socket: { reconnectStrategy: 50 },
    })
    // Without a listener the loss of the connection ends the process.
    client.on('error', () => {})
    await client.connect()
    return {
      server,
      store: () => new RedisStore({ client }),
      textOf: async (id) => (await client.get(`sess:${id}`)) ?? undefined,
      async age(id, ms) {
        const left = await client.pTTL(`sess:${id}`)
        if (left >= 0) await client.pExpire(`sess:${id}`, Math.max(left - ms, 0))
      },
      async close() {
        client.destroy()
        await server.stop()
      },
    }
  },
}
