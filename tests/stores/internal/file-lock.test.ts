import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { DurableFiles } from '../../../src/stores/internal/durable-files.js'
import { FileLocks } from '../../../src/stores/internal/file-lock.js'
import type { FileSystem } from '../../../src/stores/internal/file-system.js'
import { fileSystem, freshFolder, gate, leftovers, watchedLocks } from '../file-folder.js'

const folders: { path: string; remove(): void }[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove()
})

function aPath(): string {
  const folder = freshFolder()
  folders.push(folder)
  mkdirSync(`${folder.path}/ab`, { recursive: true })
  return `${folder.path}/ab/record`
}

function fail(error: unknown): never {
  throw error
}

function locksOn(fileSystem: FileSystem): FileLocks {
  return new FileLocks(new DurableFiles(fileSystem, false, fail), fail)
}

/** A lock as another process would have made it. */
function plant(path: string, holder: { pid?: number; host?: string; age: number }): string {
  const { pid = process.ppid, host = hostname(), age } = holder
  const lock = `${path}.lock`
  writeFileSync(lock, JSON.stringify({ token: 'planted', host, pid, at: Date.now() - age }))
  return lock
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  return child.pid!
}

/** Waits until a second one has looked at the lock many times, and gives what is left of the lock. */
async function lockAfterManyLooks(path: string): Promise<string> {
  const { fs: watched, looked } = watchedLocks(15)
  const turn = locksOn(watched).run(path, async () => 'done')
  await Promise.race([looked, turn])
  const left = await fs.readFile(`${path}.lock`, 'utf8').catch(() => '')
  await fs.rm(`${path}.lock`, { force: true })
  expect(await turn).toBe('done')
  return left
}

