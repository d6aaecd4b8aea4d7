import { spawnSync } from 'node:child_process'
import * as nodeTest from 'node:test'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Entry, Stored } from '../../src/core/store.js'
import { type StoreHarness, type TestRunner, testStore } from '../../src/testing/index.js'
import { builtUrl } from '../support/built.js'
import { brokenStores } from './broken-stores.js'
import { collectingRunner, failedGroups, type Outcome } from './collecting-runner.js'
import { harnessOf, ReferenceStore, type Row, type Setting } from './reference-store.js'

const honest = (setting: Setting) => new ReferenceStore(setting)

testStore({ describe, it }, 'An honest store', harnessOf(honest))

describe('a store with one defect fails in the clause of that defect', () => {
  it.each(brokenStores)('$clause: a store that $defect', async (broken) => {
    // The model of S24 goes over everything again: what it finds too is no matter.
    const skips = broken.clause === 'S24' ? {} : { S24: 'another defect' }
    const options = { ...broken.options, skips: { ...broken.options?.skips, ...skips } }
    const outcomes = await conformance(harnessOf(broken.make, options))
    const failed = failedGroups(outcomes)
    expect(failed).toContain(broken.clause)
    // A defect is found where it belongs, and not by chance somewhere else.
    if (broken.also === 'most') return
    expect(failed.sort().join(' ')).toBe([broken.clause, ...broken.also].sort().join(' '))
  })

  it('for every clause that has tests', async () => {
    const groups = (await conformance(harnessOf(honest))).map(({ path }) => path[1]!.split(' ')[0]!)
    const clauses = new Set(groups.filter((group) => /^S\d+$/.test(group)))
    expect(new Set(brokenStores.map(({ clause }) => clause))).toEqual(clauses)
  })
})

