import { describe, expect, it, vi } from 'vitest'
import type { Held, MaybeRewrite } from '../../src/core/keeper.js'
import type { Entry, Replaced, Stored } from '../../src/core/store.js'
import type { StoreKeeper } from '../../src/core/store-keeper.js'
import { CoatcheckError } from '../../src/errors.js'
import { MemoryStore } from '../../src/index.js'
import { FakeClock } from '../../src/testing/index.js'
import { draft, IDLE, keeperOf, keepers, setting } from '../support/keeper.js'
import { WatchedStore } from '../support/watched-store.js'

const ALONE = { linked: false }

it('tells the store when a record ends at the latest, if anything ends it', async () => {
  const clock = new FakeClock()
  const entries: Entry[] = []
  class Noting extends MemoryStore {
    override create(key: string, entry: Entry): boolean {
      entries.push(entry)
      return super.create(key, entry)
    }
  }
  const { keeper } = keeperOf(new Noting({ clock }), clock)
  const started = clock.now()
  await keeper.create(keeper.newIdentity(), draft(clock))
  expect(entries).toMatchObject([{ expiresAt: started + IDLE, endsAt: started + 100 * IDLE }])
})

it('says of a failed commit what the store knows of it, with a status of its own', async () => {
  const clock = new FakeClock()
  for (const [retryable, outcome] of [
    [false, 'failed'],
    [true, 'unknown'],
  ] as const) {
    class Failing extends MemoryStore {
      override create(): never {
        const details = { retryable, outcome, cause: new Error('no') }
        throw new CoatcheckError('ERR_STORE', 'Failing: create failed', details)
      }
    }
    const { keeper } = keeperOf(new Failing({ clock }), clock)
    const creating = keeper.create(keeper.newIdentity(), draft(clock))
    await expect(creating).rejects.toMatchObject({ status: 500, retryable, outcome })
  }
})

describe('the record of a renewal that comes to nothing is removed', () => {
  it('when a logout elsewhere was faster', async () => {
    const { keeper, store, inner, held, keys, settled } = await keepers()
    const create = store.pause('create')
    const renewed = keeper.renew(held, keeper.newIdentity(), setting('a'), ALONE)
    await create.reached
    inner.destroy(held.identity.handle)
    create.resume()
    expect(await renewed).toEqual({ state: 'gone' })
    await settled()
    expect(await keys()).toEqual([])
  })

  it('when another renewal was faster, which stays', async () => {
    const { keeper, other, store, held, keys, settled } = await keepers()
    const create = store.pause('create')
    const renewed = keeper.renew(held, keeper.newIdentity(), setting('a'), ALONE)
    await create.reached
    const theirs = other.newIdentity()
    await other.renew(held, theirs, setting('b'), ALONE)
    create.resume()
    expect(await renewed).toEqual({ state: 'superseded' })
    await settled()
    expect((await keys()).sort()).toEqual([held.identity.handle, theirs.handle].sort())
  })

  it('when its maker declines what others have written meanwhile', async () => {
    const { keeper, other, store, held, keys, data, settled } = await keepers()
    const create = store.pause('create')
    const onlyFirst: MaybeRewrite = (latest) => (latest === held ? setting('a')(latest) : undefined)
    const renewed = keeper.renew(held, keeper.newIdentity(), onlyFirst, ALONE)
    await create.reached
    await other.change(held, setting('b'))
    create.resume()
    expect((await renewed).state).toBe('declined')
    await settled()
    expect(await keys()).toEqual([held.identity.handle])
    expect(await data(held)).toEqual({ b: true })
  })

  it('when its maker throws at what others have written meanwhile', async () => {
    const { keeper, other, store, held, keys, settled } = await keepers()
    const create = store.pause('create')
    const renewed = keeper.renew(
      held,
      keeper.newIdentity(),
      (latest) => {
        if (latest === held) return setting('a')(latest)
        throw new Error('mine')
      },
      ALONE,
    )
    await create.reached
    await other.change(held, setting('b'))
    create.resume()
    await expect(renewed).rejects.toMatchObject({ message: 'mine' })
    await settled()
    expect(await keys()).toEqual([held.identity.handle])
  })

  it('when the store fails at the old one', async () => {
    const { keeper, store, held, keys, settled } = await keepers()
    store.fail('replace')
    const renewed = keeper.renew(held, keeper.newIdentity(), setting('a'), ALONE)
    await expect(renewed).rejects.toMatchObject({ code: 'ERR_STORE' })
    await settled()
    expect(await keys()).toEqual([held.identity.handle])
  })

  it('when the store does not answer to its create in time, and does it afterwards', async () => {
    const { keeper, store, clock, held, keys, settled } = await keepers()
    const create = store.pause('create')
    const renewed = keeper.renew(held, keeper.newIdentity(), setting('a'), ALONE)
    const failed = expect(renewed).rejects.toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
    await create.reached
    await clock.advance(2000)
    await failed
    create.resume()
    await clock.advance(0)
    await settled()
    expect(store.calls).toEqual(['create', 'destroy'])
    expect(await keys()).toEqual([held.identity.handle])
  })
})

