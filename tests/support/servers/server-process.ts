import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../ports.js'
import type { RunningServer } from './server.js'

export interface ServerProgram {
  /** Short: a socket path in its folder must stay under 108 bytes. */
  readonly name: string
  /** Who runs it where the tests run as root: some servers refuse to be root. */
  readonly user?: string
  /** What its database needs before the first start. */
  readonly prepare?: (folder: string, run: RunAsUser) => void
  readonly command: (at: ServerPlace) => readonly [program: string, ...args: string[]]
  readonly url: (port: number) => string
  /** What it says once it answers questions; without this, a connection is taken for it. */
  readonly ready?: RegExp
  /** What lies so far above its port is its too. */
  readonly alsoPort?: number
  /** The signal after which it is gone at once, as after a crash. @default 'SIGKILL' */
  readonly crash?: NodeJS.Signals
}

export interface ServerPlace {
  readonly folder: string
  readonly port: number
}

/** Runs a program to its end, as the user of the server. */
export type RunAsUser = (program: string, args: readonly string[]) => void

interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<void>
}

const alive = new Map<ChildProcess, ServerPlace>()

/** For a run that is cut off: no server stays behind. */
function endAll(): void {
  for (const [child, { folder }] of alive) {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
  alive.clear()
}

process.once('exit', endAll)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    endAll()
    // With this listener gone, to what else the signal does.
    process.kill(process.pid, signal)
  })
}

/** Starts a server on a free port with a folder of its own. */
export async function startProgram(program: ServerProgram): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), `cc-${program.name}-`))
  const owner = ownerOf(program.user)
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
  try {
    program.prepare?.(folder, (name, args) => void run(name, args, { ...owner, cwd: folder }))
    const pick = () => freePort({ also: program.alsoPort ?? 0 })
    let port = await pick()
    let started: Started | undefined
    // Between the look for a free port and the start, somebody else may have taken it.
    for (let tries = 1; started === undefined; tries++) {
      try {
        started = await launch(program, { folder, port }, owner)
      } catch (error) {
        if (tries === 3) throw error
        port = await pick()
      }
    }
    return running(program, { folder, port }, owner, started)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
    throw error
  }
}

function running(
  program: ServerProgram,
  place: ServerPlace,
  owner: Owner | undefined,
  first: Started,
): RunningServer {
  let now: Started | undefined = first
  const end = async (signal: NodeJS.Signals) => {
    const ending = now
    now = undefined
    ending?.child.kill(signal)
    await ending?.ended
  }
  return {
    host: '127.0.0.1',
    port: place.port,
    url: program.url(place.port),
    folder: place.folder,
    isOurs: true,
    kill: () => end(program.crash ?? 'SIGKILL'),
    start: async () => {
      now ??= await launch(program, place, owner)
    },
    stop: async () => {
      await end(program.crash ?? 'SIGKILL')
      rmSync(place.folder, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

async function launch(
  program: ServerProgram,
  place: ServerPlace,
  owner: Owner | undefined,
): Promise<Started> {
  const [name, ...args] = program.command(place)
  const child = spawn(name, args, {
    ...owner,
    cwd: place.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  alive.set(child, place)
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      // All of it would be kept for as long as the server runs.
      if (said.length < 100_000) said += text
    })
  }
  let hasEnded = false
  const ended = new Promise<void>((resolve) => {
    const onEnd = () => {
      hasEnded = true
      alive.delete(child)
      resolve()
    }
    child.once('error', onEnd)
    child.once('close', onEnd)
  })
  while (!((program.ready?.test(said) ?? true) && (await accepts(place.port)))) {
    if (hasEnded) throw new Error(`${program.name} has not started: ${said.slice(-2000)}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return { child, ended }
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

function ownerOf(user: string | undefined): Owner | undefined {
  if (user === undefined || process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(run('id', [flag, user], {}))
  return { uid: id('-u'), gid: id('-g') }
}

/** Throws with what it said, if it fails. */
function run(name: string, args: readonly string[], options: object): string {
  return execFileSync(name, args, { ...options, stdio: 'pipe', encoding: 'utf8' })
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
