import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { systemClock } from '../../../../src/core/clock.js'
import {
  FakeClock,
  type StoreHarness,
  type StoreUnderTest,
  type TestRunner,
  testStore,
} from '../../../../src/testing/index.js'
import { faultProxy } from '../../../support/fault-proxy.js'
import { hasServer, type RunningServer } from '../../../support/servers/server.js'
import { ahead } from '../../../testing/reference-store.js'
import { type OpenStore, type StoreKind, through } from '../kind.js'
import { startStore } from '../store-process.js'
import { freshPlace } from './suite.js'

/** The suite of `coatcheck/testing`, on the real server, through a proxy that makes the outages. */
export function storeConformance(kind: StoreKind): void {
  // Where the server counts in seconds, most tests wait: they do so together.
  const options = { concurrent: (kind.conformance?.unit ?? 1) >= 1000 }
  describe.skipIf(!hasServer(kind.server))(`${kind.name}: the contract`, options, () => {
    let server: RunningServer
    beforeAll(async () => {
      server = await kind.server.start()
    })
    afterAll(() => server?.stop())
    conformance({ describe: describeClause, it }, kind, () => server)
  })
}

/** The clauses that are made of waiting wait together. */
function describeClause(name: string, body: () => void): void {
  if (/^S(?:7|8|20) /.test(name)) describe.concurrent(name, body)
  else describe(name, body)
}

/** The same for a runner of its own. */
export function conformance(
  runner: TestRunner,
  kind: StoreKind,
  server: () => RunningServer,
): void {
  const { lacks: lacking, ...traits } = kind.conformance ?? {}
  const { unproxied, fragile } = kind
  const lacks = {
    ...(fragile && { outage: fragile, blackHole: fragile }),
    ...(unproxied && { outage: unproxied, blackHole: unproxied, trips: unproxied }),
    ...(kind.plant === undefined && { plant: 'there is no way in' }),
    ...(kind.predecessor === undefined && { predecessor: 'it replaces no other package' }),
    ...lacking,
  }
  const harness: StoreHarness = {
    realTime: true,
    ...traits,
    lacks,
    open: () => opened(kind, server()),
  }
  testStore(runner, kind.name, harness)
}

async function opened(kind: StoreKind, server: RunningServer): Promise<StoreUnderTest> {
  const proxy = await faultProxy(server, { protocol: kind.protocol })
  const place = freshPlace()
  const at = kind.unproxied === undefined ? through(server, proxy) : server
  const open: { close(): Promise<void> }[] = []
  const connect = async (options: Parameters<StoreKind['connect']>[1]) => {
    const made: OpenStore = await kind.connect(at, options)
    open.push(made)
    return made.store
  }
  const fake = kind.conformance?.realTime === false ? new FakeClock(Date.now()) : undefined
  const clock = fake ?? systemClock
  const timed = fake === undefined ? {} : { clock }
  const lookalike = kind.lookalike ?? ((place: string) => `${place.slice(0, -4)}*`)
  const predecessor = await kind.predecessor?.(server, place)
  if (predecessor) open.push(predecessor)
  return {
    store: await connect({ place, ...timed }),
    clock,
    advance: (ms) => (fake ? fake.advance(ms) : delay(ms)),
    another: () => connect({ place, ...timed }),
    elsewhere: () => connect({ place: lookalike(place), ...timed }),
    ...(kind.plant && { plant: (key, garbage) => kind.plant!(server, place, key, garbage) }),
    ...(kind.unproxied === undefined && {
      trips: () => proxy.wire.phases,
      ...(kind.fragile === undefined && {
        outage: { begin: () => proxy.refuse(), end: () => proxy.pass() },
        blackHole: { begin: () => proxy.blackHole(), end: () => proxy.pass() },
      }),
    }),
    async processes(programs) {
      const processes = await Promise.all(
        programs.map((program) =>
          startStore(kind, { at, place, job: { type: 'program', program } }),
        ),
      )
      return Promise.all(processes.map(async ({ line }) => JSON.parse(await line())))
    },
    async exits(program) {
      const { exit } = await startStore(kind, { at, place, job: { type: 'program', program } })
      return exit()
    },
    skewed: (ms) => connect({ place, clock: ahead(clock, ms) }),
    ...(predecessor && { predecessor }),
    async dispose() {
      await proxy.pass({ lost: kind.fragile === undefined })
      for (const { close } of open) await close()
      await proxy.stop()
    },
  }
}
