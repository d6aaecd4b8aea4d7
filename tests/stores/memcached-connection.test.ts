import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { keyOf } from '../../src/crypto/session-id.js'
import { Answers } from '../../src/stores/internal/memcached-answers.js'
import { MemcachedStore, type MemcachedStoreOptions } from '../../src/stores/memcached.js'
import { FakeClock } from '../../src/testing/index.js'
import { fakeMemcached } from '../support/fake-memcached.js'

const LATER = Date.now() + 3_600_000
const entry = (text: string, user?: string) => ({
  text,
  expiresAt: LATER,
  ...(user !== undefined && { user }),
})

function storeOn(servers: string, options: Partial<MemcachedStoreOptions> = {}) {
  const store = new MemcachedStore({
    servers,
    timeout: 60_000,
    ...options,
  } as MemcachedStoreOptions)
  onTestFinished(() => store.close())
  return store
}

describe('a connection of MemcachedStore', () => {
  it('is made by the first operation, once for all that come together', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    await new Promise((resolve) => setImmediate(resolve))
    expect(server.connections).toBe(0)
    await Promise.all(['a', 'b', 'c'].map((key) => store.load(key)))
    expect(server.connections).toBe(1)
    expect(server.asked.map((line) => line.split(' ')[0])).toEqual(['mn', 'mg', 'mg', 'mg'])
  })

  it('is closed by close(), after which nothing works and nothing hangs', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    await store.load('a')
    server.fall()
    const late = store.load('a')
    await Promise.all([store.close(), expect(late).rejects.toMatchObject({ code: 'ERR_CLOSED' })])
    await expect(store.load('a')).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })

  it('that is being made when close() comes is not kept', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    const late = store.load('a')
    await Promise.all([store.close(), expect(late).rejects.toMatchObject({ code: 'ERR_CLOSED' })])
    await expect.poll(() => server.connections).toBe(0)
    expect(server.asked).toEqual([])
  })

  it('ends when a server before 1.6 answers with the record of another key', async () => {
    const server = await fakeMemcached({ meta: false })
    const store = storeOn(server.url)
    server.instead = (line) => (line === 'gets a' ? 'VALUE b 2 2 1\r\n{}\r\nEND' : undefined)
    await expect(store.load('a')).rejects.toMatchObject({ code: 'ERR_STORE' })
  })

  it('ends with an operation that is not answered in time, and the next one has a new one', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url, { timeout: 50 })
    await store.create('a', entry('{"a":1}'))
    await store.create('b', entry('{"b":1}'))
    server.fall()
    const late = Promise.allSettled([store.load('a'), store.load('b'), store.touch('a', LATER)])
    for (const result of await late) {
      expect(result).toMatchObject({
        reason: { code: 'ERR_STORE_TIMEOUT', outcome: 'unknown', retryable: true },
      })
    }
    // What was asked is answered now, to nobody.
    server.speak()
    expect((await store.load('b'))?.text).toBe('{"b":1}')
    expect((await store.load('a'))?.text).toBe('{"a":1}')
  })

  it.each([
    ['what is no answer', 'HELLO'],
    ['an answer to something else', 'VA 2 c1 t1 O0\r\n{}'],
    ['data without an end', 'VA 1 c1 t1 O1\r\n{}'],
    ['data of an impossible length', 'VA 99999999999 c1 t1 O1'],
    ['data of no length', 'VA x'],
    ['no cas id', 'VA 2 t1 O1\r\n{}'],
    ['a line without an end', 'x'.repeat(5000)],
    ['an error of the protocol', 'CLIENT_ERROR bad command line format'],
  ])('ends when %s comes, and the next operation has a new one', async (_, answer) => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    await store.create('a', entry('{"a":1}'))
    server.instead = (line) => (line.startsWith('mg a ') ? answer : undefined)
    const results = await Promise.allSettled([store.load('a'), store.load('c')])
    expect(results.map(({ status }) => status)).toContain('rejected')
    server.instead = () => undefined
    expect((await store.load('a'))?.text).toBe('{"a":1}')
    expect(await store.load('c')).toBeUndefined()
  })

  it('reads answers in whatever pieces they come, and what looks like one in a value as data', () => {
    const values = ['a\r\nEND\r\nb\r\n', '', 'é\r\nVA 1', '\r\n\r']
    const hits = values.map((value) => `VA ${Buffer.byteLength(value)} c1 t-1 O1\r\n${value}\r\n`)
    const stream = Buffer.from(`MN\r\n${hits.join('')}EN\r\nVALUE k 2 5 9\r\nEND\r\n\r\n`)
    const read = (pieces: readonly Buffer[]) => {
      const answers = new Answers()
      const found = pieces.flatMap((piece) => answers.read(piece))
      return found.map(({ words, data }) => [words[0], data?.toString()])
    }
    const hit = values.map((value) => ['VA', value])
    const all = [['MN', undefined], ...hit, ['EN', undefined], ['VALUE', 'END\r\n']]
    for (let at = 0; at <= stream.length; at++) {
      expect(read([stream.subarray(0, at), stream.subarray(at)])).toEqual(all)
    }
    expect(read([...stream].map((byte) => Buffer.from([byte])))).toEqual(all)
  })

  it('ends when an answer comes that nobody waits for', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    await store.create('b', entry('{"b":1}'))
    server.instead = (line) => (line.startsWith('mg a ') ? 'EN\r\nEN' : undefined)
    expect(await store.load('a')).toBeUndefined()
    await expect.poll(() => server.connections).toBe(0)
    expect((await store.load('b'))?.text).toBe('{"b":1}')
  })

  it('tells what the server refuses, and goes on', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    await store.load('a')
    server.instead = (line) =>
      line.startsWith('add') ? 'SERVER_ERROR out of memory storing object' : undefined
    await expect(store.create('a', entry('{}'))).rejects.toMatchObject({
      code: 'ERR_STORE',
      outcome: 'failed',
      message: expect.stringContaining('out of memory storing object'),
    })
    server.instead = () => undefined
    expect(await store.create('a', entry('{}'))).toBe(true)
    expect(server.connections).toBe(1)
  })

  it('puts nothing of a refusal into its message that could pass for a line of a log', async () => {
    const server = await fakeMemcached()
    server.instead = (line) =>
      line.startsWith('add') ? 'SERVER_ERROR a\nb\u001b[2J\u0000' : undefined
    await expect(storeOn(server.url).create('a', entry('{}'))).rejects.toMatchObject({
      message: 'MemcachedStore: the server refused: SERVER_ERROR a?b?[2J?.',
    })
  })

  it('takes a remaining life that nothing has for one that a date can hold', async () => {
    const server = await fakeMemcached()
    server.instead = (line) =>
      line.startsWith('mg')
        ? `VA 2 c1 t${'9'.repeat(40)} ${line.split(' ').at(-1)}\r\n{}`
        : undefined
    const found = await storeOn(server.url).load('a')
    expect(new Date(found!.expiresAt).getTime()).toBeGreaterThan(LATER)
  })

  it('refuses what is too large by a code of its own, and keeps the record that was there', async () => {
    const server = await fakeMemcached({ largest: 1000 })
    const store = storeOn(server.url)
    await store.create('a', entry('{"a":1}'))
    const seen = await store.load('a')
    const large = entry(JSON.stringify({ a: 'x'.repeat(2000) }))
    const refused = { code: 'ERR_RECORD_TOO_LARGE', status: 500 }
    await expect(store.replace('a', large, seen!)).rejects.toMatchObject(refused)
    await expect(store.create('b', large)).rejects.toMatchObject(refused)
    expect((await store.load('a'))?.text).toBe('{"a":1}')
    // `ms` with a cas id would have removed it.
    expect(server.asked.filter((line) => line.startsWith('ms '))).toEqual([])
  })

  it('begins with the username and the password', async () => {
    const server = await fakeMemcached({ auth: 'ada pass' })
    const store = storeOn(server.url, { username: 'ada', password: 'pass' })
    expect(await store.create('a', entry('{}'))).toBe(true)
    const stranger = storeOn(server.url, { username: 'ada', password: 'guess' })
    const refused = await stranger.load('a').catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'ERR_STORE' })
    expect(JSON.stringify(refused) + String((refused as Error).stack)).not.toContain('guess')
  })

  it('fails at once for a while after it could not be made, and then tries again', async () => {
    const server = await fakeMemcached()
    await server.refuse()
    const store = storeOn(server.url)
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(store.load('a')).rejects.toMatchObject({ code: 'ERR_STORE', outcome: 'failed' })
    }
    await server.listen()
    await expect.poll(() => store.load('a').catch(() => 'failed')).toBeUndefined()
  })

  it('that is lost tells each operation that waited what it was', async () => {
    const server = await fakeMemcached()
    await server.refuse()
    const store = storeOn(server.url)
    const seen = { text: '{}', expiresAt: Date.now() + 60_000 }
    const waiting: Readonly<Record<string, Promise<unknown>>> = {
      load: store.load('a'),
      create: store.create('a', seen),
      replace: store.replace('a', seen, seen),
      touch: store.touch('a', seen.expiresAt),
      destroy: store.destroy('a'),
      keysOfUser: store.keysOfUser('ada'),
    }
    await Promise.all(
      Object.entries(waiting).map(([op, failing]) =>
        expect(failing).rejects.toMatchObject({ code: 'ERR_STORE', op, outcome: 'failed' }),
      ),
    )
  })

  it('is not tried again by each of many operations where no memcached answers', async () => {
    const server = await fakeMemcached()
    server.instead = () => '-ERR unknown command'
    const now = vi.spyOn(performance, 'now').mockReturnValue(1e6)
    onTestFinished(() => now.mockRestore())
    const store = storeOn(server.url)
    const fail = async () => {
      for (let n = 0; n < 20; n++) await store.load('a').catch(() => {})
    }
    await fail()
    expect(server.asked).toEqual(['mn'])
    // The longest pause is over.
    now.mockReturnValue(1e6 + 2000)
    await fail()
    expect(server.asked).toEqual(['mn', 'mn'])
  })

  it('that was reset in the middle of an answer fails what waits, and nothing else', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    await store.create('a', entry('{"a":1}'))
    server.instead = (line) => {
      if (!line.startsWith('mg')) return undefined
      setImmediate(() => server.reset())
      return 'VA 100 c1 t1'
    }
    await expect(store.load('a')).rejects.toMatchObject({ code: 'ERR_STORE', outcome: 'unknown' })
    server.instead = () => undefined
    expect((await store.load('a'))?.text).toBe('{"a":1}')
  })
})

