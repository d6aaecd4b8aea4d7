import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type SessionManager, session } from '../../src/index.js'
import { FileStore } from '../../src/stores/file.js'
import { temporaryFolder } from '../example/app-process.js'
import { exchange } from '../model/exchange.js'
import { builtUrl } from '../support/built.js'
import { type AnyData, SECRET } from '../support/serve.js'

const SCRIPT = fileURLToPath(new URL('session-process.mjs', import.meta.url))

interface Job {
  readonly action: 'set' | 'add' | 'destroy'
  readonly names: readonly string[]
}

/** Runs the jobs in a process each, all at the same moment, and gives the statuses they got. */
async function together(path: string, token: string, jobs: readonly Job[]): Promise<number[][]> {
  const processes = jobs.map((job) => {
    const text = JSON.stringify({ ...job, path, token, secret: SECRET })
    const child = spawn(process.execPath, [SCRIPT, builtUrl(), text], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() }
  })
  for (const { lines } of processes) expect((await lines.next()).value).toBe('ready')
  for (const { child } of processes) child.stdin.end('go\n')
  return Promise.all(
    processes.map(async ({ lines }) => JSON.parse((await lines.next()).value ?? '[]') as number[]),
  )
}

/** A session in a folder, and what it holds later. */
async function sessionIn(path: string) {
  const store = new FileStore({ path, fsync: false })
  const sessions: SessionManager<AnyData> = session<AnyData>({ secret: SECRET, store })
  onTestFinished(() => sessions.close())
  const token = await sessions.issue({ userId: 'ada' })
  const data = async () => {
    let shown: AnyData = {}
    await exchange(sessions, {
      cookie: `sid=${token}`,
      handler: async (req) => {
        shown = { ...sessions.of(req).session }
      },
    })
    return shown
  }
  return { sessions, token, data }
}

const range = (count: number, name: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => name(index))

describe('four processes with 50 parallel requests each, on one session in files', () => {
  it('keep every key that a request has set', async () => {
    const path = temporaryFolder()
    const { token, data } = await sessionIn(path)
    const jobs = range(4, String).map((process) => ({
      action: 'set' as const,
      names: range(50, (index) => `p${process}k${index}`),
    }))
    const statuses = await together(path, token, jobs)
    expect(statuses.flat()).toEqual(Array(200).fill(200))
    const expected = ['userId', ...jobs.flatMap(({ names }) => names)]
    expect(Object.keys(await data()).sort()).toEqual(expected.sort())
  }, 60_000)

  it('count exactly by update()', async () => {
    const path = temporaryFolder()
    const { token, data } = await sessionIn(path)
    const jobs = range(4, () => '').map(() => ({
      action: 'add' as const,
      names: range(50, String),
    }))
    const statuses = await together(path, token, jobs)
    expect(statuses.flat()).toEqual(Array(200).fill(200))
    expect(await data()).toEqual({ userId: 'ada', n: 200 })
  }, 60_000)

  it('leave nothing once one of them has signed out', async () => {
    const path = temporaryFolder()
    const { sessions, token, data } = await sessionIn(path)
    const jobs: Job[] = [
      ...range(3, (process) => `p${process}`).map((process) => ({
        action: 'set' as const,
        names: range(50, (index) => `${process}k${index}`),
      })),
      { action: 'destroy', names: ['logout'] },
    ]
    const statuses = await together(path, token, jobs)
    expect(statuses.flat()).toEqual(Array(151).fill(200))
    // Who came after the end has begun a session of its own, which this id does not open.
    expect(await data()).toEqual({})
    expect(await sessions.list('ada')).toEqual([])
  }, 60_000)
})
