import { connectRedis } from '../old-stores/redis-store.js'
import { ThinRedisStore, thinKind } from './thin-redis-store.js'

export const thinOnRedis = thinKind('thinOnRedis', ThinRedisStore, {
  module: import.meta.url,
  old: connectRedis,
})
