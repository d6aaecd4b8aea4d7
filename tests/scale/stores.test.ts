import { describe, expect, it, onTestFinished } from 'vitest'
import { session } from '../../src/index.js'
import { MemoryStore } from '../../src/stores/memory.js'
import { freshFolder } from '../stores/file-folder.js'
import { killAndLook } from '../stores/file-killing.js'
import { SECRET } from '../support/serve.js'

it('a killed process leaves only whole records on a FileStore, sixty times over', async () => {
  const folder = freshFolder()
  onTestFinished(() => folder.remove())
  await killAndLook(folder.path, 60)
})

describe('a MemoryStore with 1,000 signed-in visitors', () => {
  it('is bounded under a million anonymous sessions, and keeps those who signed in', async () => {
    const store = new MemoryStore()
    const sessions = session<{ userId?: number; n?: number }>({ secret: SECRET, store })
    onTestFinished(() => sessions.close())
    let evicted = 0
    sessions.on('destroy', ({ reason, user }) => {
      if (reason === 'evicted' && user === undefined) evicted++
    })
    const signedIn: string[] = []
    for (let userId = 0; userId < 1000; userId++) signedIn.push(await sessions.issue({ userId }))
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    for (let n = 0; n < 1_000_000; n++) await sessions.issue({ n })
    expect(evicted).toBe(1_000_000 - 9000)
    let kept = 0
    for await (const _ of store.entries()) kept++
    expect(kept).toBe(10_000)
    // Far below what a million records would take, which is about a gigabyte.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(300 * 2 ** 20)
    for (const [userId, token] of signedIn.entries()) {
      const found = await sessions.read({ headers: { cookie: `sid=${token}` } })
      expect(found?.userId).toBe(userId)
    }
  })
})
