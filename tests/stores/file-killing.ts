import { once } from 'node:events'
import * as fs from 'node:fs/promises'
import { expect } from 'vitest'
import type { StoreReport } from '../../src/core/store.js'
import { FileStore } from '../../src/stores/file.js'
import { recordPath, startProcess } from './file-folder.js'

const later = Date.UTC(2100, 0, 1)
const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`)

/** Kills a process in the middle of its 200 writes, `rounds` times, and looks at what it left. */
export async function killAndLook(path: string, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const { child, lines } = startProcess(path, { type: 'hammer', keys, expiresAt: later })
    const enough = 1 + Math.floor(Math.random() * 199)
    let written = 0
    lines.on('line', () => {
      written += 1
      if (written === enough) child.kill('SIGKILL')
    })
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
    await expectWhole(path)
  }
  await expectWritable(path)
}

async function expectWhole(path: string) {
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

async function expectWritable(path: string) {
  const store = new FileStore({ path })
  const entry = { text: '{}', expiresAt: later }
  await Promise.all(keys.map((key) => store.destroy(key)))
  const created = await Promise.all(keys.map((key) => store.create(key, entry)))
  expect(created.every(Boolean)).toBe(true)
}
