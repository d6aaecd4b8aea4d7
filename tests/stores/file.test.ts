import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import * as fs from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { StoreReport } from '../../src/core/store.js'
import { FileStore } from '../../src/stores/file.js'
import type { FileSystem } from '../../src/stores/internal/file-system.js'
import { FakeClock, testStore } from '../../src/testing/index.js'
import { ahead } from '../testing/reference-store.js'
import {
  answerOf,
  exitOf,
  fileSystem,
  freshFolder,
  gate,
  leftovers,
  recordPath,
  silentFileSystem,
  startProcess,
  systemError,
  watchedLocks,
} from './file-folder.js'

const later = Date.UTC(2100, 0, 1)

testStore({ describe, it }, 'FileStore', {
  open() {
    const folder = freshFolder()
    const other = freshFolder()
    const clock = new FakeClock()
    const { path } = folder
    mkdirSync(`${path}.real`)
    lead(path, `${path}.real`)
    const { fs: files, fall, speak } = silentFileSystem()
    return {
      store: new FileStore({ path, clock }, files),
      clock,
      advance: (ms) => clock.advance(ms),
      another: () => new FileStore({ path, clock }),
      elsewhere: () => new FileStore({ path: other.path, clock }),
      plant: (key, garbage) => fs.writeFile(recordPath(path, key), garbage, 'latin1'),
      processes: async (programs) => {
        const jobs = programs.map((program) => ({ type: 'program', program, now: clock.now() }))
        const answers = await Promise.all(jobs.map((job) => answerOf(startProcess(path, job))))
        return answers.map((answer) => JSON.parse(answer))
      },
      outage: {
        begin: () => lead(path, '/dev/null'),
        end: () => lead(path, `${path}.real`),
      },
      blackHole: { begin: fall, end: speak },
      exits: (program) =>
        exitOf(startProcess(path, { type: 'program', program, now: clock.now() })),
      skewed: (ms) => new FileStore({ path, clock: ahead(clock, ms) }),
      dispose: () => {
        folder.remove()
        other.remove()
      },
    }
  },
  lacks: {
    trips: 'there is no server to wait for',
    predecessor: 'its files are its own',
  },
})

/** Has a path lead somewhere else, in one step. */
function lead(path: string, to: string): void {
  symlinkSync(to, `${path}.next`)
  renameSync(`${path}.next`, path)
}

const folders: { remove(): void }[] = []

function aFolder(): string {
  const folder = freshFolder()
  folders.push(folder)
  return folder.path
}

function reportsOf(store: FileStore): StoreReport[] {
  const reports: StoreReport[] = []
  store.onReport((report) => reports.push(report))
  return reports
}

afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove()
})

