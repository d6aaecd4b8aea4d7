import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import type { StoreReport } from '../../src/core/store.js'
import { hasCode } from '../../src/errors.js'
import { ownerOf, withMark } from '../../src/stores/internal/redis-owner.js'
import { ADD, LOAD } from '../../src/stores/internal/redis-scripts.js'
import { RedisStore, type RedisStoreOptions } from '../../src/stores/redis.js'
import { FakeClock, testStore } from '../../src/testing/index.js'
import { fatal } from '../support/process-events.js'
import { ahead } from '../testing/reference-store.js'
import { FakeRedis, faces, setOf } from './fake-redis.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

type Face = keyof typeof faces

/** Real servers, with every driver, are in tests/servers/stores. */
testStore({ describe, it }, 'RedisStore on a fake server', {
  open() {
    const clock = new FakeClock()
    const server = new FakeRedis(clock)
    const options = { client: faces.nodeRedis(server), clock }
    return {
      store: new RedisStore(options),
      clock,
      advance: (ms) => clock.advance(ms),
      another: () => new RedisStore(options),
      elsewhere: () => new RedisStore({ ...options, prefix: 's*:' }),
      skewed: (ms) => new RedisStore({ ...options, clock: ahead(clock, ms) }),
      plant: (key, garbage) => server.put(`sess:${key}`, garbage),
    }
  },
  lacks: {
    sweep: 'the server removes what has expired',
    trips: 'a fake has no wire',
    processes: 'the fake is of one process',
    outage: 'the fake is always there',
    blackHole: 'the fake answers at once',
    exits: 'the fake opens nothing',
    predecessor: 'it is tried on a real server',
  },
})

function setUp(face: Face = 'nodeRedis', options: Partial<RedisStoreOptions> = {}) {
  const clock = new FakeClock()
  const server = new FakeRedis(clock)
  const client = faces[face](server)
  let luck = 1
  const store = new RedisStore({ client, clock, ...options }, () => luck)
  const reports: StoreReport[] = []
  store.onReport((report) => reports.push(report))
  const entry = (text: string, user?: string, more: { life?: number; endsAt?: number } = {}) => ({
    text,
    expiresAt: clock.now() + (more.life ?? HOUR),
    ...(more.endsAt === undefined ? {} : { endsAt: more.endsAt }),
    ...(user === undefined ? {} : { user }),
  })
  const sent = async (run: () => unknown) => {
    const from = server.log.length
    await run()
    return server.log.slice(from)
  }
  const tidies = (whether: boolean) => {
    luck = whether ? 0 : 1
  }
  return { clock, server, client, store, reports, entry, sent, tidies }
}

