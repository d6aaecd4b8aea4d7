import { Cluster as IoCluster, Redis as IoRedis } from 'ioredis'
import { Cluster as IoCluster5, Redis as IoRedis5 } from 'ioredis5'
import { Redis as IoValkey, Cluster as IoValkeyCluster } from 'iovalkey'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import { createClient as createClient4, createCluster as createCluster4 } from 'redis4'
import {
  createClient as createClient5,
  createCluster as createCluster5,
  createSentinel as createSentinel5,
} from 'redis5'
import type { RedisClient } from '../../../src/stores/redis.js'

/** A client of the program's own. */
export interface OpenClient {
  readonly client: RedisClient
  /** At once, also while the server is away. */
  close(): unknown
}

interface Node {
  readonly host: string
  readonly port: number
}

/** Soon again, in ms. */
const RETRY = 20
const SOCKET = { reconnectStrategy: () => RETRY, connectTimeout: 1000 }
/** What the documentation recommends: nothing waits for a connection, nothing is sent twice. */
const IO = {
  retryStrategy: () => RETRY,
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 1000,
}
const IO_CLUSTER = {
  lazyConnect: true,
  clusterRetryStrategy: () => RETRY,
  slotsRefreshTimeout: 1000,
  slotsRefreshInterval: 200,
  retryDelayOnFailover: 100,
}

type Open = (url: string) => Promise<OpenClient>
type OpenCluster = (nodes: readonly Node[]) => Promise<OpenClient>
type OpenSentinel = (name: string, nodes: readonly Node[]) => Promise<OpenClient>

/** Clients of one server. */
export const clients = {
  redis6: (url) => nodeRedis(createClient({ url, socket: SOCKET, disableOfflineQueue: true })),
  redis6pool: (url) => nodeRedis(createClientPool({ url, socket: SOCKET })),
  redis5: (url) => nodeRedis(createClient5({ url, socket: SOCKET, disableOfflineQueue: true })),
  redis4: (url) => nodeRedis(createClient4({ url, socket: SOCKET, disableOfflineQueue: true })),
  redis4legacy: (url) => nodeRedis(createClient4({ url, socket: SOCKET, legacyMode: true })),
  ioredis6: (url) => ioRedis(new IoRedis(url, IO)),
  ioredis5: (url) => ioRedis(new IoRedis5(url, IO)),
  iovalkey: (url) => ioRedis(new IoValkey(url, IO)),
  async glide(url) {
    // Its part in Rust is loaded at once.
    const { GlideClient } = await import('@valkey/valkey-glide')
    const { hostname, port } = new URL(url)
    const client = await GlideClient.createClient({
      addresses: [{ host: hostname, port: Number(port) }],
    })
    return { client, close: () => client.close() }
  },
} satisfies Record<string, Open>

export const clusterClients = {
  redis6: (nodes) => nodeRedis(createCluster({ rootNodes: urls(nodes), defaults: DEFAULTS })),
  redis5: (nodes) => nodeRedis(createCluster5({ rootNodes: urls(nodes), defaults: DEFAULTS })),
  redis4: (nodes) => nodeRedis(createCluster4({ rootNodes: urls(nodes), defaults: DEFAULTS })),
  ioredis6: (nodes) => ioRedis(new IoCluster([...nodes], IO_CLUSTER)),
  ioredis5: (nodes) => ioRedis(new IoCluster5([...nodes], IO_CLUSTER)),
  iovalkey: (nodes) => ioRedis(new IoValkeyCluster([...nodes], IO_CLUSTER)),
  async glide(nodes) {
    const { GlideClusterClient } = await import('@valkey/valkey-glide')
    const client = await GlideClusterClient.createClient({ addresses: [...nodes] })
    return { client, close: () => client.close() }
  },
} satisfies Record<string, OpenCluster>

export const sentinelClients = {
  redis6: (name, nodes) =>
    nodeRedis(
      createSentinel({
        name,
        sentinelRootNodes: [...nodes],
        nodeClientOptions: DEFAULTS,
        scanInterval: 200,
      }),
    ),
  redis5: (name, nodes) =>
    nodeRedis(
      createSentinel5({
        name,
        sentinelRootNodes: [...nodes],
        nodeClientOptions: DEFAULTS,
        scanInterval: 200,
      }),
    ),
  ioredis6: (name, sentinels) =>
    ioRedis(
      new IoRedis({ ...IO, name, sentinels: [...sentinels], sentinelRetryStrategy: () => RETRY }),
    ),
  iovalkey: (name, sentinels) =>
    ioRedis(
      new IoValkey({ ...IO, name, sentinels: [...sentinels], sentinelRetryStrategy: () => RETRY }),
    ),
} satisfies Record<string, OpenSentinel>

const DEFAULTS = { socket: SOCKET, disableOfflineQueue: true }

function urls(nodes: readonly Node[]) {
  return nodes.map(({ host, port }) => ({ url: `redis://${host}:${port}` }))
}

interface NodeRedisLike {
  on(event: 'error', listener: () => void): unknown
  connect(): Promise<unknown>
  destroy?(): unknown
  disconnect?(): unknown
}

async function nodeRedis<Client extends RedisClient & NodeRedisLike>(
  client: Client,
): Promise<OpenClient> {
  // Without a listener the loss of the connection ends the process.
  client.on('error', () => {})
  await client.connect()
  return { client, close: () => (client.destroy ? client.destroy() : client.disconnect?.()) }
}

interface IoRedisLike {
  on(event: 'error', listener: () => void): unknown
  connect(): Promise<unknown>
  disconnect(): unknown
}

async function ioRedis<Client extends RedisClient & IoRedisLike>(
  client: Client,
): Promise<OpenClient> {
  client.on('error', () => {})
  await client.connect()
  return { client, close: () => client.disconnect() }
}