describe('a create', () => {
  it('that the store does after it was given up leaves no record behind', async () => {
    const { keeper, store, clock, held, keys, settled } = await keepers()
    const create = store.pause('create')
    const created = keeper.create(keeper.newIdentity(), draft(clock))
    const failed = expect(created).rejects.toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
    await create.reached
    await clock.advance(2000)
    await failed
    create.resume()
    await clock.advance(0)
    await settled()
    expect(await keys()).toEqual([held.identity.handle])
  })

  it('that was given up, and whose id was taken, leaves the other session alone', async () => {
    const { keeper, store, clock, held, data, settled } = await keepers()
    const create = store.pause('create')
    const created = keeper.create(held.identity, draft(clock))
    const failed = expect(created).rejects.toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
    await create.reached
    await clock.advance(2000)
    await failed
    create.resume()
    await clock.advance(0)
    await settled()
    expect(store.calls).toEqual(['create'])
    expect(await data(held)).toEqual({})
  })

  it('under an id that is taken makes a session of its own, and leaves the other as it is', async () => {
    const { keeper, store, clock, inner, held, data } = await keepers()
    const before = inner.load(held.identity.handle)
    const mine = await keeper.create(held.identity, setting('a')(held))
    expect(store.calls).toEqual(['create', 'create'])
    expect(mine.identity.id).not.toBe(held.identity.id)
    expect(await data(mine)).toEqual({ a: true })
    expect(inner.load(held.identity.handle)).toEqual(before)
    expect(clock.pending).toBe(0)
  })

  it.each([
    [3, 'a session under the third new id', 4],
    [4, 'ERR_ID_TAKEN', 4],
  ])(
    'of which the store says %i times that its id is taken gives %s',
    async (times, result, calls) => {
      let taken = 0
      class Full extends MemoryStore {
        override create(key: string, entry: Entry): boolean {
          return taken++ < times ? false : super.create(key, entry)
        }
      }
      const clock = new FakeClock()
      const store = new WatchedStore(new Full({ clock }))
      const { keeper } = keeperOf(store, clock)
      const given = await keeper.create(keeper.newIdentity(), draft(clock)).then(
        () => 'a session under the third new id',
        (error: { code: string }) => error.code,
      )
      expect(given).toBe(result)
      expect(store.calls).toEqual(Array(calls).fill('create'))
    },
  )
})

