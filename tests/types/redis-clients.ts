// What `npm run types` holds: the clients of the real drivers are taken as they are, and no others.
import type { GlideClient, GlideClusterClient } from '@valkey/valkey-glide'
import type * as ioredis from 'ioredis'
import type * as ioredis5 from 'ioredis5'
import type * as iovalkey from 'iovalkey'
import type { Pool } from 'pg'
import type * as redis from 'redis'
import type * as redis4 from 'redis4'
import type * as redis5 from 'redis5'
import type { RedisClient } from '../../src/stores/redis.js'

type Taken<Client extends RedisClient> = Client

export type Clients = [
  Taken<ReturnType<typeof redis.createClient>>,
  Taken<ReturnType<typeof redis.createClientPool>>,
  Taken<ReturnType<typeof redis.createCluster>>,
  Taken<ReturnType<typeof redis.createSentinel>>,
  Taken<ReturnType<typeof redis5.createClient>>,
  Taken<ReturnType<typeof redis5.createClientPool>>,
  Taken<ReturnType<typeof redis5.createCluster>>,
  Taken<ReturnType<typeof redis5.createSentinel>>,
  Taken<ReturnType<typeof redis4.createClient>>,
  Taken<ReturnType<typeof redis4.createCluster>>,
  Taken<ioredis.Redis>,
  Taken<ioredis.Cluster>,
  Taken<ioredis5.Redis>,
  Taken<ioredis5.Cluster>,
  Taken<iovalkey.Redis>,
  Taken<iovalkey.Cluster>,
  Taken<GlideClient>,
  Taken<GlideClusterClient>,
]

// The names that programs annotate their clients with.
export type Names = [Taken<redis.RedisClientType>, Taken<redis.RedisClusterType>]

export type Refused = [
  // @ts-expect-error TS2344: a URL is no client
  Taken<string>,
  // @ts-expect-error TS2344: nor is that of another database
  Taken<Pool>,
  // @ts-expect-error TS2344: or the module
  Taken<typeof redis>,
]