describe('the files of FileStore', () => {
  it('are for their owner alone, whatever the umask', async () => {
    const path = aFolder()
    const umask = process.umask(0)
    try {
      await new FileStore({ path }).create('k', { text: '{}', expiresAt: later, user: 'ann' })
    } finally {
      process.umask(umask)
    }
    const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8)
    const names = readdirSync(path, { recursive: true, withFileTypes: true })
    expect(modeOf(path)).toBe('700')
    expect(names.length).toBe(5)
    for (const name of names) {
      const mode = modeOf(`${name.parentPath}/${name.name}`)
      expect([name.name, mode]).toEqual([name.name, name.isDirectory() ? '700' : '600'])
    }
  })

  it('are made by the first write, not by a constructor or a miss', async () => {
    const path = aFolder()
    const store = new FileStore({ path })
    expect(await store.load('k')).toBeUndefined()
    expect(await store.destroy('k')).toBe(false)
    expect(await store.keysOfUser('ann')).toEqual([])
    expect(await store.sweep()).toBe(0)
    expect(() => statSync(path)).toThrow('ENOENT')
  })

  it('cost an unknown key one failed read, without a second try', async () => {
    const path = aFolder()
    await new FileStore({ path }).create('known', { text: '{}', expiresAt: later })
    const calls: string[] = []
    const counted = Object.fromEntries(
      Object.entries(fs).map(([name, run]) => [
        name,
        typeof run !== 'function'
          ? run
          : (...args: unknown[]) => {
              calls.push(name)
              return Reflect.apply(run, fs, args)
            },
      ]),
    ) as unknown as FileSystem
    expect(await new FileStore({ path }, counted).load('unknown')).toBeUndefined()
    expect(calls).toEqual(['readFile'])
  })

  it('hold any text, an expiry without end and keys of one UTF-8 form apart', async () => {
    const store = new FileStore({ path: aFolder() })
    const text = '\ufeff{"a":"\\u0000é😀\u2028"}\r\n\n\0'
    await store.create('\ud800', { text, expiresAt: Infinity })
    await store.create('\ud801', { text: '', expiresAt: later })
    expect(await store.load('\ud800')).toEqual({ text, expiresAt: Infinity })
    expect(await store.load('\ud801')).toEqual({ text: '', expiresAt: later })
  })

  it('in the place of another one are not believed', async () => {
    const path = aFolder()
    const store = new FileStore({ path })
    await store.create('k', { text: 'of k', expiresAt: later })
    await store.create('l', { text: 'of l', expiresAt: later })
    await fs.copyFile(recordPath(path, 'k'), recordPath(path, 'l'))
    const reports = reportsOf(store)
    expect(await store.load('l')).toBeUndefined()
    expect(reports).toEqual([{ type: 'unreadable', key: 'l' }])
    expect((await store.load('k'))?.text).toBe('of k')
  })

  it('of another version stay as they are, and are reported', async () => {
    const path = aFolder()
    const store = new FileStore({ path })
    await store.create('k', { text: '{}', expiresAt: later })
    const file = recordPath(path, 'k')
    const bytes = (await fs.readFile(file, 'utf8')).replace('"v":1', '"v":2')
    await fs.writeFile(file, bytes)
    const reports = reportsOf(store)
    expect(await store.load('k')).toBeUndefined()
    expect(reports).toEqual([{ type: 'unreadable', key: 'k' }])
    const entry = { text: 'x', expiresAt: later }
    expect(await store.create('k', entry)).toBe(false)
    expect(await store.replace('k', entry, { text: '{}', expiresAt: later })).toBe('gone')
    expect(await store.touch('k', later)).toBe(false)
    expect(await store.sweep()).toBe(0)
    expect(await fs.readFile(file, 'utf8')).toBe(bytes)
  })
})

