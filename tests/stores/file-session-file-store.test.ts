import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import * as nodeFiles from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import expressSession from 'express-session'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { can, type StoreReport } from '../../src/core/store.js'
import { FileStore } from '../../src/stores/file.js'
import { FakeClock, testStore } from '../../src/testing/index.js'
import { ahead } from '../testing/reference-store.js'
import { fileSystem, freshFolder, gate, leftovers, silentFileSystem } from './file-folder.js'

const require = createRequire(import.meta.url)
const layout = 'session-file-store'
const HOUR = 3_600_000
/** What a disk promises is proven with the other layout. */
const fsync = false

interface OldFileStore {
  get(sid: string, callback: (error: unknown, session?: object | null) => void): void
  set(sid: string, session: object, callback: (error?: unknown) => void): void
  touch(sid: string, session: object, callback: (error?: unknown) => void): void
  destroy(sid: string, callback: (error?: unknown) => void): void
  list(callback: (error: unknown, files?: string[]) => void): void
}

/** The real package on a folder; it reads the date of the machine. */
function oldStore(path: string, options: object = {}): OldFileStore {
  const Old = require('session-file-store')(expressSession) as new (options: object) => OldFileStore
  return new Old({ path, retries: 0, reapInterval: -1, logFn() {}, ...options })
}

/** What its interval runs. */
function reap(path: string): Promise<unknown> {
  const { defaults, reap } = require('session-file-store/lib/session-file-helpers')
  return told((done) => reap(defaults({ path, retries: 0, logFn() {} }), done))
}

/** The answer of a method that takes a callback last. */
function told<T = unknown>(call: (callback: (error: unknown, answer?: T) => void) => void) {
  return new Promise<T | undefined>((resolve, reject) => {
    call((error, answer) => (error ? reject(error) : resolve(answer)))
  })
}

/** Has a path lead somewhere else, in one step. */
function lead(path: string, to: string): void {
  symlinkSync(to, `${path}.next`)
  renameSync(`${path}.next`, path)
}

testStore({ describe, it }, "FileStore in layout 'session-file-store'", {
  open() {
    const folder = freshFolder()
    const other = freshFolder()
    const clock = new FakeClock()
    const { path } = folder
    mkdirSync(`${path}.real`)
    lead(path, `${path}.real`)
    const { fs, fall, speak } = silentFileSystem()
    // Not for longer: what a killed process has left is known by the dates of the machine.
    const at = async <T>(now: number, run: () => Promise<T>) => {
      vi.useFakeTimers({ toFake: ['Date'], now })
      try {
        return await run()
      } finally {
        vi.useRealTimers()
      }
    }
    return {
      store: new FileStore({ path, layout, clock, fsync }, fs),
      clock,
      advance: (ms) => clock.advance(ms),
      another: () => new FileStore({ path, layout, clock, fsync }),
      elsewhere: () => new FileStore({ path: other.path, layout, clock }),
      plant: (key, garbage) => writeFileSync(join(path, `${key}.json`), garbage, 'latin1'),
      outage: {
        begin: () => lead(path, '/dev/null'),
        end: () => lead(path, `${path}.real`),
      },
      blackHole: { begin: fall, end: speak },
      skewed: (ms) => new FileStore({ path, layout, clock: ahead(clock, ms), fsync }),
      predecessor: {
        forms: ['plain'],
        async write(_form, key, text, expiresAt) {
          const session = JSON.parse(text)
          // It takes an hour from the last access on.
          await at(expiresAt - HOUR, () => told((done) => oldStore(path).set(key, session, done)))
        },
        read: (key) =>
          at(clock.now(), async () => {
            const found = await told<object | null>((done) => oldStore(path).get(key, done)).catch(
              (error) => (error.code === 'ENOENT' ? undefined : Promise.reject(error)),
            )
            if (!found) return undefined
            const { __lastAccess, ...session } = found as Record<string, unknown>
            return JSON.stringify(session)
          }),
      },
      dispose: () => {
        folder.remove()
        other.remove()
      },
    }
  },
  skips: { S6: 'the lock is that of the other layout, where this is proven' },
  lacks: {
    keysOfUser: 'the files of the old package say nothing of users',
    trips: 'there is no server to wait for',
    processes: 'the locks are those of the other layout, where processes prove them',
    exits: 'it opens nothing, as the other layout shows',
  },
})