describe('a lock of a record', () => {
  it('lets one at a time work, in this process and between instances', async () => {
    const path = aPath()
    const instances = Array.from({ length: 4 }, () => locksOn(fs))
    let working = 0
    let most = 0
    let done = 0
    const work = async () => {
      working += 1
      most = Math.max(most, working)
      await nextTurn()
      working -= 1
      done += 1
    }
    await Promise.all(Array.from({ length: 80 }, (_, i) => instances[i % 4]!.run(path, work)))
    expect([most, done]).toEqual([1, 80])
    expect(leftovers(dirname(path))).toEqual([])
  })

  it('is free again after a failure of the work', async () => {
    const path = aPath()
    const locks = locksOn(fs)
    await expect(locks.run(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await locks.run(path, async () => 'yes')).toBe('yes')
    expect(leftovers(dirname(path))).toEqual([])
  })

  it('makes the work begin again when it was lost before it was confirmed', async () => {
    const path = aPath()
    let begun = 0
    const result = await locksOn(fs).run(path, async ({ confirm }) => {
      begun += 1
      if (begun === 1) unlinkSync(`${path}.lock`)
      await confirm()
      return begun
    })
    expect(result).toBe(2)
  })

  it('that somebody else has taken meanwhile is left to them', async () => {
    const path = aPath()
    let begun = 0
    const taken = gate()
    const robbed = locksOn(fs).run(path, async ({ confirm }) => {
      begun += 1
      if (begun === 1) {
        unlinkSync(`${path}.lock`)
        plant(path, { age: 0 })
        taken.open()
      }
      await confirm()
      return begun
    })
    await taken.opened
    expect(await lockAfterManyLooks(path)).toContain('planted')
    expect(await robbed).toBe(2)
  })
})

describe('whose lock is taken away', () => {
  it.each([
    ['a dead process of this machine', async () => ({ pid: await deadPid(), age: 1000 })],
    ['an earlier process with our pid', async () => ({ pid: process.pid, age: beforeUs() })],
    ['another machine that is silent', async () => ({ host: 'elsewhere', age: 31_000 })],
    ['a process that is far too slow', async () => ({ age: 31_000 })],
    ['somebody with a clock far ahead', async () => ({ age: -31_000 })],
  ])('%s', async (_, holder) => {
    const path = aPath()
    plant(path, await holder())
    expect(await locksOn(fs).run(path, async () => 'done')).toBe('done')
    expect(leftovers(dirname(path))).toEqual([])
  })

  it.each([
    ['', 'empty'],
    ['{"token":', 'half written'],
    ['null', 'nonsense'],
    ['{"token":"../../x","at":0,"host":"","pid":1}', 'hostile'],
  ])('a holder that was killed before it had written its name: %j is %s', async (text) => {
    const path = aPath()
    writeFileSync(`${path}.lock`, text)
    const old = Date.now() / 1000 - 3
    utimesSync(`${path}.lock`, old, old)
    expect(await locksOn(fs).run(path, async () => 'done')).toBe('done')
    expect(leftovers(dirname(path))).toEqual([])
  })

  it('a dead holder, although the first to take it away died as well', async () => {
    const path = aPath()
    const lock = plant(path, { pid: await deadPid(), age: 1000 })
    const claim = { token: 'x', host: hostname(), pid: await deadPid(), at: Date.now() - 500 }
    writeFileSync(`${lock}.planted.0`, JSON.stringify(claim))
    expect(await locksOn(fs).run(path, async () => 'done')).toBe('done')
    expect(leftovers(dirname(path))).toEqual([])
  })
})

describe('whose lock is respected', () => {
  it.each([
    ['a live process of this machine', () => ({ age: 10_000 })],
    ['this process', () => ({ pid: process.pid, age: 0 })],
    ['another machine', () => ({ host: 'elsewhere', pid: 2 ** 22 + 1, age: 10_000 })],
    ['somebody with a clock a little ahead', () => ({ host: 'elsewhere', age: -10_000 })],
  ])('%s', async (_, holder) => {
    const path = aPath()
    plant(path, holder())
    expect(await lockAfterManyLooks(path)).toContain('planted')
  })

  it('a holder that has yet to write its name', async () => {
    const path = aPath()
    const begun = await fs.open(`${path}.lock`, 'wx')
    const { fs: watched, looked } = watchedLocks(15)
    const turn = locksOn(watched).run(path, async () => 'done')
    await looked
    expect((await fs.stat(`${path}.lock`)).ino).toBe((await begun.stat()).ino)
    await begun.close()
    unlinkSync(`${path}.lock`)
    expect(await turn).toBe('done')
  })
})

describe('waiters that race for a dead lock', () => {
  it('never take away the lock that one of them has got', { timeout: 60_000 }, async () => {
    const pid = await deadPid()
    const stolen: string[] = []
    for (let round = 0; round < 40; round += 1) {
      const path = aPath()
      plant(path, { pid, age: 1000 })
      let owner: number | undefined
      const waiters = Array.from({ length: 6 }, (_, me) => {
        const pause = async () => {
          for (let turns = Math.floor(Math.random() * 12); turns > 0; turns -= 1) await nextTurn()
        }
        const open = async (...args: Parameters<FileSystem['open']>) => {
          await pause()
          const handle = await fs.open(...args)
          if (String(args[0]).endsWith('.lock')) owner = me
          return handle
        }
        // At once, so that nothing comes between the look and the removal.
        const unlink: FileSystem['unlink'] = async (file) => {
          await pause()
          if (String(file).endsWith('.lock')) {
            const isDead = readFileSync(file, 'utf8').includes('planted')
            if (!isDead && owner !== me) stolen.push(`${me} from ${owner}`)
          }
          unlinkSync(file)
        }
        return locksOn(fileSystem({ open, unlink }))
      })
      await Promise.all(waiters.map((locks) => locks.run(path, nextTurn)))
      expect(leftovers(dirname(path))).toEqual([])
    }
    expect(stolen).toEqual([])
  })
})

/** Older than this process, but not so old that any lock would be taken for lost. */
function beforeUs(): number {
  return process.uptime() * 1000 + 500
}