describe('what MemcachedStore sends', () => {
  const DAY = 24 * 60 * 60 * 1000

  it.each([
    ['half a second', 500, 2],
    ['a minute', 60_000, 61],
    ['30 days less a second', 30 * DAY - 1000, 2_592_000],
  ])('is seconds for %s, one more than asked for', async (_, life, seconds) => {
    const clock = new FakeClock()
    const server = await fakeMemcached({ now: () => clock.now() })
    const store = storeOn(server.url, { clock })
    await store.create('a', { text: '{}', expiresAt: clock.now() + life })
    expect(server.asked.at(-1)).toBe(`add a 2 ${seconds} 2`)
  })

  it('is a date beyond 30 days, which is not taken for one in 1970', async () => {
    const clock = new FakeClock()
    const server = await fakeMemcached({ now: () => clock.now() })
    const store = storeOn(server.url, { clock })
    const expiresAt = clock.now() + 31 * DAY
    await store.create('a', { text: '{}', expiresAt })
    await store.touch('a', expiresAt)
    const date = Math.ceil(expiresAt / 1000)
    expect(server.asked.slice(-2)).toEqual([`add a 2 ${date} 2`, `touch a ${date}`])
    expect(await store.load('a')).toBeDefined()
    await store.touch('a', 1e15)
    // Later dates are dates before 1970 to the server.
    expect(server.asked.at(-1)).toBe('touch a 2147483647')
  })

  it('never says that a record ends before its time', async () => {
    const clock = new FakeClock()
    const server = await fakeMemcached({ now: () => clock.now() })
    const store = storeOn(server.url, { clock })
    for (let ms = 0; ms < 1000; ms += 37) {
      const expiresAt = clock.now() + 5000
      await store.create(`k${ms}`, { text: '{}', expiresAt })
      await clock.advance(ms)
      expect((await store.load(`k${ms}`))!.expiresAt).toBeGreaterThanOrEqual(expiresAt)
      await clock.advance(expiresAt - 1 - clock.now())
      expect(await store.load(`k${ms}`)).toBeDefined()
    }
  })

  it('leaves a long name to a client that shortens it, and looks for its server by all of it', async () => {
    const asked: string[] = []
    const client = {
      gets(key: string, done: (error?: unknown) => void) {
        asked.push(key)
        done()
      },
      ...{ add() {}, cas() {}, append() {}, touch() {}, del() {} },
    }
    const store = new MemcachedStore({ client, prefix: 'p.' })
    expect(await store.load('x'.repeat(300))).toBeUndefined()
    expect(asked).toEqual([`p.${'x'.repeat(300)}`])
  })

  it('names what is short in characters and long in bytes, or like a name of its own', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    await store.create('a', entry('{}', 'ada'))
    const list = [...server.items.keys()].find((name) => name.startsWith('~u:'))!
    for (const key of ['é'.repeat(200), list]) {
      expect(await store.load(key)).toBeUndefined()
      expect(await store.create(key, entry('{"a":1}'))).toBe(true)
      expect((await store.load(key))?.text).toBe('{"a":1}')
    }
    expect(await store.keysOfUser('ada')).toEqual(['a'])
  })

  it('is a text as it was, also one that ends as with something behind it', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    const text = `{}${' \t'.repeat(56)}`
    await store.create('a', entry(text))
    expect((await store.load('a'))?.text).toBe(text)
  })

  it('names the record of an empty key too, which is no gap between two words', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    // What is found by `mg  v c t` on a real server.
    await store.create('v', entry('{"a":"other"}'))
    expect(await store.load('')).toBeUndefined()
    expect(await store.create('', entry('{"a":1}'))).toBe(true)
    expect((await store.load(''))?.text).toBe('{"a":1}')
    expect(server.asked.filter((line) => line.includes('  '))).toEqual([])
  })

  it('replaces by what it has itself written after a look at it', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    await store.create('a', entry('{"a":1}'))
    expect(await store.replace('a', entry('{"a":2}'), entry('{"a":1}'))).toBe('replaced')
    expect(await store.replace('a', entry('{"a":3}'), entry('{"a":1}'))).toBe('changed')
    expect(server.asked.slice(-3).map((line) => line.split(' ')[0])).toEqual(['mg', 'cas', 'mg'])
  })
})