describe('commits of one session in one process', () => {
  it('never meet in the store, and each starts from what the one before has written', async () => {
    const { keeper, store, clock, held, data } = await keepers()
    const replace = store.pause('replace')
    const written = ['a', 'b', 'c'].map((key) => keeper.change(held, setting(key)))
    await replace.reached
    await clock.advance(0)
    expect(store.calls).toEqual(['replace'])
    replace.resume()
    await Promise.all(written)
    // A load would tell of an answer `changed`.
    expect(store.calls).toEqual(['replace', 'replace', 'replace'])
    expect(await data(held)).toEqual({ a: true, b: true, c: true })
  })

  it('wait for those before them also if they come while the line moves on', async () => {
    const { keeper, store, clock, held, data } = await keepers()
    const first = store.pause('replace')
    const written = ['a', 'b'].map((key) => keeper.change(held, setting(key)))
    await first.reached
    first.resume()
    const second = store.pause('replace')
    await second.reached
    written.push(keeper.change(held, setting('c')))
    await clock.advance(0)
    expect(store.count('replace')).toBe(2)
    second.resume()
    await Promise.all(written)
    expect(store.calls).toEqual(['replace', 'replace', 'replace'])
    expect(await data(held)).toEqual({ a: true, b: true, c: true })
  })

  it('do not wait for those of another session', async () => {
    const { keeper, store, clock, held } = await keepers()
    const second = await keeper.create(keeper.newIdentity(), draft(clock))
    const replace = store.pause('replace')
    const written = [held, second].map((one) => keeper.change(one, setting('a')))
    await replace.reached
    await clock.advance(0)
    expect(store.count('replace')).toBe(2)
    replace.resume()
    await Promise.all(written)
  })

  it('can end in a renewal or a logout, which lose no race either', async () => {
    const { keeper, store, held, data } = await keepers()
    const identity = keeper.newIdentity()
    const [, renewed] = await Promise.all([
      keeper.change(held, setting('a')),
      keeper.renew(held, identity, setting('b'), ALONE),
    ])
    expect(store.calls).toEqual(['replace', 'create', 'replace'])
    expect(renewed.state).toBe('stored')
    const now = (renewed as { held: Held }).held
    expect(await data(now)).toEqual({ a: true, b: true })
    store.calls.length = 0
    await Promise.all([keeper.change(now, setting('c')), keeper.destroy(now)])
    expect(store.calls).toEqual(['replace', 'replace', 'destroy'])
    expect(await data(now)).toBe('gone')
  })

  it('keep nothing of a line that is over', async () => {
    const { keeper, other, store, held, data } = await keepers()
    await keeper.change(held, setting('a'))
    await other.change(held, setting('b'))
    store.calls.length = 0
    // From what its caller holds, not from a note of long ago.
    const opened = await other.reload(held.identity)
    await keeper.change((opened as { held: Held }).held, setting('c'))
    expect(store.calls).toEqual(['replace'])
    expect(await data(held)).toEqual({ a: true, b: true, c: true })
  })

  it('go on at the time limit of one that is stuck', async () => {
    const { keeper, store, clock, held, data } = await keepers()
    store.silence('replace')
    const stuck = expect(keeper.change(held, setting('a'))).rejects.toMatchObject({
      code: 'ERR_STORE_TIMEOUT',
    })
    await clock.advance(1500)
    expect(store.calls).toEqual(['replace'])
    store.recover()
    const next = keeper.change(held, setting('b'))
    await clock.advance(499)
    expect(store.calls).toEqual(['replace'])
    await clock.advance(1)
    await stuck
    expect((await next).state).toBe('stored')
    expect(await data(held)).toEqual({ b: true })
  })

  it('whose own time is over when their turn comes do nothing', async () => {
    // The loop was blocked: all timers are late at once.
    const timers = new Set<() => void>()
    const clock = {
      now: () => 0,
      setTimeout: (run: () => void) => {
        timers.add(run)
        return run
      },
      clearTimeout: (timer: unknown) => void timers.delete(timer as () => void),
    }
    const inner = new MemoryStore({ clock })
    const store = new WatchedStore(inner)
    const { keeper } = keeperOf(store, clock)
    const held = await keeper.create(keeper.newIdentity(), draft(clock))
    const replace = store.pause('replace')
    const both = Promise.allSettled([keeper.change(held, setting('a')), keeper.destroy(held)])
    await replace.reached
    for (const run of timers) run()
    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await new Promise((resolve) => setImmediate(resolve))
    expect(store.calls).toEqual(['create', 'replace'])
  })
})

/** A store in which somebody else is always faster, at the key of the session that is there. */
class Busy extends MemoryStore {
  key = ''

  override replace(key: string, entry: Entry, seen: Stored): Replaced {
    return key === this.key ? 'changed' : super.replace(key, entry, seen)
  }
}

