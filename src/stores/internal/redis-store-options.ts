import type { Clock } from '../../core/clock.js'
import { systemClock } from '../../core/clock.js'
import { connectionOf, type RedisClient, type RedisConnection } from './redis-client.js'
import {
  checkClock,
  checkNames,
  checkOptions,
  type OldOptions,
  wrongOption,
} from './store-options.js'

/** Which server a `RedisStore` uses, and under which names. */
export interface RedisStoreOptions {
  /**
   * The client of your program, connected: of node-redis 4 and later, ioredis 5 and later, iovalkey
   * or @valkey/valkey-glide; one server, a cluster, or behind sentinels. It stays yours to close.
   */
  client: RedisClient
  /**
   * Stands before the key of each record. Two apps on one server want one each.
   * @default 'sess:'
   */
  prefix?: string
  /**
   * Stands before the hashed name of each user, in the keys that tell whose records there are.
   * Neither prefix may begin with the other.
   * @default the prefix with `-users` before its last colon: 'sess-users:'
   */
  indexPrefix?: string
  /** Injected by tests. The lives of records are counted by the server. @default the clock of the machine */
  clock?: Clock
}

/** Options, complete and checked. */
export interface RedisStoreSettings {
  readonly connection: RedisConnection
  readonly prefix: string
  readonly indexPrefix: string
  readonly clock: Clock
}

const OPTIONS = ['client', 'prefix', 'indexPrefix', 'clock']

const OLD: OldOptions = {
  of: 'connect-redis',
  instead: {
    ttl: 'times are options of session(), or of LegacyStore',
    disableTTL: 'every record has an end; records without one are read',
    disableTouch: 'a touch is sent once a minute at most, and nobody waits for it',
    serializer: 'records are JSON',
    scanCount: 'nothing is scanned but by entries()',
  },
}

/** @throws OptionError naming option, value and what is allowed */
export function redisStoreSettings(options: RedisStoreOptions): RedisStoreSettings {
  checkOptions('RedisStore', options)
  checkNames('RedisStore', options, OPTIONS, OLD)
  const { client, prefix = 'sess:', clock = systemClock } = options
  if (typeof prefix !== 'string') throw wrongOption('RedisStore', 'prefix', prefix, 'a string')
  const { indexPrefix = indexPrefixFor(prefix) } = options
  const collides =
    typeof indexPrefix !== 'string' ||
    indexPrefix === '' ||
    (prefix !== '' && (indexPrefix.startsWith(prefix) || prefix.startsWith(indexPrefix)))
  if (collides) {
    const allowed = "a string, not empty, of which and option 'prefix' neither begins the other"
    throw wrongOption('RedisStore', 'indexPrefix', indexPrefix, allowed)
  }
  return {
    connection: connectionOf(client),
    prefix,
    indexPrefix,
    clock: checkClock('RedisStore', clock),
  }
}

/** Such that no pattern that fits all records, as `sess:*`, fits a set of the index. */
function indexPrefixFor(prefix: string): string {
  if (prefix.endsWith(':')) return `${prefix.slice(0, -1)}-users:`
  const named = `users-of-${prefix}:`
  return prefix !== '' && named.startsWith(prefix) ? `-${named}` : named
}
