import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { FileSystem } from '../../src/stores/internal/file-system.js'
import { builtUrl } from '../support/built.js'

const SCRIPT = fileURLToPath(new URL('file-process.mjs', import.meta.url))

/** A new path for a store; nothing is there yet. */
export function freshFolder(): { path: string; remove(): void } {
  const parent = mkdtempSync(join(tmpdir(), 'coatcheck-file-'))
  return {
    path: join(parent, 'sessions'),
    remove: () => rmSync(parent, { recursive: true, force: true, maxRetries: 10 }),
  }
}

/** Where a store in `folder` keeps the record of `key`. */
export function recordPath(folder: string, key: string): string {
  const name = createHash('sha256').update(key, 'utf16le').digest('hex')
  return join(folder, name.slice(0, 2), name)
}

/** The names of all files below `folder` that are no records and no index entries. */
export function leftovers(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes('.'),
  )
}

/** The real file system, with some of its functions replaced. */
export function fileSystem(changes: Partial<FileSystem>): FileSystem {
  return { ...fs, ...changes }
}

export function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected`), { code, errno: -1 })
}

/** A promise with its way out, to hold an operation until the test lets it go on. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** A file system that tells when somebody has looked `times` times at a lock. */
export function watchedLocks(times: number): { fs: FileSystem; looked: Promise<void> } {
  const { opened, open } = gate()
  let looks = 0
  const readFile = ((...args: Parameters<typeof fs.readFile>) => {
    if (String(args[0]).endsWith('.lock')) looks += 1
    if (looks === times) open()
    return fs.readFile(...args)
  }) as typeof fs.readFile
  return { fs: fileSystem({ readFile }), looked: opened }
}

/** Starts a process on `folder`; see the jobs of the script. */
export function startProcess(folder: string, job: { type: string; [detail: string]: unknown }) {
  const args = [SCRIPT, builtUrl(), folder, JSON.stringify(job)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  return { child, lines }
}

/** The exit code of a process that ends by itself; null if it had to be killed. */
export async function exitOf({ child }: ReturnType<typeof startProcess>): Promise<number | null> {
  const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(15_000) }).catch(() => {
    child.kill('SIGKILL')
    return [null]
  })
  return code
}

/** The real file system, of which nothing comes back from `fall` on until `speak`. */
export function silentFileSystem(): { fs: FileSystem; fall(): void; speak(): void } {
  let silence: ReturnType<typeof gate> | undefined
  const functions = Object.entries(fs).filter(([, run]) => typeof run === 'function')
  const waiting = functions.map(([name, run]) => [
    name,
    async (...args: unknown[]) => {
      await silence?.opened
      return Reflect.apply(run as (...args: unknown[]) => unknown, fs, args)
    },
  ])
  return {
    fs: Object.fromEntries(waiting) as unknown as FileSystem,
    fall() {
      silence = gate()
    },
    speak() {
      silence?.open()
      silence = undefined
    },
  }
}

/** Kills the process at whatever it is doing. */
export async function killed(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

/** The one line that a process says before it ends by itself. */
export async function answerOf({ child, lines }: ReturnType<typeof startProcess>): Promise<string> {
  const said: string[] = []
  lines.on('line', (line) => said.push(line))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`the process ended with ${code}`)
  return said.join('\n')
}