/** A folder with a store of ours and the real package on it, under one clock. */
function bothOn(options: { ttl?: number; fs?: Partial<typeof nodeFiles> } = {}) {
  const { fs = {}, ...settings } = options
  const { path, remove } = freshFolder()
  const clock = new FakeClock()
  vi.useFakeTimers({ toFake: ['Date'], now: clock.now() })
  onTestFinished(() => {
    vi.useRealTimers()
    remove()
  })
  const store = new FileStore({ path, layout, clock, ...settings }, fileSystem(fs))
  const reports: StoreReport[] = []
  store.onReport((report) => reports.push(report))
  const pass = async (ms: number) => {
    await clock.advance(ms)
    vi.setSystemTime(clock.now())
  }
  const fileOf = (key: string) => join(path, `${key}.json`)
  const contentOf = (key: string) => readFileSync(fileOf(key), 'utf8')
  return {
    ...{ path, clock, store, reports, pass, fileOf, contentOf },
    // It makes the folder, so only for those who ask.
    get old() {
      return oldStore(path, { ttl: (settings.ttl ?? HOUR) / 1000 })
    },
  }
}

/** A session whose cookie lives for `life` from `now` on; null: as long as the browser. */
function sessionText(now: number, life: number | null, data: object = { views: 1 }): string {
  const expires = life === null ? null : new Date(now + life).toISOString()
  const cookie = { originalMaxAge: life, expires, httpOnly: true, path: '/' }
  return JSON.stringify({ cookie, ...data })
}

