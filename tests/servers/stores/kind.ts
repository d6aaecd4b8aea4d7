/**
 * A store of this package on a server of somebody else, described once for all suites. A description
 * is a module without vitest, because processes of their own import it too:
 *
 *   // tests/servers/stores/redis-kinds.ts
 *   export const onNodeRedis: StoreKind = {
 *     name: 'RedisStore on node-redis',
 *     module: import.meta.url,
 *     exported: 'onNodeRedis',
 *     server: redis,
 *     protocol: 'resp',
 *     keeps: false,
 *     async connect({ url }, { place, clock }) {
 *       const client = createClient({ url, … })
 *       client.on('error', () => {})
 *       await client.connect()
 *       const store = new RedisStore({ client, … })
 *       return { store, close: async () => client.destroy() }
 *     },
 *     conformance: { lacks: { sweep: 'Redis removes what has expired' } },
 *     old: connectRedis,
 *   }
 *
 *   // tests/servers/stores/redis.test.ts
 *   for (const kind of kinds) serverStore(kind)
 */
import type { Clock } from '../../../src/core/clock.js'
import type { Store } from '../../../src/core/store.js'
import type { Predecessor, StoreHarness } from '../../../src/testing/conformance/harness.js'
import type { OldStoreKind } from '../../express-session/old-stores/old-store.js'
import type { FaultProxy } from '../../support/fault-proxy.js'
import type { RunningServer, ServerKind } from '../../support/servers/server.js'
import type { ProtocolName } from '../../support/wire-protocols.js'

/** Where a client connects to: the server, or the proxy in front of it. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly url: string
}

export interface OpenStore {
  readonly store: Store
  /** Closes the client too, at once, also while the server is away. */
  close(): Promise<void>
}

export interface ConnectOptions {
  /**
   * The prefix, table or folder: a short word, `[a-z0-9]+`, or what `lookalike` makes of it. Absent:
   * the default of the store, which is that of the package it replaces.
   */
  readonly place?: string
  /** The clock of the machine that the store is on; absent: the real one. */
  readonly clock?: Clock
}

export interface StoreKind {
  /** The store and its driver. */
  readonly name: string
  /** `import.meta.url` of the module that exports the description, and under what name. */
  readonly module: string
  readonly exported: string
  readonly server: ServerKind
  readonly protocol: ProtocolName
  /** Whether records are still there after a crash of the server. */
  readonly keeps: boolean
  /** Why no proxy fits in front of it: clients of a cluster find its nodes by themselves. */
  readonly unproxied?: string
  /** Why no connection may be lost: there are clients that end their process then. */
  readonly fragile?: string
  connect(at: Address, options: ConnectOptions): Promise<OpenStore>
  /**
   * A place that a careless pattern for `place` matches too.
   * @default `*` for the last letters, as in `a*` for `abc`
   */
  lookalike?(place: string): string
  /** What requests of `session()` cost, where that is not the default. */
  readonly counts?: Partial<Counts>
  /**
   * What the store or its backend lacks in the suite of `coatcheck/testing`. `realTime: false`: what
   * has expired is decided by the clock that `connect` is given, and the suite moves that.
   */
  readonly conformance?: Omit<StoreHarness, 'open'>
  /** Puts garbage in the place of a record, past the store. */
  plant?(server: RunningServer, place: string, key: string, garbage: string): Promise<boolean>
  /** The package that is replaced, for the suite of `coatcheck/testing`. */
  predecessor?(
    server: RunningServer,
    place: string,
  ): Promise<Predecessor & { close(): Promise<void> }>
  /** The package that is replaced, under express-session. Its server is that of `server`. */
  readonly old?: OldStoreKind
  /** How the server says no, for the proxy to say in its place. */
  readonly refusals?: readonly Refusal[]
}

/** Phases of waiting a request. A number is what it has to be; `most` is a bound. */
export interface Counts {
  /** @default 1 */
  readonly read: number
  /** Of a signed-in visitor. @default 1 */
  readonly signedInRead: number
  /** @default 2 */
  readonly change: number
  /** Which no response waits for. @default 1 */
  readonly touch: number
  /** A first request that stores something. @default 1 */
  readonly create: number
  /** A sign-in on a stored session: load, create under the new id, end the old one. @default 3 */
  readonly signIn: number
  /** `held`: so many, and a removal that no response waits for. @default { most: 3 } */
  readonly destroy: number | { readonly most: number } | { readonly held: number }
}

export const COUNTS: Counts = {
  read: 1,
  signedInRead: 1,
  change: 2,
  touch: 1,
  create: 1,
  signIn: 3,
  destroy: { most: 3 },
}

export interface Refusal {
  /** As it goes over the wire. */
  readonly answer: string
  /** The commands that the server refuses so; absent: all. */
  readonly to?: readonly string[]
  /** Whether reads are refused too. */
  readonly reads: boolean
}

/** The address of a server, by way of a proxy. */
export function through(server: RunningServer, { host, port }: FaultProxy): Address {
  return { host, port, url: server.url.replace(`:${server.port}`, `:${port}`) }
}