describe('RedisStore sends', () => {
  it.each(Object.keys(faces) as Face[])('one command for a load, by a %s', async (face) => {
    const { store, entry, sent } = setUp(face)
    await store.create('k', entry('{}'))
    await store.load('k')
    expect(await sent(() => store.load('k'))).toEqual([['EVALSHA', LOAD.sha, '1', 'sess:k']])
  })

  it('two loads by one connection of a sentinel client, which has no second one to wait for', async () => {
    const clock = new FakeClock()
    const server = new FakeRedis(clock)
    const plain = faces.nodeRedisSentinel(server)
    const free = [1]
    const waiting: ((connection: number) => void)[] = []
    let connection: number | undefined
    let users = 0
    // As node-redis shares its connection to the master: with whoever comes later than this turn.
    const lend = () =>
      free.length > 0
        ? Promise.resolve(free.pop()!)
        : new Promise<number>((resolve) => waiting.push(resolve))
    const sendCommand = async (isReadonly: boolean | undefined, args: string[]) => {
      connection ??= await lend()
      const lent = connection
      users++
      const answer = await plain.sendCommand(isReadonly, args)
      if (--users > 0) return answer
      connection = undefined
      const next = waiting.shift()
      if (next) next(lent)
      else free.push(lent)
      return answer
    }
    const store = new RedisStore({ client: { ...plain, sendCommand }, clock })
    let answer = () => {}
    const silent = new Promise<null>((resolve) => {
      answer = () => resolve(null)
    })
    server.intercept = ([name]) => (name === 'EVALSHA' ? silent : undefined)
    const loading = Promise.all([store.load('a'), store.load('b')])
    for (let i = 0; i < 50; i++) await undefined
    expect(server.commands).toEqual(['EVALSHA', 'EVALSHA'])
    answer()
    expect(await loading).toEqual([undefined, undefined])
  })

  it('one command each for a create, a touch and a destroy of nobody’s record', async () => {
    const { clock, store, entry, sent } = setUp()
    expect(await sent(() => store.create('k', entry('{}')))).toEqual([
      ['SET', 'sess:k', '{}', 'PX', `${HOUR}`, 'NX'],
    ])
    expect(await sent(() => store.touch('k', clock.now() + 1.5))).toEqual([
      ['PEXPIRE', 'sess:k', '2'],
    ])
    expect(await sent(() => store.destroy('k'))).toEqual([['DEL', 'sess:k']])
  })

  it('a replace by the hash of its script, and as a whole only where it is not known', async () => {
    const { server, store, entry } = setUp()
    await store.create('k', entry('{"n":1}'))
    const replace = async (text: string) => {
      const seen = await store.load('k')
      server.log.length = 0
      expect(await store.replace('k', entry(text), seen!)).toBe('replaced')
      return server.commands
    }
    expect(await replace('{"n":2}')).toEqual(['EVALSHA', 'EVAL'])
    expect(await replace('{"n":3}')).toEqual(['EVALSHA'])
    server.forgetScripts()
    expect(await replace('{"n":4}')).toEqual(['EVALSHA', 'EVAL'])
    expect(server.at('sess:k')).toBe('{"n":4}')
  })

  it('no failed replace again', async () => {
    const { server, store, entry } = setUp()
    await store.create('k', entry('{"n":1}'))
    const seen = await store.load('k')
    server.log.length = 0
    server.intercept = () => new Error('Socket closed unexpectedly')
    await expect(store.replace('k', entry('{"n":2}'), seen!)).rejects.toMatchObject({
      code: 'ERR_STORE',
      outcome: 'unknown',
    })
    expect(server.commands).toEqual(['EVALSHA'])
  })

  it('not the text that was seen', async () => {
    const { store, entry, sent } = setUp()
    await store.create('k', entry('{"secret":1}'))
    const seen = await store.load('k')
    const commands = await sent(() => store.replace('k', entry('{}'), seen!))
    expect(JSON.stringify(commands)).not.toContain('secret')
  })

  it('nothing that lives for ever: lives are whole ms, above 0, that a server can count', async () => {
    const { clock, server, store, entry } = setUp()
    for (const life of [0.1, 1, 2 ** 40, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
      const key = `of ${life}`
      expect(await store.create(key, { text: '{}', expiresAt: clock.now() + life })).toBe(true)
      expect(server.lifeOf(`sess:${key}`)).toBeLessThan(Number.POSITIVE_INFINITY)
      expect(await store.touch(key, clock.now() + life)).toBe(true)
      const seen = await store.load(key)
      const next = { ...entry('{"n":1}'), expiresAt: clock.now() + life }
      expect(await store.replace(key, next, seen!)).toBe('replaced')
    }
  })

  it('a removal for a life that is over', async () => {
    const { clock, server, store, entry, sent } = setUp()
    const over = { text: '{}', expiresAt: clock.now() }
    expect(await sent(() => store.create('new', over))).toEqual([['EXISTS', 'sess:new']])
    await store.create('k', entry('{}'))
    expect(await store.create('k', over)).toBe(false)
    expect(await store.replace('k', over, (await store.load('k'))!)).toBe('replaced')
    await store.create('t', entry('{}'))
    expect(await sent(() => store.touch('t', 0))).toEqual([['DEL', 'sess:t']])
    expect(server.keys()).toEqual([])
  })
})

describe('RedisStore reads', () => {
  it('a record without an end as one that lives for long', async () => {
    const { clock, server, store } = setUp()
    server.put('sess:k', '{}')
    expect(await store.load('k')).toEqual({ text: '{}', expiresAt: clock.now() + 400 * DAY })
    expect(await store.touch('k', clock.now() + HOUR)).toBe(true)
    expect(server.lifeOf('sess:k')).toBe(HOUR)
  })

  it('what is no string as a miss, and reports it', async () => {
    const { server, store, reports, entry } = setUp()
    server.put('sess:k', new Map([['a', '1']]))
    expect(await store.load('k')).toBeUndefined()
    expect(reports).toEqual([{ type: 'unreadable', key: 'k' }])
    expect(await store.create('k', entry('{}'))).toBe(false)
    expect(await store.replace('k', entry('{}'), { text: '{}', expiresAt: 0 })).toBe('gone')
  })

  it.each(Object.keys(faces) as Face[])('whether it has touched, by a %s', async (face) => {
    const { clock, store, entry } = setUp(face)
    await store.create('k', entry('{}'))
    expect(await store.touch('k', clock.now() + HOUR)).toBe(true)
    expect(await store.touch('gone', clock.now() + HOUR)).toBe(false)
  })

  it('Buffers of a client that was told to give them', async () => {
    const { server, store, entry } = setUp()
    await store.create('k', entry('{"name":"Zoë"}', 'ada'))
    server.intercept = ([name]) =>
      name === 'EVALSHA'
        ? Promise.resolve([Buffer.from(String(server.at('sess:k'))), HOUR])
        : undefined
    expect(await store.load('k')).toMatchObject({ text: '{"name":"Zoë"}' })
  })

  it('keys without what an ioredis client puts before them, in entries', async () => {
    const clock = new FakeClock()
    const server = new FakeRedis(clock)
    const io = faces.ioRedis(server)
    const prefixed = (name: string, args: string[]) => {
      const at = name === 'SCAN' ? -1 : name.startsWith('EVAL') ? 2 : 0
      return io.call(
        name,
        args.map((arg, i) => (i === at ? `app:${arg}` : arg)),
      )
    }
    const client = { ...io, options: { keyPrefix: 'app:' }, call: prefixed }
    const store = new RedisStore({ client, clock })
    await store.create('k', { text: '{}', expiresAt: clock.now() + HOUR })
    expect(server.keys()).toEqual(['app:sess:k'])
    const found = []
    for await (const { key, text } of store.entries()) found.push([key, text])
    expect(found).toEqual([['k', '{}']])
  })

  it.each(Object.keys(faces) as Face[])('every record once, by a %s', async (face) => {
    const { store, entry } = setUp(face)
    const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`)
    for (const key of keys) await store.create(key, entry(`{"of":"${key}"}`, 'ada'))
    const found: string[] = []
    for await (const { key } of store.entries()) found.push(key)
    expect(found.sort()).toEqual(keys.sort())
  })

  it('no sets of users among its records, without a prefix', async () => {
    const { store, reports, entry } = setUp('nodeRedis', { prefix: '' })
    await store.create('k', entry('{}', 'ada'))
    const found: string[] = []
    for await (const { key } of store.entries()) found.push(key)
    expect(found).toEqual(['k'])
    expect(reports).toEqual([])
  })
})

describe('the records of RedisStore', () => {
  it('are nobody’s as they are, and somebody’s with white space behind them', async () => {
    const { server, store, entry } = setUp()
    await store.create('nobody', entry('{"n":1}'))
    await store.create('ada', entry('{"n":1}', 'ada'))
    expect(server.at('sess:nobody')).toBe('{"n":1}')
    const stored = String(server.at('sess:ada'))
    expect(stored).not.toBe('{"n":1}')
    expect(JSON.parse(stored)).toEqual({ n: 1 })
    expect(stored.trim()).toBe('{"n":1}')
    expect(await store.load('ada')).toMatchObject({ text: '{"n":1}' })
  })

  it('come back exactly where they end as if they were marked', async () => {
    const { store, entry } = setUp()
    const marked = withMark('{}', ownerOf('ada'))
    for (const [i, text] of [marked, `${marked}\n`, `\n${' '.repeat(200)}`].entries()) {
      await store.create(`k${i}`, entry(text))
      expect((await store.load(`k${i}`))?.text).toBe(text)
      await store.create(`u${i}`, entry(text, 'ada'))
      expect((await store.load(`u${i}`))?.text).toBe(text)
    }
    expect((await store.keysOfUser('ada')).sort()).toEqual(['u0', 'u1', 'u2'])
  })

  it('name their user to nobody', async () => {
    const { server, store, entry } = setUp()
    await store.create('k', entry('{}', 'ada@example.com'))
    expect(JSON.stringify([server.log, server.keys()])).not.toContain('ada')
  })
})

describe('the users of RedisStore', () => {
  it('are noted before the record, on a server that may do the second command first', async () => {
    for (const face of ['nodeRedisPool', 'ioRedisCluster', 'glide'] as const) {
      const { server, store, entry } = setUp(face)
      let answer = () => {}
      const silent = new Promise<number>((resolve) => {
        answer = () => resolve(1)
      })
      server.intercept = ([name]) => (name === 'EVAL' ? silent : undefined)
      const creating = store.create('k', entry('{}', 'ada'))
      for (let i = 0; i < 20; i++) await undefined
      expect(server.commands).toEqual(['EVAL'])
      answer()
      expect(await creating).toBe(true)
      expect(server.commands).toEqual(['EVAL', 'SET'])
    }
  })

  it('are noted in the same wait, on a server that keeps to the order', async () => {
    for (const face of ['nodeRedis', 'ioRedis'] as const) {
      const { server, store, entry } = setUp(face)
      const creating = store.create('k', entry('{}', 'ada'))
      expect(server.commands).toEqual(['EVAL', 'SET'])
      expect(await creating).toBe(true)
    }
  })

  it('are told of no record that could not be noted', async () => {
    for (const face of ['nodeRedis', 'ioRedis', 'ioRedisCluster'] as const) {
      const { server, store, reports, entry } = setUp(face)
      await store.create('k', entry('{}'))
      const seen = await store.load('k')
      const refused = { code: 'ERR_STORE', outcome: 'failed', retryable: false }
      server.intercept = (args) =>
        args[1] === ADD.source ? new Error('NOPERM No permissions to access a key') : undefined
      await expect(store.replace('k', entry('{"n":1}', 'ada'), seen!)).rejects.toMatchObject(
        refused,
      )
      expect(server.at('sess:k')).toBe('{}')
      await expect(store.create('new', entry('{"n":1}', 'ada'))).rejects.toMatchObject(refused)
      expect(server.keys()).toEqual(['sess:k'])
      expect(reports).toEqual([])
    }
  })

  it('fail no process where a client throws and does not reject', async () => {
    const crashes = fatal('unhandledRejection')
    const clock = new FakeClock()
    const server = new FakeRedis(clock)
    const sendCommand = (args: string[]) => {
      if (args[0] === 'SET') throw new TypeError('no')
      return server.send(args)
    }
    server.intercept = () => new Error('OOM no')
    const store = new RedisStore({ client: { ...faces.nodeRedis(server), sendCommand }, clock })
    const entry = { text: '{}', expiresAt: clock.now() + HOUR, user: 'ada' }
    await expect(store.create('k', entry)).rejects.toMatchObject({ code: 'ERR_STORE' })
    await new Promise(setImmediate)
    expect(crashes).toEqual([])
  })

  it('are noted again where connect-redis has written the same text', async () => {
    const { clock, server, store, entry } = setUp()
    const endsAt = clock.now() + 30 * DAY
    await store.create('k', entry('{}', 'ada', { endsAt }))
    const seen = await store.load('k')
    server.put('sess:k', '{}', HOUR)
    await clock.advance(2 * MINUTE)
    expect(await store.keysOfUser('ada')).toEqual([])
    const next = entry('{"n":1}', 'ada', { endsAt })
    expect(await store.replace('k', next, seen!)).toBe('changed')
    expect(await store.replace('k', next, (await store.load('k'))!)).toBe('replaced')
    expect(await store.keysOfUser('ada')).toEqual(['k'])
  })

  it('are not noted again by a write of one of their records, if its end is known', async () => {
    const { clock, server, store, entry } = setUp()
    const endsAt = clock.now() + 30 * DAY
    await store.create('k', entry('{}', 'ada', { endsAt }))
    const seen = await store.load('k')
    server.log.length = 0
    expect(await store.replace('k', entry('{"n":1}', 'ada', { endsAt }), seen!)).toBe('replaced')
    expect(server.commands).toEqual(['EVALSHA', 'EVAL'])
    const later = await store.load('k')
    server.log.length = 0
    expect(await store.replace('k', entry('{"n":2}', 'eve', { endsAt }), later!)).toBe('replaced')
    expect(server.commands).toEqual(['EVAL', 'EVALSHA'])
    expect([await store.keysOfUser('ada'), await store.keysOfUser('eve')]).toEqual([[], ['k']])
  })

  it('are kept as long as one of their records can live, and a day', async () => {
    const { clock, server, store, entry } = setUp()
    const life = () => server.lifeOf(setOf('ada'))
    await store.create('a', entry('{}', 'ada', { endsAt: clock.now() + 30 * DAY }))
    expect(life()).toBe(31 * DAY)
    await store.create('b', entry('{}', 'ada', { endsAt: clock.now() + HOUR }))
    expect(life()).toBe(31 * DAY)
    const years = clock.now() + 4000 * DAY
    await store.create('y', entry('{}', 'eve', { endsAt: years }))
    expect(server.lifeOf(setOf('eve'))).toBe(4001 * DAY)
    await store.create('c', entry('{}', 'ada', { life: 2 * DAY }))
    expect(life()).toBe(400 * DAY)
    await clock.advance(DAY)
    await store.replace('c', entry('{"n":1}', 'ada'), (await store.load('c'))!)
    await vi.waitFor(() => expect(life()).toBe(400 * DAY))
  })

  it('lose what is dead when they are asked for, but nothing that was noted just now', async () => {
    const { clock, server, store, entry } = setUp()
    const members = () => [...((server.at(setOf('ada')) as Map<string, string>)?.keys() ?? [])]
    await store.create('a', entry('{}', 'ada'))
    await store.create('b', entry('{}', 'ada'))
    await store.destroy('a')
    expect(await store.keysOfUser('ada')).toEqual(['b'])
    expect(members()).toEqual(['a', 'b'])
    await clock.advance(2 * MINUTE)
    expect(await store.keysOfUser('ada')).toEqual(['b'])
    expect(members()).toEqual(['b'])
  })

  it('keep an entry that was noted anew while it was found dead', async () => {
    const { clock, server, store, entry } = setUp()
    await store.create('a', entry('{}', 'ada'))
    await store.destroy('a')
    await clock.advance(2 * MINUTE)
    let created: Promise<unknown> | undefined
    server.intercept = ([name]) => {
      if (name !== 'GETRANGE' || created !== undefined) return undefined
      created = Promise.resolve()
      // Between the look at the record and the removal of its entry.
      const answer = ''
      created = store.create('a', entry('{}', 'ada'))
      return created.then(() => answer)
    }
    await store.keysOfUser('ada')
    expect(await store.keysOfUser('ada')).toEqual(['a'])
  })

  it('do not grow with what has ended, though nobody asks for them', async () => {
    const { clock, server, store, entry, tidies } = setUp()
    const size = () => (server.at(setOf('ada')) as Map<string, string>).size
    for (let i = 0; i < 40; i++) await store.create(`k${i}`, entry('{}', 'ada', { life: HOUR }))
    expect(size()).toBe(40)
    await clock.advance(2 * HOUR)
    tidies(true)
    await store.create('live', entry('{}', 'ada'))
    await vi.waitFor(() => expect(size()).toBe(1))
  })

  it('tell of a failure to tidy up, which fails no write', async () => {
    const { server, store, reports, entry, tidies } = setUp()
    for (let i = 0; i < 20; i++) await store.create(`k${i}`, entry('{}', 'ada'))
    server.intercept = ([name]) => (name === 'ZSCAN' ? new Error('NOPERM no') : undefined)
    tidies(true)
    expect(await store.create('k', entry('{}', 'ada'))).toBe(true)
    await vi.waitFor(() => expect(reports).toHaveLength(1))
    expect(reports[0]).toMatchObject({ type: 'error', op: 'index', error: { code: 'ERR_STORE' } })
  })
})

describe('the errors of RedisStore', () => {
  it.each([
    ["READONLY You can't write against a read only replica.", 'READONLY', true, 'failed'],
    ['LOADING Redis is loading the dataset in memory', 'LOADING', true, 'failed'],
    ["NOPERM this user has no permissions to run the 'get' command", 'NOPERM', false, 'failed'],
    [
      "ERR Error running script (call to f_5d): @user_script:8: @user_script: 8: -OOM command not allowed when used memory > 'maxmemory'.",
      'OOM',
      true,
      'failed',
    ],
    ['An error was signalled by the server: - ReadOnly: x', 'READONLY', true, 'failed'],
    ['Connection is closed.', 'no answer', true, 'unknown'],
    ['Socket closed unexpectedly', 'no answer', true, 'unknown'],
  ])('name why: %s', async (message, why, retryable, outcome) => {
    const { server, store, entry } = setUp()
    const cause = new Error(message)
    server.intercept = () => cause
    const error = await store.create('k', entry('{"secret":1}')).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_STORE', store: 'RedisStore', retryable, outcome })
    expect(error.message).toBe(`RedisStore: create failed (${why})`)
    expect(error.cause).toMatchObject({ name: 'Error', message, stack: cause.stack })
  })

  it('show no id and no data, whatever a driver or a server says', async () => {
    const { server, store, entry } = setUp()
    const quoted = "'5f' '1' 'sess:raw id' '{\"secret\":1}'"
    const cause = Object.assign(
      new Error(`ERR unknown command 'EVALSHA', with args beginning with: ${quoted}`),
      // As ioredis leaves it in what a server refuses.
      { command: { name: 'set', args: ['sess:raw id', '{"secret":1}'] }, code: 'REFUSED' },
    )
    server.intercept = () => cause
    const error = await store.create('raw id', entry('{"secret":1}')).catch((thrown) => thrown)
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/raw id|secret/)
    expect(error.cause).toMatchObject({ message: "ERR unknown command 'EVALSHA'", code: 'REFUSED' })
  })

  it.each([
    ['nodeRedis', { isOpen: false }],
    ['ioRedis', { status: 'end' }],
  ] as const)('say of a closed %s what to do', async (face, state) => {
    const clock = new FakeClock()
    const server = new FakeRedis(clock)
    server.intercept = () => new Error('The client is closed')
    const store = new RedisStore({ client: { ...faces[face](server), ...state }, clock })
    const failures = [
      store.load('k'),
      store.create('k', { text: '{}', expiresAt: clock.now() + 1 }),
      store.replace('k', { text: '{}', expiresAt: 0 }, { text: '{}', expiresAt: 0 }),
      store.touch('k', clock.now() + 1),
      store.destroy('k'),
      store.keysOfUser('ada'),
      store.entries().next(),
    ]
    for (const result of await Promise.allSettled(failures)) {
      expect(result.status).toBe('rejected')
      const { reason } = result as PromiseRejectedResult
      expect(hasCode(reason, 'ERR_STORE')).toBe(true)
      expect(reason.message).toMatch(/the client is closed, or was never connected: await/)
    }
  })
})

describe('what is no answer', () => {
  it('is no miss and no success: the program has begun a transaction on its client', async () => {
    const { clock, server, store, entry } = setUp('ioRedis')
    await store.create('k', entry('{}'))
    const seen = await store.load('k')
    server.intercept = () => Promise.resolve('QUEUED')
    const failures = [
      store.load('k'),
      store.create('new', entry('{}')),
      store.create('new', entry('{}', 'ada')),
      store.create('new', { text: '{}', expiresAt: 0 }),
      store.replace('k', entry('{"n":1}'), seen!),
      store.touch('k', clock.now() + HOUR),
      store.destroy('k'),
      store.keysOfUser('ada'),
      store.entries().next(),
    ]
    for (const result of await Promise.allSettled(failures)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_STORE' } })
    }
  })

  it('is no empty list either: a client of a cluster that it has not found', async () => {
    const server = new FakeRedis(new FakeClock())
    for (const client of [
      { ...faces.nodeRedisCluster(server), masters: [] },
      { ...faces.ioRedisCluster(server), nodes: () => [] },
    ]) {
      const listing = new RedisStore({ client }).entries().next()
      await expect(listing).rejects.toMatchObject({ code: 'ERR_STORE', op: 'entries' })
    }
  })
})

describe('the options of RedisStore', () => {
  const client = faces.nodeRedis(new FakeRedis(new FakeClock()))

  it.each([
    ['no options', undefined, /the options must be an object/],
    ['no client', {}, /option 'client' must be a client: createClient\(\)/],
    ['a URL', { client: 'redis://localhost' }, /option 'client' .* it is of type string/],
    ['a client of node_redis 3', { client: { sendCommand() {}, send_command() {} } }, /'client'/],
    ['a prefix that is none', { client, prefix: 1 }, /option 'prefix' must be a string; it is 1/],
    ['an empty prefix of users', { client, indexPrefix: '' }, /option 'indexPrefix'/],
    ['one within the other', { client, indexPrefix: 'sess:users:' }, /neither begins the other/],
    ['one around the other', { client, indexPrefix: 'se' }, /neither begins the other/],
    ['a clock that is none', { client, clock: 1 }, /option 'clock'/],
    ['a time of connect-redis', { client, ttl: 60 }, /'ttl' is one of connect-redis/],
    ['its serializer', { client, serializer: JSON }, /'serializer' is one of connect-redis/],
  ])('are checked: %s', (_, options, message) => {
    const make = () => new RedisStore(options as unknown as RedisStoreOptions)
    expect(make).toThrow(message)
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }))
  })

  it.each([
    [undefined, 'sess-users:'],
    ['app:sess:', 'app:sess-users:'],
    ['coats', 'users-of-coats:'],
    ['', 'users-of-:'],
    ['users', '-users-of-users:'],
  ])('keep users apart from records: prefix %j', async (prefix, users) => {
    const { server, store, entry } = setUp('nodeRedis', prefix === undefined ? {} : { prefix })
    await store.create('k', entry('{}', 'ada'))
    expect(server.keys().sort()).toEqual([`${prefix ?? 'sess:'}k`, setOf('ada', users)].sort())
  })

  it('take another prefix for users', async () => {
    const { server, store, entry } = setUp('nodeRedis', { indexPrefix: 'whose:' })
    await store.create('k', entry('{}', 'ada'))
    expect(server.keys()).toContain(setOf('ada', 'whose:'))
  })

  it('start nothing and send nothing', () => {
    const { server } = setUp()
    expect(server.log).toEqual([])
  })

  it('lack entries where a client cannot scan', () => {
    const clock = new FakeClock()
    const glide = { ...faces.glide(new FakeRedis(clock)), fcallWithRoute() {} }
    expect(new RedisStore({ client: glide }).entries).toBeUndefined()
  })
})