describe("the files of layout 'session-file-store'", () => {
  it('hold the session, and in it when it was last used', async () => {
    const { store, clock, contentOf, path, fileOf } = bothOn()
    const text = sessionText(clock.now(), 5000)
    await store.create('sid', { text, expiresAt: clock.now() + 5000, user: 'ada' })
    expect(contentOf('sid')).toBe(`${text.slice(0, -1)},"__lastAccess":${clock.now()}}`)
    expect(readdirSync(path)).toEqual(['sid.json'])
    const modes = [path, fileOf('sid')].map((one) => (statSync(one).mode & 0o777).toString(8))
    expect(modes).toEqual(['700', '600'])
    expect(can(store, 'keysOfUser')).toBe(false)
  })

  it('move their dates at a touch, which is no change of the session', async () => {
    const { store, clock, contentOf, pass } = bothOn()
    const text = sessionText(clock.now(), 5000)
    await store.create('sid', { text, expiresAt: clock.now() + 5000 })
    const seen = (await store.load('sid'))!
    await pass(4000)
    const later = clock.now() + 5000
    expect(await store.touch('sid', later)).toBe(true)
    const moved = sessionText(clock.now(), 5000)
    expect(contentOf('sid')).toBe(`${moved.slice(0, -1)},"__lastAccess":${clock.now()}}`)
    expect(await store.load('sid')).toEqual({ text: moved, expiresAt: later })
    const next = { text: sessionText(clock.now(), 5000, { views: 2 }), expiresAt: later }
    expect(await store.replace('sid', next, seen)).toBe('replaced')
    expect(await store.replace('sid', next, seen)).toBe('changed')
  })

  it.each([
    ['a life of its own', 5000, 5000],
    ['no life of its own', null, 9000],
  ])('of a session with %s end at the same moment for both packages', async (_, life, ms) => {
    for (const writer of ['ours', 'theirs']) {
      const { store, old, clock, pass } = bothOn({ ttl: 9000 })
      const text = sessionText(clock.now(), life)
      if (writer === 'ours') await store.create('sid', { text, expiresAt: clock.now() + ms })
      else await told((done) => old.set('sid', JSON.parse(text), done))
      await pass(ms - 1)
      expect((await store.load('sid'))?.text).toBe(text)
      expect(await told((done) => old.get('sid', done))).toMatchObject({ views: 1 })
      await pass(2)
      expect(await told((done) => old.get('sid', done))).toBeNull()
      expect(await store.load('sid')).toBeUndefined()
    }
  })

  it('keep an expiry that no life of the session leads to, for the old package as well', async () => {
    const { store, old, clock, pass } = bothOn({ ttl: 9000 })
    const expiresAt = clock.now() + 86_400_000
    await store.create('sid', { text: sessionText(clock.now(), null), expiresAt })
    await store.create('for ever', { text: '{"cookie":{}}', expiresAt: Infinity })
    await pass(86_399_999)
    expect(await told((done) => old.get('sid', done))).toMatchObject({ views: 1 })
    expect((await store.load('sid'))?.expiresAt).toBe(expiresAt)
    await pass(10 ** 12)
    expect(await told((done) => old.get('for ever', done))).toMatchObject({ cookie: {} })
    expect((await store.load('for ever'))?.text).toBe('{"cookie":{}}')
  })

  it('without a last access count from when they were written', async () => {
    const { store, clock, fileOf, pass } = bothOn()
    const text = sessionText(clock.now(), 5000)
    await store.create('sid', { text, expiresAt: clock.now() })
    writeFileSync(fileOf('sid'), text)
    utimesSync(fileOf('sid'), clock.now() / 1000, clock.now() / 1000)
    await pass(4999)
    expect(await store.load('sid')).toMatchObject({ text })
    await pass(1)
    expect(await store.load('sid')).toBeUndefined()
  })

  it('are read wherever the last access stands, and however often', async () => {
    const { store, clock, fileOf } = bothOn()
    await store.create('sid', { text: '{}', expiresAt: clock.now() + 1 })
    const now = clock.now()
    for (const [content, text] of [
      [`{"cookie":{},"__lastAccess":${now},"added":1}`, '{"cookie":{},"added":1}'],
      [`{"__lastAccess":1,"cookie":{},"__lastAccess":${now}}`, '{"cookie":{}}'],
      [`{"cookie": {}, "a": [1], "__lastAccess": ${now}}`, '{"cookie":{},"a":[1]}'],
      [`{"a": 1, "__lastAccess":${now}}\n`, '{"a":1}'],
      [`{"a":{"__lastAccess":5},"__lastAccess":${now}}`, '{"a":{"__lastAccess":5}}'],
      [
        `{"a":"\\",\\"__lastAccess\\":5}","__lastAccess":${now}}`,
        '{"a":"\\",\\"__lastAccess\\":5}"}',
      ],
      [`{"__lastAccess":${now}}`, '{}'],
      [`{ "__lastAccess":${now}}`, '{ }'],
    ] as const) {
      writeFileSync(fileOf('sid'), content)
      const seen = (await store.load('sid'))!
      expect(seen).toEqual({ text, expiresAt: now + HOUR })
      const entry = { text: '{"n":1}', expiresAt: now + HOUR }
      expect(await store.replace('sid', entry, seen)).toBe('replaced')
      expect((await store.load('sid'))?.text).toBe('{"n":1}')
    }
    // A program on the old package has it among its data.
    const text = '{"__lastAccess":7,"cookie":{}}'
    await store.create('leaked', { text, expiresAt: now + HOUR })
    expect(await store.load('leaked')).toEqual({ text: '{"cookie":{}}', expiresAt: now + HOUR })
  })

  it('that hold no session are misses, told of and left alone, also by a sweep', async () => {
    const { store, clock, reports, contentOf, fileOf, pass } = bothOn()
    await store.create('sid', { text: '{}', expiresAt: clock.now() + 1 })
    writeFileSync(fileOf('half'), '{"cookie":{"orig')
    writeFileSync(fileOf('list'), '[]')
    await pass(10)
    expect(await store.load('half')).toBeUndefined()
    expect(await store.load('list')).toBeUndefined()
    expect(reports).toEqual([
      { type: 'unreadable', key: 'half' },
      { type: 'unreadable', key: 'list' },
    ])
    expect(await store.sweep()).toBe(1)
    expect(await store.create('half', { text: '{}', expiresAt: clock.now() + 1 })).toBe(false)
    expect(contentOf('half')).toBe('{"cookie":{"orig')
    expect(await store.destroy('half')).toBe(false)
    expect(() => contentOf('half')).toThrow('ENOENT')
  })

  it('refuse texts that are no JSON objects, and change nothing', async () => {
    const { store, clock, path } = bothOn()
    const expiresAt = clock.now() + 1
    const refused = { code: 'ERR_UNSUPPORTED' }
    for (const text of ['', '1', '[]', 'null', '{"a"', 'text']) {
      await expect(store.create('sid', { text, expiresAt })).rejects.toMatchObject(refused)
    }
    expect(() => readdirSync(path)).toThrow('ENOENT')
  })

  it('refuse keys that are no names of files, and look at nothing then', async () => {
    const touched: string[] = []
    const watched = (path: unknown): never => {
      touched.push(String(path))
      throw new Error('looked')
    }
    const { store, clock } = bothOn({ fs: { open: watched, readFile: watched, unlink: watched } })
    const entry = { text: '{}', expiresAt: clock.now() + 1000 }
    const hostile = ['', '.', '..', '../x', 'a/b', 'a\\b', 'a\0b', 'x'.repeat(250), '\ud800']
    for (const key of hostile) {
      expect(await store.load(key)).toBeUndefined()
      await expect(store.create(key, entry)).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' })
      expect(await store.replace(key, entry, entry)).toBe('gone')
      expect(await store.touch(key, entry.expiresAt)).toBe(false)
      expect(await store.destroy(key)).toBe(false)
    }
    expect(touched).toEqual([])
  })

  it('are all that the old package sees in the folder, also while they are written', async () => {
    const inside = gate()
    const door = gate()
    const rename = async (...args: Parameters<typeof nodeFiles.rename>) => {
      inside.open()
      await door.opened
      return nodeFiles.rename(...args)
    }
    const { store, old, clock, path } = bothOn({ fs: { rename } })
    const entry = { text: '{"n":1}', expiresAt: clock.now() + 1000 }
    await store.create('sid', entry)
    const replacing = store.replace('sid', { ...entry, text: '{"n":2}' }, entry)
    await inside.opened
    const there = leftovers(path).map((name) => name.replace(/[0-9a-f]{16}/, '…'))
    expect(there.sort()).toEqual(['sid.json', 'sid.json.lock', 'sid.json.….tmp'])
    expect(await told((done) => old.list(done))).toEqual(['sid.json'])
    expect(await store.load('sid')).toMatchObject({ text: '{"n":1}' })
    door.open()
    expect(await replacing).toBe('replaced')
    expect(readdirSync(path)).toEqual(['sid.json'])
  })

  it('that have expired go by the sweep of either package, the others stay', async () => {
    for (const sweeper of ['ours', 'theirs']) {
      const { store, old, clock, path, pass } = bothOn()
      const [short, long] = [sessionText(clock.now(), 1000), sessionText(clock.now(), 9000)]
      await store.create('a', { text: short, expiresAt: clock.now() + 1000 })
      await store.create('b', { text: long, expiresAt: clock.now() + 9000 })
      await told((done) => old.set('c', JSON.parse(short), done))
      await told((done) => old.set('d', JSON.parse(long), done))
      await store.create('e', { text: short, expiresAt: clock.now() + 1000 })
      writeFileSync(join(path, 'notes.txt'), 'of somebody else')
      writeFileSync(join(path, 'draft.tmp'), 'of somebody else')
      utimesSync(join(path, 'draft.tmp'), 0, 0)
      await pass(500)
      await store.touch('e', clock.now() + 1000)
      await pass(501)
      if (sweeper === 'ours') expect(await store.sweep()).toBe(2)
      else await reap(path)
      const left = ['b.json', 'd.json', 'draft.tmp', 'e.json', 'notes.txt']
      // Theirs is done when the last file is, whatever the others do.
      await vi.waitFor(() => expect(readdirSync(path).sort()).toEqual(left))
    }
  })

  it('stay alive by the touches of either package', async () => {
    const { store, old, clock, pass } = bothOn()
    await store.create('sid', {
      text: sessionText(clock.now(), 1000),
      expiresAt: clock.now() + 1000,
    })
    for (let turn = 0; turn < 6; turn++) {
      await pass(900)
      const { cookie } = JSON.parse(sessionText(clock.now(), 1000))
      if (turn % 2 === 0) await told((done) => old.touch('sid', { cookie }, done))
      else expect(await store.touch('sid', clock.now() + 1000)).toBe(true)
      expect(await store.load('sid')).toEqual({
        text: sessionText(clock.now(), 1000),
        expiresAt: clock.now() + 1000,
      })
    }
  })

  it('cost an unknown key one look', async () => {
    let looks = 0
    const readFile = ((...args: Parameters<typeof nodeFiles.readFile>) => {
      looks++
      return nodeFiles.readFile(...args)
    }) as typeof nodeFiles.readFile
    const { store } = bothOn({ fs: { readFile } })
    expect(await store.load('unknown')).toBeUndefined()
    expect(looks).toBe(1)
  })
})

