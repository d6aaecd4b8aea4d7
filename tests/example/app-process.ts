import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

export const SERVER = join(root, 'examples/app/server.js')
export const WS_SERVER = join(root, 'examples/ws/server.js')
export const SOCKET_IO_SERVER = join(root, 'examples/socket-io/server.js')
export const EXPRESS_SESSION_SERVER = join(root, 'examples/express-session/server.cjs')

/** The example in a process of its own, as `npm start` runs it. */
export interface AppProcess {
  readonly url: string
  readonly port: number
  /** Ends it and gives the exit code, or the signal if that is what ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>
}

export interface AppOptions {
  /** The folder that outlives it. */
  data: string
  /** @default a free one */
  port?: number
  /** @default the app */
  script?: string
  /** Where it keeps its sessions. @default 'file' */
  store?: string
  /** Drops its log, where the test makes it fail. @default false */
  quiet?: boolean
}

/** A folder that is removed when the test is over. */
export function temporaryFolder(): string {
  const path = makeFolder()
  onTestFinished(() => removeFolder(path))
  return path
}

/** Starts the example on a free port, or on `port`; it ends with the test at the latest. */
export async function startApp(options: AppOptions): Promise<AppProcess> {
  const app = await launchApp(options)
  onTestFinished(async () => void (await app.stop('SIGKILL')))
  return app
}

/** One running example for a whole file: what `beforeAll` calls, and what it gives `afterAll`. */
export async function sharedApp(script = SERVER) {
  const data = makeFolder()
  const app = await launchApp({ data, script })
  const close = async () => {
    await app.stop()
    removeFolder(data)
  }
  return { app, data, close }
}

function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'coatcheck-example-'))
}

function removeFolder(path: string): void {
  // A browser that has just been closed may still write its last file.
  rmSync(path, { recursive: true, force: true, maxRetries: 5 })
}

/** Starts the example and waits until it says where it is. */
async function launchApp({
  data,
  port = 0,
  script = SERVER,
  store = '',
  quiet = false,
}: AppOptions): Promise<AppProcess> {
  const child = spawn(process.execPath, [script], {
    env: {
      ...process.env,
      PORT: String(port),
      COATCHECK_DATA: data,
      HOST: '127.0.0.1',
      STORE: store,
    },
    stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit'],
  })
  const ended = once(child, 'exit')
  const found = await announcedPort(child)
  return {
    // By number: a jar that has seen one server must find the next one under the same name.
    url: `http://127.0.0.1:${found}`,
    port: found,
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      const [code, by] = await ended
      return code ?? by
    },
  }
}

/** Runs a script to its end; for starts that must fail. */
export async function runToEnd(args: string[], env: NodeJS.ProcessEnv, cwd = root) {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  return { code: code as number, stdout, stderr }
}

/** Gives `--import` arguments that make a process believe it is another version of Node. */
export function pretendNode(version: string): string[] {
  const versions = `{ ...process.versions, node: '${version}' }`
  const code = `Object.defineProperty(process, 'versions', { value: ${versions} })`
  return ['--import', `data:text/javascript,${encodeURIComponent(code)}`]
}

function announcedPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = ''
    child.stdout?.on('data', (chunk) => {
      said += chunk
      const port = /http:\/\/localhost:(\d+)/.exec(said)?.[1]
      if (port) resolve(Number(port))
    })
    child.once('exit', () => reject(new Error(`The example ended before it was ready: ${said}`)))
  })
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = ''
  for await (const chunk of stream) all += chunk
  return all
}