describe.each([
  ['since 1.6', true],
  ['before', false],
])('on a server of a version %s, MemcachedStore', (_, meta) => {
  it('touches what another has just written, and loses nothing of it', async () => {
    const server = await fakeMemcached({ meta })
    const [store, other] = [storeOn(server.url), storeOn(server.url)]
    await store.create('a', entry('{"a":1}'))
    let seen = await other.load('a')
    for (let n = 2; n < 20; n++) {
      const text = `{"a":${n}}`
      const [before, replaced, after] = await Promise.all([
        store.touch('a', LATER + 60_000),
        other.replace('a', entry(text), seen!),
        store.touch('a', LATER + 60_000),
      ])
      expect([before, replaced, after]).toEqual([true, 'replaced', true])
      // And a touch is no change to who has loaded before it.
      seen = await other.load('a')
      expect(seen).toMatchObject({ text })
      expect(await store.touch('a', LATER + 90_000)).toBe(true)
      expect((await other.load('a'))!.expiresAt).toBeGreaterThanOrEqual(LATER + 90_000)
    }
  })
})

describe('a record on a server that tells no remaining life', () => {
  it('has its end behind it, unless its cookie tells that', async () => {
    const server = await fakeMemcached({ meta: false })
    const store = storeOn(server.url)
    const session = JSON.stringify({ cookie: { expires: new Date(LATER) }, a: 1 })
    await store.create('old', entry(session))
    await store.create('other', entry('{"a":1}'))
    const kept = (key: string) => server.items.get(key)!.value.toString()
    expect(kept('old')).toBe(session)
    expect(kept('other')).toMatch(/^\{"a":1\}[ \t]{112}$/)
    await store.touch('old', LATER + 1)
    expect(kept('old')).toMatch(/[ \t]{112}$/)
    expect(await store.load('old')).toMatchObject({ text: session, expiresAt: LATER + 1 })
    expect(await store.load('other')).toMatchObject({ text: '{"a":1}', expiresAt: LATER })
  })
})

