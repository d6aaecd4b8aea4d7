import type { ConnectionOptions } from 'node:tls'
import type { Clock } from '../../core/clock.js'
import { systemClock } from '../../core/clock.js'
import { CLIENT_METHODS, ClientCommands, type MemcachedClient } from './memcached-client.js'
import type { Servers } from './memcached-commands.js'
import { isPrefix } from './memcached-names.js'
import type { RingServer } from './memcached-ring.js'
import type { ServerSettings } from './memcached-server.js'
import { OwnServers } from './memcached-servers.js'
import { checkClock, checkOptions, wrongOption } from './store-options.js'

/** Where a `MemcachedStore` keeps its records: either `servers` or `client`. */
export interface MemcachedStoreOptions {
  /**
   * The servers, which the store connects to when it first needs them: `'host:port'`, a path of a
   * socket, several of them, or an object from each to its weight. Each key has its server by the
   * same ring as in the `memcached` package; so write them as they were written there. The default
   * port is 11211.
   */
  servers?: string | readonly string[] | Readonly<Record<string, number>>
  /**
   * A client of the `memcached` package, which stays the program's. It does not tell how long a
   * record still lives, so each record is 112 bytes longer and a touch takes two steps; with
   * `servers` neither is so.
   */
  client?: MemcachedClient
  /** Stands before each key. @default '' */
  prefix?: string
  /**
   * How long a connection or an answer may take, in ms; what takes longer fails with
   * `ERR_STORE_TIMEOUT`, and its connection is made anew. @default 1000
   */
  timeout?: number
  /** With `servers`: connects by TLS; true, or what `tls.connect` takes. @default false */
  tls?: boolean | ConnectionOptions
  /** With `servers`: the name for servers that were started with -Y. @default none */
  username?: string
  /** With `servers`: the password for servers that were started with -Y. @default none */
  password?: string
  /** Injected by tests. @default the clock of the machine */
  clock?: Clock
}

/** Options, complete and checked. */
export interface MemcachedStoreSettings {
  readonly servers: Servers
  readonly prefix: string
  readonly clock: Clock
}

const STORE = 'MemcachedStore'
const DEFAULT_PORT = 11211
const NAMES = ['servers', 'client', 'prefix', 'timeout', 'tls', 'username', 'password', 'clock']

/** @throws OptionError naming option, value and what is allowed */
export function memcachedStoreSettings(options: MemcachedStoreOptions): MemcachedStoreSettings {
  checkOptions(STORE, options)
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name))
      throw wrong(options, name, `left out: it is none of ${NAMES.join(', ')}`)
  }
  const { servers, client, prefix = '', timeout = 1000, clock = systemClock } = options
  if (!isPrefix(prefix))
    throw wrong(options, 'prefix', 'a string of at most 100 bytes without spaces')
  if (typeof timeout !== 'number' || !(timeout > 0 && timeout < 2 ** 31)) {
    throw wrong(options, 'timeout', 'ms above 0')
  }
  const checked = { prefix, clock: checkClock(STORE, clock) }
  if (client === undefined) {
    if (servers === undefined) {
      throw wrong(options, 'servers', "given, such as 'localhost:11211', unless 'client' is")
    }
    return { ...checked, servers: new OwnServers(serversFrom(options, timeout)) }
  }
  for (const name of ['servers', 'tls', 'username', 'password'] as const) {
    if (options[name] !== undefined) throw wrong(options, name, "left out beside 'client'")
  }
  const lacking = CLIENT_METHODS.filter((method) => typeof client?.[method] !== 'function')
  if (lacking.length > 0) {
    const like = "a client like that of the package 'memcached'"
    throw wrong(options, 'client', `${like}; it has no ${lacking.join(', ')}`)
  }
  return { ...checked, servers: new ClientCommands(client, timeout) }
}

function serversFrom(
  options: MemcachedStoreOptions,
  timeout: number,
): (RingServer & ServerSettings)[] {
  const { tls, username, password } = options
  const weights = weightsOf(options)
  if (weights === undefined || weights.length === 0) {
    const kinds = 'an array of such, or an object from such to weights above 0'
    throw wrong(options, 'servers', `'host:port', ${kinds}`)
  }
  if (new Set(weights.map(([name]) => name)).size < weights.length) {
    throw wrong(options, 'servers', 'without one that is named twice')
  }
  if (tls !== undefined && typeof tls !== 'boolean' && (typeof tls !== 'object' || tls === null)) {
    throw wrong(options, 'tls', 'true, false or an object with options of tls.connect')
  }
  const access = { username, password }
  for (const name of ['username', 'password'] as const) {
    const value = access[name]
    const other = access[name === 'username' ? 'password' : 'username']
    if (value === undefined && other === undefined) continue
    // A space would end the name, and a line break the command.
    if (typeof value !== 'string' || value === '' || /[\s\p{Cc}]/u.test(value)) {
      throw wrong(options, name, 'a string without spaces, beside the other one')
    }
  }
  return weights.map(([name, weight]) => {
    const address = addressOf(name)
    if (address === undefined)
      throw wrong(options, 'servers', "'host:port' or the path of a socket")
    return {
      name,
      weight,
      address,
      timeout,
      tls: tls === true ? {} : tls === false ? undefined : tls,
      credentials:
        username === undefined || password === undefined ? undefined : { username, password },
    }
  })
}

function weightsOf({ servers }: MemcachedStoreOptions): [string, number][] | undefined {
  if (typeof servers === 'string') return [[servers, 1]]
  if (Array.isArray(servers)) return servers.map((name) => [name, 1])
  if (typeof servers !== 'object' || servers === null) return undefined
  const entries = Object.entries(servers as Record<string, number>)
  const isRight = entries.every(([, weight]) => Number.isFinite(weight) && weight > 0)
  return isRight ? entries : undefined
}

function addressOf(name: unknown): ServerSettings['address'] | undefined {
  if (typeof name !== 'string' || name === '' || /[\s\p{Cc}]/u.test(name)) return undefined
  if (name.startsWith('/')) return { path: name }
  const found = /^(?:\[(?<v6>[\da-f:.]+)\]|(?<host>[^:/@[\]]+))(?::(?<port>\d{1,5}))?$/i.exec(name)
  const host = found?.groups?.v6 ?? found?.groups?.host
  const port = Number(found?.groups?.port ?? DEFAULT_PORT)
  return host === undefined || port === 0 || port > 65535 ? undefined : { host, port }
}

function wrong(options: object, option: string, allowed: string) {
  return wrongOption(STORE, option, (options as Record<string, unknown>)[option], allowed)
}