describe('the order of what FileStore writes', () => {
  const ann = { text: '{}', expiresAt: later, user: 'ann' }

  /** A file system that notes what is there at each step that shows or hides something. */
  function noted(path: string) {
    const steps: string[] = []
    const note = (step: string) => {
      const files = readdirSync(path, { recursive: true, encoding: 'utf8' })
      const names = files.filter((name) => /[0-9a-f]{64}$/.test(name))
      const marks = names.filter((name) => /^users.*\W.*\W/.test(name)).length
      const records = names.filter((name) => /^[0-9a-f]{2}\W/.test(name)).length
      steps.push(`${step}: ${marks} of ${records}`)
    }
    const isRecord = (file: unknown) => /\W[0-9a-f]{2}\W[0-9a-f]{64}$/.test(String(file))
    const changes: Partial<FileSystem> = {
      link: async (from, to) => {
        note('link')
        await fs.link(from, to)
      },
      rename: async (from, to) => {
        note('rename')
        await fs.rename(from, to)
      },
      unlink: async (file) => {
        if (isRecord(file)) note('unlink record')
        else if (String(file).includes('users')) note('unlink entry')
        await fs.unlink(file)
      },
    }
    return { fs: fileSystem(changes), steps }
  }

  it('has the index entry there before the record, and until after it', async () => {
    const path = aFolder()
    const { fs: watched, steps } = noted(path)
    const store = new FileStore({ path }, watched)
    await store.create('k', ann)
    expect(steps.splice(0)).toEqual(['link: 1 of 0'])
    await store.replace('k', { ...ann, user: 'bob' }, ann)
    expect(steps.splice(0)).toEqual(['rename: 2 of 1', 'unlink entry: 2 of 1'])
    await store.destroy('k')
    expect(steps.splice(0)).toEqual(['unlink record: 1 of 1', 'unlink entry: 1 of 0'])
  })

  /** An `open` that notes each `sync` of what it has opened. */
  function notingSyncs(steps: string[]): FileSystem['open'] {
    return async (...args) => {
      const handle = await fs.open(...args)
      const sync = handle.sync.bind(handle)
      handle.sync = () => {
        steps.push('sync')
        return sync()
      }
      return handle
    }
  }

  it('syncs the folder after a destroy, which a power cut then cannot undo', async () => {
    const path = aFolder()
    await new FileStore({ path }).create('k', { text: '{}', expiresAt: later })
    const steps: string[] = []
    const unlink: FileSystem['unlink'] = async (file) => {
      if (file === recordPath(path, 'k')) steps.push('unlink')
      await fs.unlink(file)
    }
    const store = new FileStore({ path }, fileSystem({ open: notingSyncs(steps), unlink }))
    await store.destroy('k')
    expect(steps).toEqual(['unlink', 'sync'])
  })

  it.each([
    [true, ['sync', 'rename', 'sync']],
    [false, ['rename']],
  ])(
    'with fsync %s syncs the file before its rename and the folder after it',
    async (fsync, all) => {
      const path = aFolder()
      await new FileStore({ path }).create('k', ann)
      const steps: string[] = []
      const open = notingSyncs(steps)
      const rename: FileSystem['rename'] = async (from, to) => {
        steps.push('rename')
        await fs.rename(from, to)
      }
      const store = new FileStore({ path, fsync }, fileSystem({ open, rename }))
      // Anonymous: no index entry, so what is left is the record and its folder.
      await store.replace('k', { text: '1', expiresAt: later }, ann)
      expect(steps).toEqual(all)
    },
  )
})

describe('FileStore and a lock that was lost', () => {
  it.each(['destroy', 'touch', 'replace'] as const)(
    'a %s waits for whoever took it',
    async (op) => {
      const path = aFolder()
      const entry = { text: '{}', expiresAt: later }
      await new FileStore({ path }).create('k', entry)
      const record = recordPath(path, 'k')
      const lock = `${record}.lock`
      let theirs: 'not yet' | 'held' | 'done' = 'not yet'
      const deeds: string[] = []
      const readFile = (async (...args: Parameters<typeof fs.readFile>) => {
        if (args[0] === record && existsSync(lock) && theirs === 'not yet') {
          const holder = { token: 'another', host: 'elsewhere', pid: 1, at: Date.now() }
          writeFileSync(lock, JSON.stringify(holder))
          theirs = 'held'
        }
        return await fs.readFile(...args)
      }) as typeof fs.readFile
      const open: FileSystem['open'] = async (file, ...rest) => {
        if (file === lock && theirs === 'held') {
          theirs = 'done'
          await fs.unlink(lock)
        }
        return await fs.open(file, ...rest)
      }
      const rename: FileSystem['rename'] = async (from, to) => {
        if (to === record) deeds.push(theirs)
        await fs.rename(from, to)
      }
      const unlink: FileSystem['unlink'] = async (file) => {
        if (file === record) deeds.push(theirs)
        await fs.unlink(file)
      }
      const store = new FileStore({ path }, fileSystem({ open, readFile, rename, unlink }))
      const run = {
        destroy: () => store.destroy('k'),
        touch: () => store.touch('k', later + 1),
        replace: () => store.replace('k', entry, entry),
      }
      expect(await run[op]()).toBe(op === 'replace' ? 'replaced' : true)
      expect(deeds).toEqual(['done'])
      expect(leftovers(path)).toEqual([])
    },
  )
})