describe('a record whose end nobody can tell', () => {
  it('is live as long as the server has it, and is to be touched', async () => {
    const server = await fakeMemcached({ meta: false })
    const store = storeOn(server.url)
    const over = JSON.stringify({ cookie: { expires: new Date(1000) } })
    for (const text of [over, '{"a":1}']) {
      const [end, value] = [LATER / 1000, Buffer.from(text)]
      server.items.set('a', { value, flags: '2', cas: 1, end })
      const left = (await store.load('a'))!.expiresAt - Date.now()
      expect(left).toBeGreaterThan(-60_000)
      expect(left).toBeLessThanOrEqual(1000)
    }
  })
})

describe('the list of keys that MemcachedStore keeps of a user', () => {
  it('is no part of a record of this package, and white space behind any other', async () => {
    const server = await fakeMemcached()
    const store = storeOn(server.url)
    const facts = { created: 1, started: 1, idle: 1, user: 'ada' }
    const native = `{"v":1,"facts":${JSON.stringify(facts)},"data":{}}`
    await store.create(keyOf('n'), entry(native, 'ada'))
    await store.create(keyOf('o'), entry('{"cookie":{}}', 'ada'))
    const kept = (id: string) => server.items.get(keyOf(id))!.value.toString()
    expect(kept('n')).toBe(native)
    expect(kept('o')).toMatch(/^\{"cookie":\{\}\}[ \t]{112}$/)
    expect(await store.keysOfUser('ada')).toEqual([keyOf('n'), keyOf('o')])
  })

  it('loses dead keys after a while, and no key whose record is still to come', async () => {
    const clock = new FakeClock()
    const server = await fakeMemcached({ now: () => clock.now() })
    const store = storeOn(server.url, { clock })
    const record = (user: string) => ({ text: '{}', expiresAt: clock.now() + 9e6, user })
    const list = () => [...server.items].find(([name]) => name.startsWith('~u:'))?.[1].value
    for (const key of ['dead', 'alive']) await store.create(key, record('ada'))
    await store.destroy('dead')
    expect(await store.keysOfUser('ada')).toEqual(['alive'])
    // It may be of a sign-in that has not written its record yet.
    expect(list()?.toString()).toContain('"dead"')
    await clock.advance(700_000)
    expect(await store.keysOfUser('ada')).toEqual(['alive'])
    expect(list()?.toString()).not.toContain('"dead"')
  })

  it('lets its user sign in when it is full, tells of it, and is not read each time', async () => {
    const server = await fakeMemcached({ largest: 200 })
    const store = storeOn(server.url)
    const reports: unknown[] = []
    store.onReport((report) => reports.push(report))
    for (let n = 0; n < 30; n++) expect(await store.create(`k${n}`, entry('{}', 'ada'))).toBe(true)
    const listed = await store.keysOfUser('ada')
    expect(listed.length).toBeGreaterThan(5)
    expect(listed.length).toBeLessThan(30)
    const full = { type: 'error', op: 'index', error: { code: 'ERR_RECORD_TOO_LARGE' } }
    expect(reports).toMatchObject(Array.from({ length: 30 - listed.length }, () => full))
    server.asked.length = 0
    await store.create('last', entry('{}', 'ada'))
    expect(server.asked.filter((line) => line.startsWith('mg'))).toEqual([])
  })

  it('has room again once its dead keys have gone', async () => {
    const clock = new FakeClock()
    const server = await fakeMemcached({ largest: 200, now: () => clock.now() })
    const store = storeOn(server.url, { clock })
    const record = () => ({ text: '{}', expiresAt: clock.now() + 9e6, user: 'ada' })
    for (let n = 0; n < 20; n++) {
      await store.create(`k${n}`, record())
      await store.destroy(`k${n}`)
    }
    await clock.advance(700_000)
    await store.create('live', record())
    expect(await store.keysOfUser('ada')).toEqual(['live'])
  })

  it('is an error where it ends at once, by a clock that is wrong, and is not tried for ever', async () => {
    const clock = new FakeClock()
    const server = await fakeMemcached({ now: () => clock.now() + 500 * 24 * 3_600_000 })
    const store = storeOn(server.url, { clock })
    const life = { text: '{}', expiresAt: clock.now() + 1000, user: 'ada' }
    await expect(store.create('a', life)).rejects.toMatchObject({ code: 'ERR_STORE' })
    await store.create('b', { text: '{}', expiresAt: life.expiresAt })
    expect((await store.load('b'))?.text).toBe('{}')
  })

  it('is cleared by sign-ins too, however many there are', async () => {
    const clock = new FakeClock()
    const server = await fakeMemcached({ now: () => clock.now() })
    const store = storeOn(server.url, { clock })
    for (let n = 0; n < 120; n++) {
      await store.create(`k${n}`, { text: '{}', expiresAt: clock.now() + 9e6, user: 'ada' })
      await store.destroy(`k${n}`)
      await clock.advance(30_000)
    }
    await expect
      .poll(() =>
        [...server.items.values()].map(({ value }) => value.length).every((n) => n < 2000),
      )
      .toBe(true)
  })
})
