import fc from 'fast-check'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { MemoryStore, session } from '../../src/index.js'
import { FAKE_CLOCK_START, FakeClock } from '../../src/testing/index.js'
import { type AnyData, SECRET } from '../support/serve.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const IDLE = 2 * HOUR
const ABSOLUTE = 24 * HOUR

// Own lifetimes beyond the absolute end are in the sequences, each with its warning.
const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
afterAll(() => warnings.mockRestore())

type Step =
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'save' | 'touch' | 'read' | 'clean save' }
  | { readonly do: 'own'; readonly ms: number | undefined }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait'), ms: waits() }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('save', 'touch', 'read', 'clean save') }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('own'),
      ms: fc.option(fc.integer({ min: 1, max: 30 * HOUR }), { nil: undefined }),
    }),
  },
) as fc.Arbitrary<Step>

/** Also just before and after the ends, where the mistakes are. */
function waits(): fc.Arbitrary<number> {
  const ends = [MINUTE, IDLE, ABSOLUTE].flatMap((end) => [end - 1, end, end + 1])
  return fc.oneof(fc.integer({ min: 0, max: 3 * HOUR }), fc.constantFrom(...ends))
}

/** A session as the rules say it: when it was last used for sure, and for how long that is good. */
class Model {
  readonly started = FAKE_CLOCK_START
  used = FAKE_CLOCK_START
  own: number | undefined

  get end(): number {
    return Math.min(this.used + (this.own ?? IDLE), this.started + ABSOLUTE)
  }
}

describe('a session under any sequence of saves, touches and own lifetimes', () => {
  // The first store deletes what has expired; the second believes that it is 1970.
  it.each(['deletes', 'keeps'])(
    'ends when it should, on a store that %s the ended',
    async (how) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const clock = new FakeClock()
          const store = new MemoryStore({ clock: how === 'deletes' ? clock : new FakeClock(0) })
          const lifetimes = { idleTimeout: IDLE, absoluteTimeout: ABSOLUTE }
          const sessions = session<AnyData>({ secret: SECRET, clock, store, ...lifetimes })
          const headers = { cookie: `sid=${await sessions.issue({ n: 0 })}` }
          const model = new Model()
          for (const [n, one] of steps.entries()) {
            if (one.do === 'wait') clock.set(clock.now() + one.ms)
            const found = await sessions.read({ headers })
            expect(found === null).toBe(clock.now() >= model.end)
            if (found === null) return
            if (one.do === 'save') {
              Object.assign(found, { n: n + 1 })
              await found.save()
              model.used = clock.now()
            } else if (one.do === 'clean save') await found.save()
            else if (one.do === 'touch') {
              await found.touch()
              model.used = clock.now()
            } else if (one.do === 'own') {
              const before = found.cookie.maxAge
              found.cookie.maxAge = one.ms
              if (found.cookie.maxAge !== before) {
                await found.save()
                model.own = found.cookie.maxAge
                model.used = clock.now()
              }
            }
            await sessions.settled()
            for await (const { expiresAt } of store.entries()) {
              expect(expiresAt).toBe(model.used + (model.own ?? IDLE))
            }
          }
        }),
        { numRuns: 150 },
      )
    },
  )
})