describe('FileStore and a file system that fails', () => {
  const stages: [string, Partial<FileSystem>][] = [
    ['the temporary file cannot be opened', { open: failingOpen('ENOSPC', 'open') }],
    ['the temporary file cannot be written', { open: failingOpen('ENOSPC', 'writeFile') }],
    ['the disk fails', { open: failingOpen('EIO', 'sync') }],
    ['the rename is refused for good', { rename: () => Promise.reject(systemError('EACCES')) }],
    ['the disk is read-only', { open: failingOpen('EROFS', 'open') }],
  ]

  it.each(stages)('keeps the old record and cleans up when %s', async (_, changes) => {
    const path = aFolder()
    const store = new FileStore({ path })
    await store.create('k', { text: 'old', expiresAt: later })
    const failing = new FileStore({ path }, fileSystem(changes))
    const seen = (await store.load('k'))!
    const refusal = { code: 'ERR_STORE', store: 'FileStore', outcome: 'failed', status: 503 }
    const refused = (op: string) =>
      expect.objectContaining({ ...refusal, op, cause: expect.objectContaining({ errno: -1 }) })
    await expect(failing.touch('k', later + 1)).rejects.toThrow(refused('touch'))
    const entry = { text: 'new', expiresAt: later }
    await expect(failing.replace('k', entry, seen)).rejects.toThrow(refused('replace'))
    expect(await store.load('k')).toEqual({ text: 'old', expiresAt: later })
    expect(leftovers(path)).toEqual([])
    expect(await store.replace('k', entry, seen)).toBe('replaced')
  })

  it('tries again what Windows refuses for a moment', async () => {
    const path = aFolder()
    const refusals = ['EPERM', 'EBUSY', 'EACCES']
    const refuse = async () => {
      const code = refusals.shift()
      if (code !== undefined) throw systemError(code)
    }
    const rename: FileSystem['rename'] = (from, to) => refuse().then(() => fs.rename(from, to))
    const unlink: FileSystem['unlink'] = (file) => refuse().then(() => fs.unlink(file))
    const store = new FileStore({ path }, fileSystem({ rename }))
    await store.create('k', { text: 'old', expiresAt: later })
    expect(await store.touch('k', later + 1)).toBe(true)
    expect(refusals).toEqual([])
    refusals.push('EBUSY', 'EPERM')
    const other = new FileStore({ path }, fileSystem({ unlink }))
    expect(await other.destroy('k')).toBe(true)
    expect(refusals).toEqual([])
    expect(leftovers(path)).toEqual([])
  })

  it('works where there are no hard links', async () => {
    const link = () => Promise.reject(systemError('ENOTSUP'))
    const store = new FileStore({ path: aFolder() }, fileSystem({ link }))
    const entry = { text: '{}', expiresAt: later }
    const tries = Array.from({ length: 8 }, () => store.create('k', entry))
    expect((await Promise.all(tries)).filter(Boolean)).toEqual([true])
  })

  it('reads thousands of records at once', async () => {
    const store = new FileStore({ path: aFolder(), fsync: false })
    await store.create('k', { text: '{}', expiresAt: later })
    const loads = Array.from({ length: 3000 }, () => store.load('k'))
    expect((await Promise.all(loads)).every((stored) => stored?.text === '{}')).toBe(true)
  })
})

