import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { session } from '../../src/index.js'
import { FileStore } from '../../src/stores/file.js'
import { freshFolder } from '../stores/file-folder.js'
import { builtUrl } from '../support/built.js'
import { type AnyData, SECRET } from '../support/serve.js'

const SCRIPT = fileURLToPath(new URL('life-process.mjs', import.meta.url))

/** Kills a process at a step of a change from ada to bob; gives the folder it leaves. */
async function killedAt(step: string): Promise<string> {
  const folder = freshFolder()
  onTestFinished(() => folder.remove())
  const child = spawn(process.execPath, [SCRIPT, builtUrl(), 'crash', folder.path, step])
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  return folder.path
}

// The index entry comes before the record, and goes after it.
it.each([
  ['the index knows bob, and the record of bob is still to come', 'link', ['ada']],
  ['the record of bob is there, and that of ada is still to end', 'rename', ['ada', 'bob']],
  ['the record of ada has ended, and its entry is still in the index', 'unlink', ['bob']],
])(
  'a process that is killed when %s hides no session and shows no other',
  async (_, step, users) => {
    const path = await killedAt(step)
    const store = new FileStore({ path, fsync: false })
    const owners: string[] = []
    for await (const { text } of store.entries()) {
      const { data } = JSON.parse(text) as { data?: { owner: string } }
      if (data !== undefined) owners.push(data.owner)
    }
    expect(owners.sort()).toEqual(users)
    const sessions = session<AnyData>({ secret: SECRET, store })
    for (const user of ['ada', 'bob']) {
      const listed = await sessions.list(user)
      expect([user, listed.length]).toEqual([user, users.includes(user) ? 1 : 0])
      expect(await sessions.revokeUser(user)).toBe(listed.length)
      expect(await sessions.list(user)).toEqual([])
    }
  },
)
