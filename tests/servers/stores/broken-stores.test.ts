import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redis } from '../../support/servers/redis.js'
import { hasServer, type RunningServer } from '../../support/servers/server.js'
import * as broken from './broken-stores.js'
import type { StoreKind } from './kind.js'
import { faultTests } from './suites/faults.js'
import { processTests } from './suites/processes.js'
import type { SuiteTest } from './suites/suite.js'
import { wireTests } from './suites/wire.js'

interface Planted {
  readonly defect: string
  readonly kind: StoreKind
  readonly tests: readonly SuiteTest[]
  /** Parts of the names of the tests that have to fail. */
  readonly red: readonly string[]
  /** Of those that may, by how fast a client connects again; all others have to pass. */
  readonly maybe?: readonly string[]
  readonly patience?: number
}

const native = faultTests.filter(({ name }) => name.endsWith('(native)'))

/** Whatever loads through a connection that breaks. */
const BROKEN_LOADS = [
  'a server that cannot be reached',
  'a reset in the middle of the answer to a read',
  'a server that says no',
  'a server that crashes',
]

const RECOVERIES = [
  'a server that is lost between',
  'a black hole whose packets are lost',
  'a reset in the middle of the answer to a write',
]

/** Whatever loads, as it is counted. */
const WAITS = [
  'a read',
  'a change takes',
  'a sign-in takes',
  'a sign-out takes',
  'the response to',
  'under the drop-in a change',
  'under the drop-in a read',
]

const PLANTED: readonly Planted[] = [
  {
    defect: 'waits twice for a load',
    kind: broken.asksTwice,
    tests: wireTests,
    red: WAITS,
  },
  {
    defect: 'looks before it creates',
    kind: broken.looksBeforeItCreates,
    tests: wireTests,
    red: ['a new anonymous session', 'a sign-in takes'],
  },
  {
    defect: 'touches before it answers',
    kind: broken.touchesAtOnce,
    tests: wireTests,
    red: WAITS,
  },
  {
    defect: 'takes failures for misses',
    kind: broken.takesFailuresForMisses,
    tests: native,
    red: BROKEN_LOADS,
    maybe: RECOVERIES,
  },
  {
    defect: 'takes failures for success',
    kind: broken.takesFailuresForSuccess,
    tests: native,
    red: ['a server that is lost between', 'a server that says no'],
  },
  {
    defect: 'leaves a promise to itself',
    kind: broken.forgetsAPromise,
    tests: native,
    red: BROKEN_LOADS,
    maybe: RECOVERIES,
  },
  {
    defect: 'never works again',
    kind: broken.neverComesBack,
    tests: native,
    red: BROKEN_LOADS,
    // Whatever it has to come back from.
    maybe: ['a '],
    patience: 1000,
  },
  {
    defect: 'inserts what is gone',
    kind: broken.upserts,
    tests: native,
    red: ['a server that crashes'],
  },
  {
    defect: 'inserts what another process has ended',
    kind: broken.upserts,
    tests: processTests.filter(({ name }) => name.startsWith('what one process has signed out')),
    red: ['what one process has signed out'],
  },
  {
    defect: 'looks and then writes',
    kind: broken.looksAndThenWrites,
    tests: processTests.filter(({ name }) => name.startsWith('four processes count')),
    red: ['four processes count exactly'],
  },
]

describe.skipIf(!hasServer(redis))('the suites find a store that', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await redis.start()
  })
  afterAll(() => server?.stop())

  it.each(PLANTED)('$defect', async ({ kind, tests, red, maybe = [], patience = 20_000 }) => {
    const failed: string[] = []
    for (const { name, run } of tests) {
      await run({ kind, server, patience }).catch(() => failed.push(name))
    }
    const named = (parts: readonly string[]) =>
      tests.map(({ name }) => name).filter((name) => parts.some((part) => name.startsWith(part)))
    expect(red.filter((part) => named([part]).length === 0)).toEqual([])
    expect(failed).toEqual(expect.arrayContaining(named(red)))
    expect(named([...red, ...maybe])).toEqual(expect.arrayContaining(failed))
  })
})
