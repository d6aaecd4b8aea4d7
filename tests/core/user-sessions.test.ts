import { describe, expect, it } from 'vitest'
import { Held } from '../../src/core/keeper.js'
import { revokeAll } from '../../src/core/user-sessions.js'

const NOW = 1_000_000

function held(handle: string, started = NOW - 1): Held {
  const facts = { created: started, started, idle: 1000, user: 'ada' }
  return new Held({ id: '', handle }, facts, { text: '', expiresAt: NOW + 1000 })
}

/** Ends the sessions that the index names in each reading of it; the last reading repeats. */
async function revoke(
  readings: Held[][],
  except: string[] = [],
  renewing: readonly [string, string][] = [],
) {
  let reads = 0
  const tried: string[] = []
  const ended = await revokeAll({
    now: NOW,
    except,
    renewing: new Map(renewing),
    list: async () => readings[Math.min(reads++, readings.length - 1)] ?? [],
    look: async (handle) => ({ state: 'gone', handle }),
    destroy: async (one) => {
      tried.push(one.identity.handle)
      return one.identity.handle.startsWith('gone') ? undefined : one
    },
  })
  return { reads, tried, ended: ended.map(({ identity }) => identity.handle) }
}

describe('ending all sessions of a user', () => {
  it('reads the list again until nothing of before the call is in it', async () => {
    // A regenerate() between list and end: another handle, the same start.
    const { ended, reads } = await revoke([[held('a')], [held('a, renewed')], []])
    expect(ended).toEqual(['a', 'a, renewed'])
    expect(reads).toBe(3)
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
})
