import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

export interface Output {
  readonly stdout: string
  readonly stderr: string
}

/** A project of somebody else, with this package installed from what `npm pack` makes of it. */
export interface Project {
  readonly folder: string
  /** Where the package is in it. */
  readonly installed: string
  readonly tarball: string
  write(name: string, text: string): string
  /** Puts a package beside ours, as this repository has it. */
  link(name: string): void
  /** Writes a file and runs it. One that does not end by itself is killed, and fails. */
  script(name: string, text: string, node?: string): Promise<Output>
  node(args: readonly string[], options?: { cwd?: string; node?: string }): Promise<Output>
  remove(): void
}

/** Into an empty project, with an empty cache and no network: what is needed has to be there. */
export async function installedProject(): Promise<Project> {
  execFileSync(process.execPath, [join(root, 'scripts/prepare.mjs'), 'test'], { stdio: 'inherit' })
  const temporary = mkdtempSync(join(tmpdir(), 'coatcheck-packaging-'))
  const folder = join(temporary, 'project')
  const installed = join(folder, 'node_modules/coatcheck')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "name": "project", "private": true }')
  const tarball = await pack(root, temporary)
  const tarballs = [tarball, await pack(join(root, 'node_modules/cookie'), temporary)]
  const cache = join(temporary, 'cache')
  await npm(
    ['install', '--offline', '--no-audit', '--no-fund', '--cache', cache, ...tarballs],
    folder,
  )
  if (!existsSync(installed)) throw new Error('npm installed nothing.')

  const write = (name: string, text: string) => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const node: Project['node'] = (args, { cwd = folder, node: binary = process.execPath } = {}) => {
    const env = { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'development' }
    return run(binary, args, { cwd, env, timeout: 30_000 })
  }
  return {
    folder,
    installed,
    tarball,
    write,
    link: (name) => {
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'junction')
    },
    script: (name, text, binary = process.execPath) => {
      write(name, text)
      return node([name], { node: binary })
    },
    node,
    remove: () => rmSync(temporary, { recursive: true }),
  }
}

async function pack(folder: string, into: string): Promise<string> {
  const { stdout } = await npm(
    ['pack', folder, '--json', '--ignore-scripts', '--pack-destination', into],
    root,
  )
  const [packed] = JSON.parse(stdout) as [{ filename: string }]
  return join(into, packed.filename)
}

/** On Windows npm is a script that only a shell can start, so its file is named where known. */
function npm(args: string[], cwd: string): Promise<Output> {
  const script = process.env.npm_execpath
  const options = { cwd, encoding: 'utf8', shell: process.platform === 'win32' } as const
  return script && /\.c?js$/.test(script)
    ? run(process.execPath, [script, ...args], { ...options, shell: false })
    : run('npm', args, options)
}

/**
 * The text of a function that serves two requests of one visitor and prints what each one saw. It
 * takes the module, a store, and `express` where there is one.
 */
export const SERVE = `
  const { createServer } = require('node:http')
  const { once } = require('node:events')
  async function serve({ session }, store, express) {
    const sessions = session({ secret: 'x'.repeat(32), store })
    const answer = (req, res) => {
      const { session: current } = sessions.of(req)
      current.views = (current.views ?? 0) + 1
      res.end(String(current.views))
    }
    const listener = express
      ? express().use(sessions).get('/', answer)
      : (req, res) => sessions(req, res, () => answer(req, res))
    const server = createServer(listener)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = 'http://127.0.0.1:' + server.address().port
    const first = await fetch(url)
    const [cookie] = first.headers.getSetCookie()[0].split(';')
    const second = await fetch(url, { headers: { cookie } })
    console.log(await first.text(), await second.text())
    server.close()
    server.closeAllConnections()
  }`

/** The same for an ES module. */
export const SERVE_ESM = SERVE.replace(
  /const (\{ \w+ \}) = require\('([\w:]+)'\)/g,
  "import $1 from '$2'",
)
