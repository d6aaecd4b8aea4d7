import { describe, expect, it } from 'vitest'
import type { Held } from '../../src/core/keeper.js'
import type { StoreKeeper } from '../../src/core/store-keeper.js'
import { IDLE, keepers, LIMIT, setting } from '../support/keeper.js'
import type { Operation } from '../support/watched-store.js'

const commits = {
  change: (keeper: StoreKeeper, held: Held) => keeper.change(held, setting('mine')),
  renewal: (keeper: StoreKeeper, held: Held) =>
    keeper.renew(held, keeper.newIdentity(), setting('mine'), { linked: false }),
  logout: (keeper: StoreKeeper, held: Held) => keeper.destroy(held),
}

/**
 * One commit, of which the store answers one operation too late; with somebody else's commit before
 * it, so that there would be more to do.
 */
async function lateAnswer(
  commit: keyof typeof commits,
  path: readonly Operation[],
  before: 'changed' | 'untouched' | 'kept alive',
) {
  const { keeper, other, store, clock, held, data, settled } = await keepers()
  if (before === 'changed') await other.change(held, setting('theirs'))
  if (before === 'kept alive') {
    await clock.advance(IDLE - 1)
    await other.touch(held)
    await clock.advance(1)
  }
  let paused = store.pause(path[0]!)
  const done = commits[commit](keeper, held)
  const failed = expect(done).rejects.toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
  for (const operation of path.slice(1)) {
    await paused.reached
    const next = store.pause(operation)
    // Apart, so that no limit of a single operation ends the work in place of the whole one's.
    await clock.advance(1)
    paused.resume()
    paused = next
  }
  await paused.reached
  expect(store.calls).toEqual(path)
  await clock.advance(LIMIT - path.length + 1)
  await failed
  await settled()
  store.calls.length = 0
  paused.resume()
  await clock.advance(0)
  await settled()
  return { callsAfter: store.calls, data: await data(held) }
}

describe('a commit that was told to be too late does no further store call', () => {
  it.each<[keyof typeof commits, Operation[], 'changed' | 'untouched' | 'kept alive']>([
    ['change', ['replace'], 'changed'],
    ['change', ['replace', 'load'], 'changed'],
    ['change', ['load'], 'kept alive'],
    ['renewal', ['create', 'replace'], 'changed'],
    ['renewal', ['create', 'replace', 'load'], 'changed'],
    ['renewal', ['load'], 'kept alive'],
    ['logout', ['replace'], 'changed'],
    ['logout', ['replace', 'load'], 'changed'],
    ['logout', ['replace'], 'untouched'],
  ])('a %s after %j, of a session that was %s', async (commit, path, before) => {
    const { callsAfter } = await lateAnswer(commit, path, before)
    expect(callsAfter).toEqual([])
  })

  it('and a renewal ends no old session, also if its new record cannot be removed', async () => {
    const { keeper, other, store, clock, held, data, errors, settled } = await keepers()
    await other.change(held, setting('theirs'))
    const load = store.pause('load')
    const renewed = commits.renewal(keeper, held)
    const failed = expect(renewed).rejects.toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
    await load.reached
    const replace = store.pause('replace')
    load.resume()
    await replace.reached
    store.fail('destroy')
    await clock.advance(LIMIT)
    await failed
    replace.resume()
    await clock.advance(0)
    await settled()
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_STORE', op: 'destroy' })])
    expect(await data(held)).toEqual({ theirs: true })
  })

  it('and what somebody else has stored stays', async () => {
    const { data } = await lateAnswer('logout', ['replace'], 'changed')
    expect(data).toEqual({ theirs: true })
  })
})
