import { hasMethod } from './redis-answers.js'
import { wrongOption } from './store-options.js'

/** What is used of `createClient()` and `createClientPool()` of node-redis 4 and later. */
export interface NodeRedisClient {
  readonly isOpen: boolean
  sendCommand(args: string[]): Promise<unknown>
  getEx(...args: never[]): unknown
}

/** What is used of `createCluster()` of node-redis 4 and later. */
export interface NodeRedisCluster {
  readonly isOpen: boolean
  readonly masters: Iterable<unknown>
  nodeClient(node: never): unknown
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: string[],
  ): Promise<unknown>
}

/** What is used of `createSentinel()` of node-redis 5 and later. */
export interface NodeRedisSentinel {
  readonly isOpen: boolean
  getMasterNode(): unknown
  sendCommand(isReadonly: boolean | undefined, args: string[]): Promise<unknown>
}

/** What is used of `Redis` of ioredis 5 and later, and of iovalkey; also with sentinels. */
export interface IoRedisClient {
  readonly status: string
  call(command: string, args: string[]): Promise<unknown>
}

/** What is used of `Cluster` of the same. */
export interface IoRedisCluster extends IoRedisClient {
  nodes(role?: 'master'): readonly IoRedisClient[]
}

/** What is used of `GlideClient` and `GlideClusterClient` of @valkey/valkey-glide. */
export interface GlideClient {
  customCommand(args: string[]): Promise<unknown>
}

/** A client of the program's own, of any of these makes. */
export type RedisClient =
  | NodeRedisClient
  | NodeRedisCluster
  | NodeRedisSentinel
  | IoRedisClient
  | IoRedisCluster
  | GlideClient

/** Sends a command to one server. */
export type Send = (args: string[]) => Promise<unknown>

/** A client, whatever its make. */
export interface RedisConnection {
  /** Whether commands that are sent one right after the other are also done in this order. */
  readonly inOrder: boolean
  /** Put before each key by the client itself. */
  readonly keyPrefix: string
  /** Sends a command about `key`, and about no other one, to the server that has it. */
  send(key: string, args: string[]): Promise<unknown>
  /** Every server that has keys of its own; undefined: they cannot be had. */
  readonly masters: (() => Promise<readonly Send[]>) | undefined
  /** Whether it was closed, or never connected, so that no command can come through. */
  isClosed(): boolean
}

const TAKEN =
  'a client: createClient(), createCluster(), createSentinel() or createClientPool() of redis 4 and later, Redis or Cluster of ioredis 5 and later or of iovalkey, or one of @valkey/valkey-glide'

/** Told apart by what they can do: class names and `instanceof` break with the second copy. */
export function connectionOf(client: unknown): RedisConnection {
  if (isGlide(client)) return glide(client)
  if (isIoRedis(client)) return ioRedis(client)
  if (hasMethod(client, 'sendCommand') && typeof field(client, 'isOpen') === 'boolean') {
    if (hasMethod(client, 'nodeClient')) return nodeRedisCluster(client as NodeRedisCluster)
    if (hasMethod(client, 'getMasterNode')) return nodeRedisSentinel(client as NodeRedisSentinel)
    if (hasMethod(client, 'getEx')) return nodeRedis(client as NodeRedisClient)
  }
  throw wrongOption('RedisStore', 'client', client, TAKEN)
}

function nodeRedis(given: NodeRedisClient): RedisConnection {
  const { options } = given as { options?: { legacyMode?: unknown } }
  // So version 4 takes callbacks, and has its other face beside it, which it has only then.
  const isLegacy = options?.legacyMode === true && 'v4' in given
  const client = isLegacy ? (given.v4 as NodeRedisClient) : given
  const send: Send = (args) => client.sendCommand(args)
  return {
    // A pool takes whichever of its connections is free.
    inOrder: !hasMethod(given, 'execute'),
    keyPrefix: '',
    send: (_, args) => send(args),
    masters: async () => [send],
    isClosed: () => !given.isOpen,
  }
}

function nodeRedisCluster(cluster: NodeRedisCluster): RedisConnection {
  return {
    inOrder: false,
    keyPrefix: '',
    // To the master, also where the client reads from replicas: those may be behind.
    send: (key, args) => cluster.sendCommand(key, false, args),
    async masters() {
      const clients = [...cluster.masters].map(async (node) => {
        const client = (await cluster.nodeClient(node as never)) as NodeRedisClient
        return (args: string[]) => client.sendCommand(args)
      })
      return await Promise.all(clients)
    },
    isClosed: () => cluster.isOpen === false,
  }
}

function nodeRedisSentinel(sentinel: NodeRedisSentinel): RedisConnection {
  let started: Promise<unknown> = Promise.resolve()
  // Of two commands that begin in one turn the second would wait for a second connection, of which
  // there is none by default: the first has to have its own before.
  const send: Send = (args) => {
    const answer = started.then(() => sentinel.sendCommand(false, args))
    started = started.then(turns)
    return answer
  }
  return {
    inOrder: false,
    keyPrefix: '',
    send: (_, args) => send(args),
    masters: async () => [send],
    isClosed: () => !sentinel.isOpen,
  }
}

/** Long enough for a free connection to be taken, and all before the next write to a socket. */
async function turns(): Promise<void> {
  for (let i = 0; i < 4; i++) await undefined
}

function ioRedis(client: IoRedisClient): RedisConnection {
  const isCluster = hasMethod(client, 'nodes')
  return {
    inOrder: !isCluster,
    keyPrefix: prefixOf(client),
    send: (_, args) => call(client, args),
    masters: async () => {
      const servers = isCluster ? (client as IoRedisCluster).nodes('master') : [client]
      return servers.map((server) => (args: string[]) => call(server, args))
    },
    // It connects with the first command where it has not been told to.
    isClosed: () => client.status === 'end',
  }
}

function call(client: IoRedisClient, [command, ...args]: string[]): Promise<unknown> {
  return client.call(command as string, args)
}

function prefixOf(client: object): string {
  const { options } = client as { options?: { keyPrefix?: unknown; redisOptions?: unknown } }
  const inner = options?.redisOptions as { keyPrefix?: unknown } | undefined
  const prefix = options?.keyPrefix ?? inner?.keyPrefix
  return typeof prefix === 'string' ? prefix : ''
}

function glide(client: GlideClient): RedisConnection {
  const send: Send = (args) => client.customCommand(args)
  return {
    inOrder: false,
    keyPrefix: '',
    send: (_, args) => send(args),
    // Its cluster client scans by an object of its own class, which only its package can make.
    masters: hasMethod(client, 'fcallWithRoute') ? undefined : async () => [send],
    isClosed: () => field(client, 'isClosed') === true,
  }
}

function isGlide(client: unknown): client is GlideClient {
  return hasMethod(client, 'customCommand')
}

function isIoRedis(client: unknown): client is IoRedisClient {
  // It has a `sendCommand` too, with another meaning.
  return hasMethod(client, 'call') && typeof field(client, 'status') === 'string'
}

function field(value: unknown, name: string): unknown {
  return (value as Record<string, unknown> | null | undefined)?.[name]
}