describe('sweeping a FileStore', () => {
  it('spares a record that is touched meanwhile', async () => {
    const path = aFolder()
    const clock = new FakeClock()
    const ahead = new FakeClock(clock.now() + 5000)
    const touched = gate()
    const atRename = gate()
    const rename = async (from: string, to: string) => {
      atRename.open()
      await touched.opened
      await fs.rename(from, to)
    }
    const slow = new FileStore({ path, clock }, fileSystem({ rename: rename as typeof fs.rename }))
    await slow.create('k', { text: '{}', expiresAt: clock.now() + 1000 })
    const touch = slow.touch('k', later)
    await atRename.opened
    // More looks than those at a lock that may be left over: it waits for this one.
    const { fs: watched, looked } = watchedLocks(5)
    const sweep = new FileStore({ path, clock: ahead }, watched).sweep()
    await looked
    touched.open()
    expect(await touch).toBe(true)
    expect(await sweep).toBe(0)
    expect(await slow.load('k')).toEqual({ text: '{}', expiresAt: later })
  })

  it('removes expired records with their index entries, and reports them', async () => {
    const path = aFolder()
    const clock = new FakeClock()
    const store = new FileStore({ path, clock })
    await store.create('k', { text: 'old', expiresAt: clock.now() + 1, user: 'ann' })
    await store.create('l', { text: 'new', expiresAt: later })
    const reports = reportsOf(store)
    await clock.advance(1)
    expect(await store.sweep()).toBe(1)
    expect(reports).toEqual([{ type: 'expired', key: 'k', text: 'old' }])
    expect(readdirSync(`${path}/users`)).toEqual([])
    expect(await store.load('l')).toBeDefined()
  })

  it('removes an index entry whose record was never written', async () => {
    const path = aFolder()
    const failing = new FileStore({ path }, fileSystem({ open: failingOpen('ENOSPC', 'open') }))
    const store = new FileStore({ path })
    const entry = { text: '{}', expiresAt: later, user: 'ann' }
    await expect(failing.create('k', entry)).rejects.toThrow()
    expect(readdirSync(`${path}/users`).length).toBe(1)
    await store.sweep()
    expect(readdirSync(`${path}/users`)).toEqual([])
  })

  it('makes room where the disk has none for a lock', async () => {
    const path = aFolder()
    const clock = new FakeClock()
    const store = new FileStore({ path, clock }, fileSystem({ open: openWithoutLocks }))
    await store.create('k', { text: 'old', expiresAt: clock.now() + 1000 })
    await store.create('l', { text: 'new', expiresAt: later })
    const reports = reportsOf(store)
    await clock.advance(1000)
    expect(await store.sweep()).toBe(1)
    expect(reports).toEqual([{ type: 'expired', key: 'k', text: 'old' }])
    expect(await store.load('l')).toBeDefined()
    expect(leftovers(path)).toEqual([])
  })

  it('puts back what is live after all, where the disk has no room for a lock', async () => {
    const path = aFolder()
    const clock = new FakeClock()
    const ahead = new FakeClock(clock.now() + 5000)
    const store = new FileStore({ path, clock })
    await store.create('k', { text: '{}', expiresAt: clock.now() + 1000 })
    // The touch comes right after the sweep has seen the expired record.
    const rename: FileSystem['rename'] = async (from, to) => {
      if (String(to).endsWith('.aside')) expect(await store.touch('k', later)).toBe(true)
      await fs.rename(from, to)
    }
    const full = new FileStore(
      { path, clock: ahead },
      fileSystem({ open: openWithoutLocks, rename }),
    )
    expect(await full.sweep()).toBe(0)
    expect(await store.load('k')).toEqual({ text: '{}', expiresAt: later })
    expect(leftovers(path)).toEqual([])
  })

  it('puts nothing back in the place of what was written meanwhile', async () => {
    const path = aFolder()
    const clock = new FakeClock()
    const ahead = new FakeClock(clock.now() + 5000)
    const store = new FileStore({ path, clock })
    await store.create('k', { text: 'old', expiresAt: clock.now() + 1000 })
    const rename: FileSystem['rename'] = async (from, to) => {
      const isAside = String(to).endsWith('.aside')
      if (isAside) expect(await store.touch('k', later)).toBe(true)
      await fs.rename(from, to)
      if (isAside) expect(await store.create('k', { text: 'new', expiresAt: later })).toBe(true)
    }
    const full = new FileStore(
      { path, clock: ahead },
      fileSystem({ open: openWithoutLocks, rename }),
    )
    expect(await full.sweep()).toBe(0)
    expect(await store.load('k')).toEqual({ text: 'new', expiresAt: later })
    expect(leftovers(path)).toEqual([])
  })

  it('does not disturb another sweep, where the disk has no room for a lock', async () => {
    const path = aFolder()
    const clock = new FakeClock()
    const other = new FileStore({ path, clock }, fileSystem({ open: openWithoutLocks }))
    await other.create('k', { text: 'old', expiresAt: clock.now() + 1000 })
    // The record was written long ago, but is not lying about since then.
    await fs.utimes(recordPath(path, 'k'), 0, 0)
    await clock.advance(1000)
    const meanwhile: number[] = []
    const rename: FileSystem['rename'] = async (from, to) => {
      await fs.rename(from, to)
      meanwhile.push(await other.sweep(), leftovers(path).length)
    }
    const store = new FileStore({ path, clock }, fileSystem({ open: openWithoutLocks, rename }))
    const reports = reportsOf(store)
    expect(await store.sweep()).toBe(1)
    expect(meanwhile).toEqual([0, 1])
    expect(reports).toEqual([{ type: 'expired', key: 'k', text: 'old' }])
  })

  it('counts and reports nothing that another sweep has removed', async () => {
    const path = aFolder()
    const clock = new FakeClock()
    const rename: FileSystem['rename'] = async (from, to) => {
      await fs.rename(from, to)
      if (String(to).endsWith('.aside')) await fs.unlink(to)
    }
    const store = new FileStore({ path, clock }, fileSystem({ open: openWithoutLocks, rename }))
    await store.create('k', { text: 'old', expiresAt: clock.now() + 1000 })
    const reports = reportsOf(store)
    await clock.advance(1000)
    expect(await store.sweep()).toBe(0)
    expect(reports).toEqual([])
  })

  it('removes a record that was taken out of its place long ago', async () => {
    const path = aFolder()
    const store = new FileStore({ path })
    await store.create('k', { text: '{}', expiresAt: later })
    const file = recordPath(path, 'k')
    const longAgo = Date.now() - 10 * 60_000
    await fs.copyFile(file, `${file}.${longAgo}.0123456789abcdef.aside`)
    await fs.copyFile(file, `${file}.${Date.now()}.0123456789abcdef.aside`)
    await store.sweep()
    expect(leftovers(path).length).toBe(1)
    expect(await store.load('k')).toBeDefined()
  })

  it('goes on in the folder in which the one before has met its limit', async () => {
    const path = aFolder()
    const clock = new FakeClock()
    const shards: string[] = []
    const opendir: FileSystem['opendir'] = async (folder, ...rest) => {
      shards.push(basename(String(folder)))
      return await fs.opendir(folder, ...rest)
    }
    const store = new FileStore({ path, clock, fsync: false }, fileSystem({ opendir }))
    const expiresAt = clock.now() + 1000
    for (let i = 0; i < 12; i += 1) await store.create(`expired ${i}`, { text: '', expiresAt })
    await clock.advance(1000)
    expect(await store.sweep({ limit: 4 })).toBe(4)
    const [first] = shards
    const last = shards.splice(0).at(-1)
    expect(last).not.toBe(first)
    expect(await store.sweep({ limit: 4 })).toBe(4)
    expect(shards.splice(0)[0]).toBe(last)
    // What comes into the folders before that one is not left out.
    const earliest = Array.from({ length: 2000 }, (_, i) => `late ${i}`).find((key) =>
      dirname(recordPath(path, key)).endsWith('00'),
    )!
    await store.create(earliest, { text: '', expiresAt: clock.now() })
    expect(await store.sweep()).toBe(5)
    shards.splice(0)
    await store.sweep()
    expect(shards[0]).toBe('00')
  })

  it('spares the index entry of a record that is written meanwhile', async () => {
    const path = aFolder()
    const failing = new FileStore({ path }, fileSystem({ open: failingOpen('ENOSPC', 'open') }))
    const store = new FileStore({ path })
    const entry = { text: '{}', expiresAt: later, user: 'ann' }
    await expect(failing.create('k', entry)).rejects.toThrow()
    const record = recordPath(path, 'k')
    const stat = (async (file: string) => {
      const missed = await fs.stat(file).then(undefined, (error: Error) => error)
      if (file === record && missed instanceof Error) await store.create('k', entry)
      if (missed instanceof Error) throw missed
      return missed
    }) as FileSystem['stat']
    await new FileStore({ path }, fileSystem({ stat })).sweep()
    expect(await store.keysOfUser('ann')).toEqual(['k'])
  })

  it('keeps fresh temporary files and the locks of the living', async () => {
    const path = aFolder()
    const store = new FileStore({ path })
    await store.create('k', { text: '{}', expiresAt: later })
    const lock = { token: 'a-token', host: 'elsewhere', pid: 1, at: Date.now() }
    writeFileSync(`${recordPath(path, 'k')}.lock`, JSON.stringify(lock))
    writeFileSync(`${recordPath(path, 'k')}.0123.tmp`, 'half a rec')
    writeFileSync(`${dirname(recordPath(path, 'k'))}/README.txt`, 'somebody else put this here')
    await store.sweep()
    expect(leftovers(path).length).toBe(3)
  })
})

