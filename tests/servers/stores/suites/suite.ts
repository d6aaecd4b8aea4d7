import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, it, onTestFinished } from 'vitest'
import { type FaultProxy, faultProxy } from '../../../support/fault-proxy.js'
import { hasServer, type RunningServer } from '../../../support/servers/server.js'
import { type ConnectOptions, type StoreKind, through } from '../kind.js'

/** A kind of store, and the server that is up for its tests. */
export interface Subject {
  readonly kind: StoreKind
  readonly server: RunningServer
  /** How long the app may take to work again after a fault, in ms. @default 20,000 */
  readonly patience?: number
}

/** A test of a suite, which can also be run on a store that has to fail it. */
export interface SuiteTest {
  readonly name: string
  /** Why a kind cannot have this test. */
  readonly lacking?: (kind: StoreKind) => string | undefined
  run(subject: Subject): Promise<void>
}

/**
 * Runs a suite with a server of its own.
 * @param lacks why this kind can have none of it
 */
export function suite(
  title: string,
  kind: StoreKind,
  tests: readonly SuiteTest[],
  lacks?: string,
): void {
  describe.skipIf(!hasServer(kind.server))(`${kind.name}: ${title}`, () => {
    let server: RunningServer
    beforeAll(async () => {
      if (lacks === undefined) server = await kind.server.start()
    })
    afterAll(() => server?.stop())
    for (const { name, lacking, run } of tests) {
      const reason = lacks ?? lacking?.(kind)
      if (reason !== undefined) it.skip(`${name}: ${reason}`, () => {})
      // Processes take long to start where many others do.
      else it(name, () => run({ kind, server }), 120_000)
    }
  })
}

/** A place where nobody else keeps anything. */
export function freshPlace(): string {
  return `t${randomBytes(5).toString('hex')}`
}

/** A store behind a proxy; both end with the test. */
export async function proxiedStore({ kind, server }: Subject, options: ConnectOptions = {}) {
  const proxy = await proxyOf({ kind, server })
  const place = freshPlace()
  const { store, close } = await kind.connect(through(server, proxy), { place, ...options })
  onTestFinished(close)
  return { proxy, store, place }
}

async function proxyOf({ kind, server }: Subject): Promise<FaultProxy> {
  const proxy = await faultProxy(server, { protocol: kind.protocol })
  // Callbacks of this kind are called in reverse: the client of the store goes first.
  onTestFinished(() => proxy.stop())
  return proxy
}
