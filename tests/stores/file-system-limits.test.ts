import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileStore } from '../../src/stores/file.js'
import { FakeClock } from '../../src/testing/index.js'
import { freshFolder, leftovers } from './file-folder.js'

const later = Date.UTC(2100, 0, 1)
const folder = freshFolder()
const mounted = mount()

// A real full disk has its own ideas: some blocks left, an error at close. It needs the right to mount.
if (!mounted) console.warn('FileStore on a full and a read-only disk: skipped, no right to mount')

function mount(): boolean {
  mkdirSync(folder.path)
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=256k,mode=700', 'tmpfs', folder.path)
    return true
  } catch {
    return false
  }
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'ignore' })
}

/** Leaves no byte on the disk, and gives what makes room again. */
function fillUp(): void {
  const { bavail, bsize } = statfsSync(folder.path)
  writeFileSync(join(folder.path, 'ballast'), Buffer.alloc(bavail * bsize))
}

beforeAll(() => {
  if (process.env.CI !== undefined) expect(mounted).toBe(true)
})

afterAll(() => {
  if (mounted) run('umount', folder.path)
  folder.remove()
})

describe.skipIf(!mounted)('FileStore on a real disk', () => {
  const path = join(folder.path, 'sessions')
  const clock = new FakeClock()
  const store = new FileStore({ path, clock })
  const refusal = (code: string) => ({
    code: 'ERR_STORE',
    outcome: 'failed',
    cause: expect.objectContaining({ code }),
  })

  it('that is full: refuses what is new, keeps what is there, and leaves nothing behind', async () => {
    await store.create('kept', { text: 'old', expiresAt: later })
    await store.create('over', { text: 'x'.repeat(9000), expiresAt: clock.now() + 1000 })
    const files = leftovers(path)
    fillUp()
    const entry = { text: 'new', expiresAt: later, user: 'ann' }
    const seen = { text: 'old', expiresAt: later }
    await expect(store.create('new', entry)).rejects.toMatchObject(refusal('ENOSPC'))
    await expect(store.replace('kept', entry, seen)).rejects.toMatchObject(refusal('ENOSPC'))
    expect(await store.load('kept')).toEqual({ text: 'old', expiresAt: later })
    expect(await store.load('new')).toBeUndefined()
    expect(await store.keysOfUser('ann')).toEqual([])
    expect(leftovers(path)).toEqual(files)
  })

  it('that is read-only: says so to writers, and goes on for readers', async () => {
    run('mount', '-o', 'remount,ro', folder.path)
    try {
      const entry = { text: 'new', expiresAt: later }
      await expect(store.create('new', entry)).rejects.toMatchObject(refusal('EROFS'))
      await expect(store.touch('kept', later)).rejects.toMatchObject(refusal('EROFS'))
      await expect(store.destroy('kept')).rejects.toMatchObject(refusal('EROFS'))
      expect(await store.load('kept')).toEqual({ text: 'old', expiresAt: later })
    } finally {
      run('mount', '-o', 'remount,rw', folder.path)
    }
  })

  it('that is full makes room by a sweep of what has expired', async () => {
    await clock.advance(1000)
    expect(await store.sweep()).toBe(1)
    const entry = { text: 'new', expiresAt: later }
    expect(await store.create('new', entry)).toBe(true)
    expect(readdirSync(path).length).toBeGreaterThan(0)
  })
})