describe("the encrypted files of layout 'session-file-store'", () => {
  const secret = 'Krupt31n sEcret!!'
  const forms = {
    'by default': undefined,
    'by PBKDF2': { algorithm: 'aes-256-gcm' },
    'without a tag': { algorithm: 'aes-128-cbc', hashing: 'sha256', use_scrypt: true },
  }

  it.each(Object.entries(forms))('%s are read and written by both packages', async (_, crypto) => {
    const { path, remove } = freshFolder()
    onTestFinished(remove)
    const options = { secret, ...(crypto && { crypto }) }
    const store = new FileStore({ path, layout, ...options })
    const old = oldStore(path, options)
    const expiresAt = Date.now() + HOUR
    const text = sessionText(Date.now(), HOUR, { name: 'Zoë 🧥' })
    await told((done) => old.set('theirs', JSON.parse(text), done))
    expect((await store.load('theirs'))?.text).toBe(text)
    await store.create('ours', { text, expiresAt })
    expect(readFileSync(join(path, 'ours.json'), 'utf8')).not.toContain('Zo')
    expect(await told((done) => old.get('ours', done))).toMatchObject({ name: 'Zoë 🧥' })
    const seen = (await store.load('theirs'))!
    expect(await store.touch('theirs', expiresAt + HOUR)).toBe(true)
    const next = sessionText(Date.now(), HOUR, { n: 2 })
    expect(await store.replace('theirs', { text: next, expiresAt }, seen)).toBe('replaced')
    expect(await told((done) => old.get('theirs', done))).toMatchObject({ n: 2 })
    expect((await keysIn(store)).sort()).toEqual(['ours', 'theirs'])
  })

  it('are read whichever way the keys are derived', async () => {
    const { path, remove } = freshFolder()
    onTestFinished(remove)
    const store = new FileStore({ path, layout, secret })
    const old = oldStore(path, { secret, crypto: { algorithm: 'aes-256-gcm' } })
    const text = sessionText(Date.now(), HOUR)
    await told((done) => old.set('sid', JSON.parse(text), done))
    expect((await store.load('sid'))?.text).toBe(text)
  })

  it('are not looked for in plain, nor by another secret, nor after a change', async () => {
    const { path, remove } = freshFolder()
    onTestFinished(remove)
    const store = new FileStore({ path, layout, secret })
    const entry = { text: sessionText(Date.now(), HOUR), expiresAt: Date.now() + HOUR }
    await store.create('sid', entry)
    await new FileStore({ path, layout }).create('plain', entry)
    await new FileStore({ path, layout, secret: 'another' }).create('other', entry)
    const payload = JSON.parse(readFileSync(join(path, 'sid.json'), 'utf8'))
    const changes = {
      ct: { ct: `${payload.ct.slice(1)}x` },
      hmac: { hmac: `${payload.hmac.slice(1)}x` },
      tag: { at: { type: 'Buffer', data: payload.at.data.map((byte: number) => byte ^ 1) } },
      aad: { aad: 'another' },
      iv: { iv: { type: 'Buffer', data: payload.iv.data.map((byte: number) => byte ^ 1) } },
      salt: { salt: undefined },
      short: { iv: { type: 'Buffer', data: [] } },
    }
    for (const [name, change] of Object.entries(changes)) {
      writeFileSync(join(path, `${name}.json`), JSON.stringify({ ...payload, ...change }))
    }
    const reports: unknown[] = []
    store.onReport((report) => reports.push(report))
    for (const key of ['plain', 'other', ...Object.keys(changes)]) {
      expect([key, await store.load(key)]).toEqual([key, undefined])
    }
    expect(reports).toHaveLength(9)
    expect((await store.load('sid'))?.text).toBe(entry.text)
    // Nor as plain data, where nobody knows the secret.
    expect(await new FileStore({ path, layout }).load('sid')).toBeUndefined()
  })

  it('derive few keys: each costs the time of a request', async () => {
    const { path, remove } = freshFolder()
    onTestFinished(remove)
    const store = new FileStore({ path, layout, secret })
    const entry = { text: '{}', expiresAt: Date.now() + HOUR }
    for (const key of ['a', 'b']) await store.create(key, entry)
    const [a, b] = ['a', 'b'].map((key) =>
      JSON.parse(readFileSync(join(path, `${key}.json`), 'utf8')),
    )
    expect(a.salt).toEqual(b.salt)
    expect(a.iv).not.toEqual(b.iv)
    expect(a.ct).not.toEqual(b.ct)
  })
})

