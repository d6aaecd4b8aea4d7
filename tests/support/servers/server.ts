import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A server of somebody else, alone with one test file. */
export interface RunningServer {
  readonly host: '127.0.0.1'
  readonly port: number
  readonly url: string
  /** Where it keeps its files, if it is ours. */
  readonly folder: string | undefined
  /** False: it was there before (`MONGODB_URL`), so it cannot be killed or started. */
  readonly isOurs: boolean
  /** Ends it as a crash does, without a word to its clients. */
  kill(): Promise<void>
  /** Starts it again on the same port, with what it has kept on disk. */
  start(): Promise<void>
  /** Ends it for good and removes its folder. */
  stop(): Promise<void>
}

/** A kind of server that tests can have. */
export interface ServerKind<Running extends RunningServer = RunningServer> {
  readonly name: string
  /** The Debian packages without which there is none. */
  missing(): readonly string[]
  start(): Promise<Running>
}

/** Whether there is a server of this kind. In CI there must be. */
export function hasServer(kind: Pick<ServerKind, 'name' | 'missing'>): boolean {
  const missing = kind.missing()
  if (missing.length === 0) return true
  const reason = `no ${kind.name} on this machine: its tests`
  if (process.env.CI) throw new Error(`${reason} cannot run, and in CI they must.`)
  console.warn(`\n!! ${reason} are SKIPPED. On Debian: apt-get install ${missing.join(' ')}\n`)
  return false
}

/** Where a program is: on the PATH, where Debian keeps servers, or in one of `folders`. */
export function programOf(name: string, folders: readonly string[] = []): string | undefined {
  const path = (process.env.PATH ?? '').split(delimiter)
  return [...folders, ...path, '/usr/sbin', '/usr/local/sbin']
    .map((folder) => join(folder, name))
    .find(canRun)
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