describe('a commit that loses every race', () => {
  it.each<[string, (keeper: StoreKeeper, held: Held) => Promise<unknown>, number]>([
    ['change', (keeper, held) => keeper.change(held, setting('a')), 40],
    [
      'renewal',
      (keeper, held) => keeper.renew(held, keeper.newIdentity(), setting('a'), ALONE),
      80,
    ],
    ['logout', (keeper, held) => keeper.destroy(held), 40],
  ])(
    'gives up with ERR_CONFLICT, and has written nothing: a %s',
    async (_name, commit, replaces) => {
      // Pauses between the tries as short as they get.
      const random = vi.spyOn(Math, 'random').mockReturnValue(0)
      const clock = new FakeClock()
      const inner = new Busy({ clock })
      const store = new WatchedStore(inner)
      const { keeper, settled } = keeperOf(store, clock)
      const held = await keeper.create(keeper.newIdentity(), draft(clock))
      inner.key = held.identity.handle
      const before = inner.load(inner.key)
      await expect(commit(keeper, held)).rejects.toMatchObject({
        code: 'ERR_CONFLICT',
        status: 409,
        retryable: true,
        outcome: 'failed',
      })
      random.mockRestore()
      await settled()
      expect(store.count('replace')).toBe(replaces)
      const left: string[] = []
      for await (const { key } of inner.entries()) left.push(key)
      expect(left).toEqual([inner.key])
      expect(inner.load(inner.key)).toEqual(before)
    },
  )
})

describe('a list', () => {
  it('names no session of another user, whatever the index says', async () => {
    const clock = new FakeClock()
    class Confused extends MemoryStore {
      override async keysOfUser(): Promise<string[]> {
        return [...(await super.keysOfUser('ada')), ...(await super.keysOfUser('bob'))]
      }
    }
    const { keeper } = keeperOf(new Confused({ clock }), clock)
    const made = draft(clock)
    const login = (user: string) =>
      keeper.create(keeper.newIdentity(), { ...made, facts: { ...made.facts, user } })
    const [ada, bob] = [await login('ada'), await login('bob')]
    const names = (found: Held[]) => found.map(({ identity }) => identity.handle)
    expect(names(await keeper.list('ada'))).toEqual([ada.identity.handle])
    const ended: Held[] = []
    const onEnded = (held: Held) => void ended.push(held)
    await keeper.revokeUser('ada', { except: [], renewing: new Map(), onEnded })
    expect(names(ended)).toEqual([ada.identity.handle])
    expect(names(await keeper.list('bob'))).toEqual([bob.identity.handle])
  })

  it('takes an index that answers at once', async () => {
    const clock = new FakeClock()
    const inner = new MemoryStore({ clock })
    let keys: string[] = []
    const store = Object.assign(new WatchedStore(inner), { keysOfUser: () => keys as never })
    const { keeper } = keeperOf(store, clock)
    const made = draft(clock)
    const facts = { ...made.facts, user: 'ada' }
    const ada = await keeper.create(keeper.newIdentity(), { ...made, facts })
    keys = [ada.identity.handle]
    expect(await keeper.list('ada')).toHaveLength(1)
  })

  it('fails if one of the records cannot be read', async () => {
    const clock = new FakeClock()
    const inner = new MemoryStore({ clock })
    const store = Object.assign(new WatchedStore(inner), {
      keysOfUser: (user: string) => inner.keysOfUser(user),
    })
    const { keeper } = keeperOf(store, clock)
    const made = draft(clock)
    const facts = { ...made.facts, user: 'ada' }
    await keeper.create(keeper.newIdentity(), { ...made, facts })
    store.fail('load')
    await expect(keeper.list('ada')).rejects.toMatchObject({ code: 'ERR_STORE' })
  })
})

