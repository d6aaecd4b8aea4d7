import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LegacyStore } from '../../src/express-session/index.js'
import { FileStore } from '../../src/stores/file.js'
import { temporaryFolder } from '../example/app-process.js'
import { cookieFor, idOf, program } from '../express-session/program.js'
import { builtUrl } from '../support/built.js'
import { SECRET } from '../support/secret.js'

const SCRIPT = fileURLToPath(new URL('express-session-process.mjs', import.meta.url))

interface Job {
  readonly action: 'set' | 'destroy'
  readonly names: readonly string[]
}

/** Runs the jobs in a process each, all at the same moment, and gives the statuses they got. */
async function together(path: string, cookie: string, jobs: readonly Job[]): Promise<number[]> {
  const processes = jobs.map((job) => {
    const text = JSON.stringify({ ...job, path, cookie, secret: SECRET })
    const child = spawn(process.execPath, [SCRIPT, builtUrl(), text], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() }
  })
  for (const { lines } of processes) expect((await lines.next()).value).toBe('ready')
  for (const { child } of processes) child.stdin.end('go\n')
  const answers = await Promise.all(
    processes.map(async ({ lines }) => JSON.parse((await lines.next()).value ?? '[]') as number[]),
  )
  return answers.flat()
}

async function visitorOf(path: string) {
  const store = new LegacyStore(new FileStore({ path, fsync: false }))
  const { visitor } = await program({}, { store })
  const ada = await visitor({ user: 'ada' })
  const data = async () => (await ada.get('/')).json<object>()
  return { cookie: cookieFor(idOf(ada)), data }
}

function setting(process: string): Job {
  return { action: 'set', names: Array.from({ length: 25 }, (_, index) => `${process}${index}`) }
}

describe('two processes with 25 parallel requests each, on one session of the drop-in', () => {
  it('keep every key that a request has set', async () => {
    const path = temporaryFolder()
    const { cookie, data } = await visitorOf(path)
    const jobs = [setting('a'), setting('b')]
    expect(await together(path, cookie, jobs)).toEqual(Array(50).fill(200))
    const expected = ['user', ...jobs.flatMap(({ names }) => names)]
    expect(Object.keys(await data()).toSorted()).toEqual(expected.toSorted())
  }, 60_000)

  it('leave nothing once a third one has signed out', async () => {
    const path = temporaryFolder()
    const { cookie, data } = await visitorOf(path)
    const jobs: Job[] = [setting('a'), setting('b'), { action: 'destroy', names: ['logout'] }]
    expect(await together(path, cookie, jobs)).toEqual(Array(51).fill(200))
    expect(await data()).toEqual({})
  }, 60_000)
})