describe('the suite', () => {
  it('names the operation that never settles', async () => {
    const never = brokenStores.find(({ defect }) => defect.startsWith('never answers'))!
    const outcomes = await conformance(harnessOf(never.make, { ...never.options, limit: 50 }))
    const messages = outcomes.map(({ error }) => (error as Error | undefined)?.message)
    expect(messages).toContain('touch did not settle within 50 ms')
  })

  it('shows a skipped clause with its reason', async () => {
    const reason = 'nobody ever sweeps here'
    const outcomes = await conformance(harnessOf(honest, { skips: { S19: reason } }))
    const sweeping = outcomes.filter(({ path }) => path[1]?.startsWith('S19 '))
    expect(sweeping.length).toBeGreaterThan(5)
    expect(sweeping.every(({ skipped }) => skipped === reason)).toBe(true)
  })

  it('skips what needs something that is named as lacking, with its reason', async () => {
    const bare = bareHarness({
      sweep: 'no sweep',
      entries: 'no entries',
      keysOfUser: 'no index',
      another: 'one process',
      elsewhere: 'one place',
      plant: 'no way in',
      trips: 'no wire',
      processes: 'one process',
      outage: 'nothing to lose',
      blackHole: 'nothing to wait for',
      exits: 'one process',
      skewed: 'one clock',
      predecessor: 'the first of its kind',
    })
    const outcomes = await conformance(bare)
    expect(failedGroups(outcomes)).toEqual([])
    expect(outcomes.filter(({ skipped }) => skipped === 'no index').length).toBeGreaterThan(10)
    expect(outcomes.filter(({ skipped }) => skipped === 'no wire').length).toBeGreaterThan(10)
    expect(outcomes.filter(({ skipped }) => skipped === undefined).length).toBeGreaterThan(100)
  })

  it('fails what needs something that is lacking and not named', async () => {
    const outcomes = await conformance(bareHarness({}))
    const messages = outcomes.map(({ error }) => String((error as Error | undefined)?.message))
    expect(failedGroups(outcomes)).toContain('S23')
    expect(messages.join()).toContain('the store has no sweep; if that is meant, say why')
    expect(messages.join()).toContain('the harness offers no trips; if that is meant, say why')
  })

  it('fails a harness that names as lacking what is there', async () => {
    const outcomes = await conformance(harnessOf(honest, { lacks: { sweep: 'forgotten' } }))
    expect(failedGroups(outcomes)).toEqual(['the'])
  })

  it('asks a store that has a time limit of its own to keep it', async () => {
    const harness = harnessOf(honest, { patience: 20 })
    const outcomes = await conformance({
      ...harness,
      async open() {
        const subject = await harness.open()
        return { ...subject, blackHole: { ...subject.blackHole!, limit: 30 } }
      },
    })
    expect(failedGroups(outcomes)).toEqual(['S10'])
    const messages = outcomes.map(({ error }) => String((error as Error | undefined)?.message))
    expect(messages.join()).toContain("did not end at the store's own limit of 30 ms")
  })

  it('disposes of a store after each test, failed ones too', async () => {
    const harness = harnessOf(brokenStores[0]!.make)
    let open = 0
    await conformance({
      ...harness,
      async open() {
        open++
        return { ...(await harness.open()), dispose: () => void open-- }
      },
    })
    expect(open).toBe(0)
  })

  it('passes for a store whose expiry has whole seconds, rounded up', async () => {
    class Seconds extends ReferenceStore {
      override put(...[key, entry]: Parameters<ReferenceStore['put']>): void {
        // What is over already must not be rounded into life.
        const over = entry.expiresAt <= this.clock.now()
        const expiresAt = Math.ceil(entry.expiresAt / 1000) * 1000
        super.put(key, over ? entry : { ...entry, expiresAt })
      }
    }
    const make = (setting: Setting) => new Seconds(setting)
    expect(failures(await conformance(harnessOf(make, { unit: 1000 })))).toEqual([])
    expect(failedGroups(await conformance(harnessOf(make)))).toContain('S7')
  })

  it('passes for a store whose records have versions of their own', async () => {
    let versions = 0
    const make = (setting: Setting) => new Versioned(setting, () => ++versions)
    expect(failures(await conformance(harnessOf(make, { skips: { S22: 'no version' } })))).toEqual(
      [],
    )
  })

  it('tells the reason in the title for a runner that can only skip', () => {
    const titles: string[] = []
    const it = Object.assign(() => {}, { skip: (name: string) => titles.push(name) })
    const describe = (_: string, body: () => void) => body()
    testStore({ describe, it }, 'x', harnessOf(honest, { skips: { S1: 'no time' } }))
    expect(titles[0]).toMatch(/ \(skipped: no time\)$/)
  })

  it('takes node:test as a runner', () => {
    const runner: TestRunner = { describe: nodeTest.describe, it: nodeTest.it }
    expect(runner.it).toBe(nodeTest.it)
  })

  it('waits in a process that nothing else holds', () => {
    const script = fileURLToPath(new URL('silent-store.mjs', import.meta.url))
    const args = ['--test-reporter=tap', script, builtUrl()]
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    expect(stdout).toMatch(/^ *ok \d+ - no operation is said to be done$/m)
    expect(stdout).toMatch(/^ *ok \d+ - its late answers are ignored, and records are whole$/m)
    expect(status).toBe(0)
  })
})

/** Knows a record by the number of its last write, whose text may be any. */
class Versioned extends ReferenceStore {
  readonly #next: () => number

  constructor(setting: Setting, next: () => number) {
    super(setting)
    this.#next = next
  }

  override async load(key: string): Promise<Stored | undefined> {
    const stored = await super.load(key)
    const row = this.live(key)
    return stored && row && { ...stored, version: versionOf(row) }
  }
  override same(row: Row, seen: Stored): boolean {
    return versionOf(row) === seen.version
  }
  override put(key: string, entry: Entry): void {
    super.put(key, entry)
    // A touch writes the row that it has found.
    const row = { ...this.row(key), version: versionOf(entry) ?? this.#next() }
    this.place.rows.set(this.prefix + key, JSON.stringify(row))
  }
}

function versionOf(row: Entry & { version?: number }): number | undefined {
  return row.version
}

async function conformance(harness: StoreHarness): Promise<Outcome[]> {
  const { runner, run } = collectingRunner()
  testStore(runner, 'the store', harness)
  return run()
}

function failures(outcomes: Outcome[]): string[] {
  return outcomes.filter(({ error }) => error !== undefined).map(({ name }) => name)
}

/** Only what every store must have. */
function bareHarness(lacks: NonNullable<StoreHarness['lacks']>): StoreHarness {
  const full = harnessOf(honest)
  return {
    lacks,
    async open() {
      const { store, clock, advance } = await full.open()
      const { load, create, replace, touch, destroy } = store
      const bare = { load, create, replace, touch, destroy }
      for (const name of Object.keys(bare) as (keyof typeof bare)[]) {
        Object.assign(bare, { [name]: store[name].bind(store) })
      }
      return { store: bare, clock, advance }
    },
  }
}
