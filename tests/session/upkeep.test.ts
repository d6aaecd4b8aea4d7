import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Reporting, StoreReport } from '../../src/core/store.js'
import { MemoryStore } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { serveApp } from '../support/serve.js'
import { turns } from '../support/turns.js'
import { WatchedStore } from '../support/watched-store.js'

const QUARTER = 15 * 60_000

/** A store that notes when it is swept, and answers what the test says. */
class Swept extends MemoryStore {
  readonly at: number[] = []
  answers: (number | Error)[] = []
  readonly #clock: FakeClock

  constructor(clock: FakeClock) {
    super({ clock })
    this.#clock = clock
  }

  override async sweep(): Promise<number> {
    this.at.push(this.#clock.now())
    const answer = this.answers.shift() ?? 0
    if (answer instanceof Error) throw answer
    return answer
  }
}

/** An app that has had its first request, at `start`; its sweeps are exactly a quarter apart. */
async function swept() {
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
  onTestFinished(() => random.mockRestore())
  const clock = new FakeClock()
  const store = new Swept(clock)
  const made = await serveApp(() => {}, { store, clock })
  const errors: unknown[] = []
  made.sessions.on('error', ({ error }) => errors.push(error))
  await made.browser().get('/')
  return { ...made, store, errors, start: clock.now() }
}

describe('the sweep', () => {
  it('comes again after each quarter of an hour', async () => {
    const { clock, store, start } = await swept()
    await clock.advance(4 * QUARTER - 1)
    expect(store.at).toEqual([1, 2, 3].map((count) => start + count * QUARTER))
    await clock.advance(1)
    expect(store.at).toHaveLength(4)
  })

  it('that fails is an error event, and comes again all the same', async () => {
    const { clock, store, start, errors } = await swept()
    store.answers = [new Error('connection lost')]
    await clock.advance(2 * QUARTER)
    expect(store.at).toEqual([start + QUARTER, start + 2 * QUARTER])
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_STORE', op: 'sweep' })])
  })

  it('goes on at once as long as it removes as many as it may', async () => {
    const { clock, store, start } = await swept()
    store.answers = [1000, 1000, 999]
    await clock.advance(QUARTER)
    expect(store.at).toEqual(Array(3).fill(start + QUARTER))
  })

  it('does not come again after close()', async () => {
    const { clock, store, sessions } = await swept()
    await clock.advance(QUARTER)
    await sessions.close()
    await clock.advance(2 * QUARTER)
    expect(store.at).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })
})

describe('what a store tells', () => {
  it('of a record that it had to evict is the end of that session', async () => {
    const clock = new FakeClock()
    const store = new MemoryStore({ clock, maxEntries: 1 })
    const { sessions } = await serveApp(() => {}, { store, clock })
    const ended: unknown[] = []
    sessions.on('destroy', (event) => ended.push(event))
    await sessions.issue({ userId: 'ada' })
    const [{ id } = { id: '' }] = await sessions.list('ada')
    await sessions.issue({ userId: 'bob' })
    expect(ended).toEqual([{ id, user: 'ada', reason: 'evicted', at: clock.now() }])
  })

  it('of a failure that nobody waited for is an error event', async () => {
    let tell = (_report: StoreReport) => {}
    const reporting: Reporting = {
      onReport(listener) {
        tell = listener
        return () => {
          tell = () => {}
        }
      },
    }
    const store = Object.assign(new WatchedStore(new MemoryStore()), reporting)
    const { sessions } = await serveApp(() => {}, { store })
    const errors: unknown[] = []
    sessions.on('error', ({ error }) => errors.push(error))
    const cause = new Error('disk full')
    const report = { type: 'error', op: 'clean up', error: cause } as const
    tell(report)
    expect(errors).toEqual([
      expect.objectContaining({ code: 'ERR_STORE', op: 'clean up', store: 'WatchedStore', cause }),
    ])
    await sessions.close()
    tell(report)
    await turns()
    expect(errors).toHaveLength(1)
  })
})