async function keysIn(store: FileStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.entries()) keys.push(key)
  return keys
}

describe('the options of FileStore', () => {
  it.each([
    [{ layout: 'flat' }, /layout/],
    [{ ttl: 1000 }, /ttl/],
    [{ fileExtension: '.json' }, /fileExtension/],
    [{ layout, ttl: 0 }, /ttl/],
    [{ layout, ttl: Infinity }, /ttl/],
    [{ layout, fileExtension: '' }, /fileExtension/],
    [{ layout, fileExtension: 'json' }, /fileExtension/],
    [{ layout, fileExtension: '.lock' }, /fileExtension/],
    [{ layout, fileExtension: '.0' }, /fileExtension/],
    [{ layout, fileExtension: '.a/b' }, /fileExtension/],
    [{ secret: 'x' }, /secret/],
    [{ crypto: {} }, /crypto/],
    [{ layout, secret: '' }, /secret/],
    [{ layout, secret: 1 }, /secret/],
    [{ layout, crypto: {} }, /crypto/],
    [{ layout, secret: 'x', crypto: { algorithm: 'rot13' } }, /crypto/],
    [{ layout, secret: 'x', crypto: { hashing: 'crc' } }, /crypto/],
  ])('refuse %o', (options, message) => {
    const given = { path: 'x', ...options } as never
    expect(() => new FileStore(given)).toThrow(message)
  })

  it('name the extension of the files', async () => {
    const { path, remove } = freshFolder()
    onTestFinished(remove)
    const store = new FileStore({ path, layout, fileExtension: '.sess' })
    await store.create('sid', { text: '{}', expiresAt: Date.now() + 1000 })
    expect(readdirSync(path)).toEqual(['sid.sess'])
    expect(await keysIn(store)).toEqual(['sid'])
  })
})