describe('the user index of FileStore', () => {
  it('reads the records of a user 16 at a time', async () => {
    const path = aFolder()
    const filler = new FileStore({ path, fsync: false })
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
    for (const key of keys) await filler.create(key, { text: '', expiresAt: later, user: 'ann' })
    let reading = 0
    const most: number[] = []
    const readFile = (async (...args: Parameters<typeof fs.readFile>) => {
      most.push(++reading)
      try {
        return await fs.readFile(...args)
      } finally {
        reading -= 1
      }
    }) as typeof fs.readFile
    const store = new FileStore({ path }, fileSystem({ readFile }))
    expect((await store.keysOfUser('ann')).sort()).toEqual(keys.sort())
    expect(most.length).toBe(40)
    expect(Math.max(...most)).toBe(16)
  })

  it('keeps and gives a key whose record appears while it is looked for', async () => {
    const path = aFolder()
    const atLink = gate()
    const looked = gate()
    const link: FileSystem['link'] = async (from, to) => {
      atLink.open()
      await looked.opened
      await fs.link(from, to)
    }
    const slow = new FileStore({ path }, fileSystem({ link }))
    const create = slow.create('k', { text: '{}', expiresAt: later, user: 'ann' })
    await atLink.opened
    const watched = watchedLocks(3)
    const store = new FileStore({ path }, watched.fs)
    const keys = store.keysOfUser('ann')
    await watched.looked
    looked.open()
    expect(await create).toBe(true)
    expect(await keys).toEqual(['k'])
    expect(await store.keysOfUser('ann')).toEqual(['k'])
  })

  it('forgets what is left of a record that was never written', async () => {
    const path = aFolder()
    const failing = new FileStore({ path }, fileSystem({ open: failingOpen('ENOSPC', 'open') }))
    await expect(failing.create('k', { text: '', expiresAt: later, user: 'ann' })).rejects.toThrow()
    expect(readdirSync(`${path}/users`).length).toBe(1)
    expect(await new FileStore({ path }).keysOfUser('ann')).toEqual([])
    expect(readdirSync(`${path}/users`)).toEqual([])
  })
})

