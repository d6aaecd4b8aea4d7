import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { freshFolder } from '../stores/file-folder.js'
import { builtUrl } from '../support/built.js'

it('a process with open sessions in it ends by itself, without a close()', async () => {
  const folder = freshFolder()
  onTestFinished(() => folder.remove())
  const script = fileURLToPath(new URL('life-process.mjs', import.meta.url))
  const args = [script, builtUrl(), 'exit', folder.path]
  // Killed, it rejects: whatever keeps it is longer than any of its time limits.
  const run = promisify(execFile)(process.execPath, args, { timeout: 15_000 })
  expect((await run).stdout).toBe('done\n')
})

it('a process without a server lives until its calls are done, also those that lose races', async () => {
  const script = fileURLToPath(new URL('life-process.mjs', import.meta.url))
  const run = promisify(execFile)(process.execPath, [script, builtUrl(), 'revoke'])
  expect((await run).stdout).toBe('ended 1\n')
})
