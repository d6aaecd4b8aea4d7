import { describe, expect, it } from 'vitest'
import { Held, type Opened } from '../../src/core/keeper.js'
import { lookAtAll, revokeAll } from '../../src/core/user-sessions.js'
import { CoatcheckError } from '../../src/errors.js'

const NOW = 1_000_000

const silence = new CoatcheckError('ERR_STORE_TIMEOUT', 'no answer')

function held(handle: string, started = NOW - 1): Held {
  const facts = { created: started, started, idle: 1000, user: 'ada' }
  return new Held({ id: '', handle }, facts, { text: '', expiresAt: NOW + 1000 })
}

interface Trouble {
  /** Failures of records that could not be read, in each reading; the last repeats. */
  unread?: Error[][]
}

/** Ends the sessions that the index names in each reading of it; the last reading repeats. */
async function revoke(
  readings: Held[][],
  except: string[] = [],
  renewing: readonly [string, string][] = [],
  { unread = [] }: Trouble = {},
) {
  let reads = 0
  const tried: string[] = []
  const ended: string[] = []
  const last = <T>(all: T[][]) => all[Math.min(reads, all.length - 1)] ?? []
  const outcome = await revokeAll({
    now: NOW,
    except,
    renewing: new Map(renewing),
    onEnded: ({ identity }) => void ended.push(identity.handle),
    list: async () => {
      const listing = { found: last(readings), failures: last(unread) }
      reads++
      return listing
    },
    look: async (handle) => ({ state: 'gone', handle }),
    destroy: async (one) => {
      const { handle } = one.identity
      tried.push(handle)
      if (handle.startsWith('silent')) throw silence
      if (handle.startsWith('broken')) throw new Error(`${handle} cannot be written`)
      return handle.startsWith('gone') ? undefined : one
    },
  }).catch((error: Error) => error.message)
  return { reads, tried, ended, outcome }
}

describe('ending all sessions of a user', () => {
  it('reads the list again until nothing of before the call is in it', async () => {
    // A regenerate() between list and end: another handle, the same start.
    const { ended, reads } = await revoke([[held('a')], [held('a, renewed')], []])
    expect(ended).toEqual(['a', 'a, renewed'])
    expect(reads).toBe(3)
  })

  it('ends more sessions than a call takes arguments', async () => {
    const many = Array.from({ length: 200_000 }, (_, n) => held(`${n}`))
    const { ended, outcome } = await revoke([many, []])
    expect([outcome, ended.length]).toEqual([200_000, 200_000])
  })

  it('spares a login that comes after the call', async () => {
    const login = held('login', NOW + 1)
    expect((await revoke([[held('a')], [login]])).ended).toEqual(['a'])
  })

  it('takes whatever is there at the call, whichever clock has dated it, and its renewal', async () => {
    const start = NOW + 5000
    const { ended } = await revoke([
      [held('ahead', start)],
      [held('ahead, renewed', start), held('login', start + 1)],
      [held('login', start + 1)],
    ])
    expect(ended).toEqual(['ahead', 'ahead, renewed'])
  })

  it('spares the exceptions each time', async () => {
    const { ended, tried } = await revoke(
      [[held('a'), held('here')], [held('here'), held('also here')], [held('here')]],
      ['here', 'also here'],
    )
    expect(ended).toEqual(['a'])
    expect(tried).toEqual(['a'])
  })

  it('counts only what it has ended itself', async () => {
    expect((await revoke([[held('gone'), held('a')], []])).ended).toEqual(['a'])
  })

  it('stops, although a broken index names the same session for ever', async () => {
    expect((await revoke([[held('gone')]])).reads).toBe(50)
  })

  it('tells of each end and counts it', async () => {
    const { ended, outcome } = await revoke([[held('a'), held('gone'), held('b')], []])
    expect([ended, outcome]).toEqual([['a', 'b'], 2])
  })

  it('goes on after a session that cannot be ended, tries it once, and fails at last', async () => {
    const broken = [held('broken 1'), held('broken 2')]
    const { ended, tried, outcome } = await revoke([
      [held('a'), ...broken, held('b')],
      [...broken, held('c')],
      broken,
    ])
    expect(ended).toEqual(['a', 'b', 'c'])
    expect(tried).toEqual(['a', 'broken 1', 'broken 2', 'b', 'c'])
    expect(outcome).toBe('broken 1 cannot be written')
  })

  it('gives up on a store that has fallen silent, and not on one that is slow once', async () => {
    const all = ['silent 1', 'a', 'silent 2', 'silent 3', 'silent 4', 'b'].map((name) => held(name))
    const { tried, outcome } = await revoke([all])
    expect(tried).toEqual(['silent 1', 'a', 'silent 2', 'silent 3', 'silent 4'])
    expect(outcome).toBe('no answer')
  })

  it('ends what it can read, and fails for what it could not read to the last', async () => {
    const unread = [new Error('not to be read')]
    const readings = [[held('a')], [held('b')], []]
    expect(await revoke(readings, [], [], { unread: [unread] })).toMatchObject({
      ended: ['a', 'b'],
      outcome: 'not to be read',
    })
    const once = await revoke(readings, [], [], { unread: [unread, []] })
    expect(once).toMatchObject({ ended: ['a', 'b'], outcome: 2 })
  })
})

describe('the records that an index names', () => {
  const live = (handle: string): Opened => ({ state: 'live', held: held(handle) })

  it('are looked at a few at a time, however many they are', async () => {
    let open = 0
    let most = 0
    const keys = Array.from({ length: 200 }, (_, n) => `${n}`)
    const { found } = await lookAtAll(keys, 'ada', async (handle) => {
      most = Math.max(most, ++open)
      await Promise.resolve()
      open--
      return live(handle)
    })
    expect(found).toHaveLength(200)
    expect(most).toBeLessThanOrEqual(32)
  })

  it('are all looked at, whichever of them fails', async () => {
    const failure = new Error('bad sector')
    const keys = Array.from({ length: 40 }, (_, n) => `${n}`)
    const { found, failures } = await lookAtAll(keys, 'ada', async (handle) => {
      if (handle === '3') throw failure
      return live(handle)
    })
    expect(found).toHaveLength(39)
    expect(failures).toEqual([failure])
  })

  it('are given up where the store has fallen silent', async () => {
    const keys = Array.from({ length: 200 }, (_, n) => `${n}`)
    const looked: string[] = []
    const { failures } = await lookAtAll(keys, 'ada', async (handle) => {
      looked.push(handle)
      throw silence
    })
    expect(looked).toHaveLength(32)
    expect(new Set(failures)).toEqual(new Set([silence]))
  })

  it('are one session where two of them lead to the same', async () => {
    const { found } = await lookAtAll(['old', 'new'], 'ada', async () => live('new'))
    expect(found).toHaveLength(1)
  })
})
