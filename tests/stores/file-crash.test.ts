import { once } from 'node:events'
import { utimesSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { StoreReport } from '../../src/core/store.js'
import { FileStore } from '../../src/stores/file.js'
import {
  answerOf,
  freshFolder,
  killed,
  leftovers,
  recordPath,
  startProcess,
  watchedLocks,
} from './file-folder.js'

const later = Date.UTC(2100, 0, 1)
const folders: { remove(): void }[] = []

function aFolder(): string {
  const folder = freshFolder()
  folders.push(folder)
  return folder.path
}

afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove()
})

describe('a killed process on the folder of a FileStore', () => {
  it('leaves only whole records, twenty times over', { timeout: 120_000 }, async () => {
    const path = aFolder()
    const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`)
    for (let round = 0; round < 20; round += 1) {
      const { child, lines } = startProcess(path, { type: 'hammer', keys, expiresAt: later })
      const enough = 1 + Math.floor(Math.random() * 199)
      let written = 0
      lines.on('line', () => {
        written += 1
        if (written === enough) child.kill('SIGKILL')
      })
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
      await expectWhole(path, keys)
    }
    await expectWritable(path, keys)
  })

  it('holds no lock for ever', async () => {
    const path = aFolder()
    const store = new FileStore({ path })
    await store.create('k', { text: 'old', expiresAt: later })
    const entry = { text: 'never', expiresAt: later }
    const { child, lines } = startProcess(path, { type: 'hang', key: 'k', entry })
    await once(lines, 'line')
    await killed(child)
    expect(leftovers(path).length).toBe(2)
    const seen = { text: 'old', expiresAt: later }
    expect(await store.replace('k', { ...entry, text: 'new' }, seen)).toBe('replaced')
    expect(await store.load('k')).toEqual({ text: 'new', expiresAt: later })
    const [temp, ...others] = leftovers(path)
    expect(others).toEqual([])
    const old = Date.now() / 1000 - 3600
    utimesSync(`${path}/${temp}`, old, old)
    await store.sweep()
    expect(leftovers(path)).toEqual([])
  })

  it('loses no write of the processes that race for its lock', async () => {
    const path = aFolder()
    const store = new FileStore({ path })
    await store.create('k', { text: '{}', expiresAt: later })
    const entry = { text: '{"never":true}', expiresAt: later }
    const { child, lines } = startProcess(path, { type: 'hang', key: 'k', entry })
    await once(lines, 'line')
    await killed(child)
    const names = Array.from({ length: 30 }, (_, i) => `name-${i}`)
    const programs = [0, 1, 2].map((i) => ({
      type: 'merge',
      key: 'k',
      names: names.slice(i * 10, i * 10 + 10),
    }))
    const jobs = programs.map((program) => ({ type: 'program', program, now: Date.now() }))
    await Promise.all(jobs.map((job) => answerOf(startProcess(path, job))))
    const { text } = (await store.load('k'))!
    expect(Object.keys(JSON.parse(text)).sort()).toEqual([...names].sort())
  })

  it('that still lives keeps its lock, however slow it is', async () => {
    const path = aFolder()
    const store = new FileStore({ path })
    await store.create('k', { text: 'old', expiresAt: later })
    const entry = { text: 'never', expiresAt: later }
    const { child, lines } = startProcess(path, { type: 'hang', key: 'k', entry })
    await once(lines, 'line')
    const lock = `${recordPath(path, 'k')}.lock`
    const holder = JSON.parse(await fs.readFile(lock, 'utf8'))
    await fs.writeFile(lock, JSON.stringify({ ...holder, at: Date.now() - 10_000 }))
    const { fs: watched, looked } = watchedLocks(20)
    const waiting = new FileStore({ path }, watched).touch('k', later + 1)
    await looked
    expect(JSON.parse(await fs.readFile(lock, 'utf8')).token).toBe(holder.token)
    await killed(child)
    expect(await waiting).toBe(true)
  })

  async function expectWhole(path: string, keys: string[]) {
    const store = new FileStore({ path })
    const reports: StoreReport[] = []
    store.onReport((report) => reports.push(report))
    const users = new Map<string, string[]>()
    const check = async (key: string) => {
      const stored = await store.load(key)
      if (stored === undefined) return
      const { round, pad, end } = JSON.parse(stored.text)
      expect([pad.length, end]).toEqual([3000, round])
      const header = (await fs.readFile(recordPath(path, key), 'utf8')).split('\n', 1)[0]!
      const { user } = JSON.parse(header)
      if (user !== undefined) users.set(user, [...(users.get(user) ?? []), key])
    }
    await Promise.all(keys.map(check))
    expect(reports).toEqual([])
    for (const user of ['user-1', 'user-2']) {
      expect((await store.keysOfUser(user)).sort()).toEqual((users.get(user) ?? []).sort())
    }
  }

  async function expectWritable(path: string, keys: string[]) {
    const store = new FileStore({ path })
    const entry = { text: '{}', expiresAt: later }
    await Promise.all(keys.map((key) => store.destroy(key)))
    const created = await Promise.all(keys.map((key) => store.create(key, entry)))
    expect(created.every(Boolean)).toBe(true)
  }
})