describe('a session that a clock has ended', () => {
  /** The record as it is met once the lowered clock of another node has passed its end. */
  async function met() {
    const made = await keepers()
    await made.clock.advance(IDLE - 1)
    const opened = await made.other.reload(made.held.identity)
    if (opened.state !== 'live') throw new Error('it should live')
    return { ...made, seen: opened.held.stored, handle: made.held.identity.handle }
  }

  it('is removed', async () => {
    const { keeper, handle, seen, keys } = await met()
    expect(await keeper.forget(handle, seen)).toBe(true)
    expect(await keys()).toEqual([])
  })

  it('stays if somebody has kept it alive and written to it meanwhile', async () => {
    const { keeper, other, held, handle, seen, store, data } = await met()
    const replace = store.pause('replace')
    const removed = keeper.forget(handle, seen)
    await replace.reached
    await other.change(held, setting('cart'))
    replace.resume()
    expect(await removed).toBe(false)
    expect(await data(held)).toEqual({ cart: true })
  })

  it('has one who removed it, however many have met it', async () => {
    const { keeper, other, handle, seen } = await met()
    const removed = await Promise.all([keeper.forget(handle, seen), other.forget(handle, seen)])
    expect(removed.sort()).toEqual([false, true])
  })

  it('has ended also where what stands in for it cannot be removed, and nobody meets that', async () => {
    const { keeper, other, held, handle, seen, store, errors } = await met()
    store.fail('destroy')
    expect(await keeper.forget(handle, seen)).toBe(true)
    expect(errors).toHaveLength(1)
    expect(await other.reload(held.identity)).toEqual({ state: 'gone', handle })
  })
})

/** A store that keeps what has expired, as one whose clock is behind does. */
function onSlowClock() {
  const clock = new FakeClock()
  const inner = new MemoryStore({ clock: new FakeClock(clock.now() - 100 * IDLE) })
  const store = new WatchedStore(inner)
  return { clock, inner, store, ...keeperOf(store, clock) }
}

describe('a renewal', () => {
  it('by a handler that runs past the end of its session makes none', async () => {
    const { clock, keeper, store } = onSlowClock()
    const held = await keeper.create(keeper.newIdentity(), draft(clock))
    await clock.advance(IDLE)
    store.calls.length = 0
    const renewed = keeper.renew(held, keeper.newIdentity(), setting('a'), ALONE)
    expect(await renewed).toEqual({ state: 'gone' })
    expect(store.count('create')).toBe(0)
  })

  it('is remembered under the old id for ten seconds, by the date in its record', async () => {
    const { clock, keeper } = onSlowClock()
    const held = await keeper.create(keeper.newIdentity(), draft(clock))
    await keeper.renew(held, keeper.newIdentity(), setting('a'), ALONE)
    await clock.advance(9999)
    expect((await keeper.reload(held.identity)).state).toBe('superseded')
    await clock.advance(1)
    expect((await keeper.reload(held.identity)).state).toBe('gone')
  })

  it('leaves a record that the store may forget after ten seconds', async () => {
    const { clock, keeper, inner, held } = await keepers()
    await keeper.renew(held, keeper.newIdentity(), setting('a'), ALONE)
    expect(inner.load(held.identity.handle)?.expiresAt).toBe(clock.now() + 10_000)
  })
})

describe('a touch that arrives after a write that set out later', () => {
  it('does not bring back the lifetime that the session has given up', async () => {
    const { clock, keeper, store, inner, held, settled } = await keepers()
    const touch = store.pause('touch')
    const touched = keeper.touch(held)
    await touch.reached
    const shorter = IDLE / 60
    await keeper.change(held, (latest) => {
      const { facts, entries } = setting('a')(latest)
      return { facts: { ...facts, own: shorter, idle: shorter }, entries }
    })
    touch.resume()
    await touched
    await settled()
    expect(inner.load(held.identity.handle)?.expiresAt).toBe(clock.now() + shorter)
  })

  it('does not keep the record that a renewal has left for the life of a session', async () => {
    const { clock, keeper, store, inner, held, settled } = await keepers()
    const touch = store.pause('touch')
    const touched = keeper.touch(held)
    await touch.reached
    await keeper.renew(held, keeper.newIdentity(), setting('a'), ALONE)
    touch.resume()
    await touched
    await settled()
    expect(inner.load(held.identity.handle)?.expiresAt).toBe(clock.now() + 10_000)
  })
})