describe('wrong options of FileStore', () => {
  it.each([
    [{ path: '' }, "'path' must be the path of a folder; it is an empty string"],
    [{ path: 3 }, "'path' must be the path of a folder; it is 3"],
    [{ path: 'a\0b' }, "'path' must be the path of a folder; it is of type string"],
    [{ path: 'a', fsync: 'yes' }, "'fsync' must be true or false; it is of type string"],
    [{ path: 'a', clock: {} }, "'clock' must be an object with now()"],
    [undefined, 'the options must be an object; they are of type undefined'],
  ])('%o throws a coded TypeError that names it', (options, message) => {
    const attempt = () => new FileStore(options as unknown as { path: string })
    expect(attempt).toThrow(expect.objectContaining({ name: 'OptionError', code: 'ERR_OPTION' }))
    expect(attempt).toThrow(message)
  })
})

/** An `open` that fails for temporary files, or gives a handle that fails later. */
function failingOpen(code: string, at: 'open' | 'writeFile' | 'sync'): FileSystem['open'] {
  return async (path, ...rest) => {
    const isTemp = String(path).endsWith('.tmp')
    if (isTemp && at === 'open') throw systemError(code)
    const handle = await fs.open(path, ...rest)
    if (isTemp && at !== 'open') handle[at] = () => Promise.reject(systemError(code))
    return handle
  }
}

/** An `open` on a disk that has no room for another lock. */
const openWithoutLocks: FileSystem['open'] = async (file, ...rest) => {
  if (String(file).endsWith('.lock')) throw systemError('ENOSPC')
  return await fs.open(file, ...rest)
}
