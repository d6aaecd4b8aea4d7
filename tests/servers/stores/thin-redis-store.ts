import { createClient, type RedisClientType } from 'redis'
import { type Clock, systemClock } from '../../../src/core/clock.js'
import type { Entry, Replaced, Store, Stored } from '../../../src/core/store.js'
import { redis } from '../../support/servers/redis.js'
import type { StoreKind } from './kind.js'

const REPLACE = `
local found = redis.call('GET', KEYS[1])
if not found then return 'gone' end
if found ~= ARGV[1] then return 'changed' end
if tonumber(ARGV[3]) <= 0 then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 'replaced'`

/** The smallest store on Redis that is right, to try the suites on, and to be broken in copies. */
export class ThinRedisStore implements Store {
  readonly client: RedisClientType
  readonly #prefix: string
  readonly #clock: Clock

  constructor(client: RedisClientType, prefix: string, clock: Clock) {
    this.client = client
    this.#prefix = prefix
    this.#clock = clock
  }

  async load(key: string): Promise<Stored | undefined> {
    const name = this.name(key)
    const [text, life] = await Promise.all([this.client.get(name), this.client.pTTL(name)])
    if (text === null || life < 0) return undefined
    return { text, expiresAt: this.#clock.now() + life }
  }

  async create(key: string, { text, expiresAt }: Entry): Promise<boolean> {
    const life = this.life(expiresAt)
    if (life <= 0) return (await this.client.exists(this.name(key))) === 0
    const options = { condition: 'NX', expiration: { type: 'PX', value: life } } as const
    return (await this.client.set(this.name(key), text, options)) === 'OK'
  }

  async replace(key: string, entry: Entry, seen: Stored): Promise<Replaced> {
    const answer = await this.client.eval(REPLACE, {
      keys: [this.name(key)],
      arguments: [seen.text, entry.text, String(this.life(entry.expiresAt))],
    })
    return answer as Replaced
  }

  async touch(key: string, expiresAt: number): Promise<boolean> {
    return (await this.client.pExpire(this.name(key), this.life(expiresAt))) === 1
  }

  async destroy(key: string): Promise<boolean> {
    return (await this.client.del(this.name(key))) === 1
  }

  name(key: string): string {
    return this.#prefix + key
  }

  life(expiresAt: number): number {
    return Math.ceil(expiresAt - this.#clock.now())
  }
}

/** A description of it, or of a broken one. */
export function thinKind(
  exported: string,
  Kind: typeof ThinRedisStore = ThinRedisStore,
  traits: Partial<StoreKind> = {},
): StoreKind {
  return {
    name: 'a thin store on Redis',
    module: import.meta.url,
    exported,
    server: redis,
    protocol: 'resp',
    keeps: false,
    async connect({ url }, { place = 'sess', clock = systemClock }) {
      const client: RedisClientType = createClient({
        url,
        disableOfflineQueue: true,
        socket: { reconnectStrategy: 20, connectTimeout: 1000 },
      })
      client.on('error', () => {})
      await client.connect()
      return {
        store: new Kind(client, `${place}:`, clock),
        close: async () => client.destroy(),
      }
    },
    async plant(server, place, key, garbage) {
      const client = await createClient({ url: server.url }).connect()
      await client.set(`${place}:${key}`, Buffer.from(garbage, 'latin1'), {
        expiration: { type: 'EX', value: 3600 },
      })
      client.destroy()
      return true
    },
    conformance: {
      drift: 100,
      skips: { S20: 'a minute of waiting, for stores that are in use' },
      lacks: {
        sweep: 'Redis removes what has expired',
        entries: 'it is thin',
        keysOfUser: 'it is thin',
      },
    },
    refusals: [
      { answer: '-LOADING Redis is loading the dataset in memory\r\n', reads: true },
      { answer: '-OOM command not allowed\r\n', to: ['SET', 'EVAL'], reads: false },
      { answer: '-READONLY no writes here\r\n', to: ['SET', 'EVAL', 'DEL'], reads: false },
    ],
    ...traits,
  }
}
