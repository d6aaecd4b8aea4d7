/**
 * TypeScript of the tests as a process of its own, which Node 20 cannot read: it is bundled, without
 * the packages it imports.
 *
 *   const started = await startTypeScript(`
 *     import { run } from ${JSON.stringify(path)}
 *     await run(JSON.parse(process.argv[2]))`, [JSON.stringify(job)])
 *   expect(await started.line()).toBe('ready')
 *
 * Such modules must not import vitest.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
// In here the packages are found.
const cache = join(root, 'node_modules/.cache/coatcheck-processes')

export interface StartedProcess {
  readonly child: ChildProcess
  /** The next line it says; rejects if it ends first. */
  line(): Promise<string>
  /** Writes a line to it. */
  tell(line: string): void
  /** Its exit code; null if it had to be killed after `ms`. */
  exit(ms?: number): Promise<number | null>
}

const built = new Map<string, Promise<string>>()

/** Starts a module, given as its source. Ends with this process at the latest. */
export async function startTypeScript(
  source: string,
  args: readonly string[],
): Promise<StartedProcess> {
  let path = built.get(source)
  if (path === undefined) {
    path = bundle(source)
    built.set(source, path)
  }
  const child = spawn(process.execPath, ['--enable-source-maps', await path, ...args], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
    // Vitest tells workers of its own by these.
    env: { ...process.env, NODE_OPTIONS: '', VITEST: undefined },
  })
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      process.off('exit', kill)
      resolve(code)
    })
  })
  child.stdin.on('error', () => {})
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    child,
    async line() {
      const { value } = await lines.next()
      if (value === undefined) throw new Error(`The process ended with ${await ended}.`)
      return value
    },
    tell: (line) => void child.stdin.write(`${line}\n`),
    async exit(ms = 15_000) {
      if (child.exitCode !== null) return child.exitCode
      const timeout = setTimeout(kill, ms)
      const [code] = await once(child, 'exit')
      clearTimeout(timeout)
      return code
    },
  }
}

async function bundle(source: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: root, loader: 'ts' },
    write: false,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
  })
  const { contents } = outputFiles[0]!
  const name = createHash('sha256').update(contents).digest('hex').slice(0, 24)
  const path = join(cache, `${name}.mjs`)
  if (existsSync(path)) return path
  mkdirSync(cache, { recursive: true })
  // Others may be writing the same.
  writeFileSync(`${path}.${process.pid}`, contents)
  renameSync(`${path}.${process.pid}`, path)
  return path
}
