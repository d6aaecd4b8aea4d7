import { once } from 'node:events'
import { utimesSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { afterEach, describe, expect, it } from 'vitest'
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
import { killAndLook } from './file-killing.js'

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
  it('leaves only whole records, four times over', async () => {
    await killAndLook(aFolder(), 4)
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
})
